"""`WatchedTrainer`: a `RoundTrainer` that measures subnetworks and stops them early."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.rounds.stopping.best_weights import BestWeights
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.distribute import is_multi_worker


class WatchedTrainer(RoundTrainer):
    """Trains subnetworks until their loss on held-out rows no longer falls.

    Measurements are part of the same compiled function as the steps, and cost no call of their
    own. On several replicas a subnetwork that has stopped still takes part in the steps, as
    replicas cannot wait for each other within a branch; what it has kept no longer changes.

    Args:
        *arguments: Those of `RoundTrainer`.
        best: `BestWeights` of the members.
        **options: Those of `RoundTrainer`.

    Attributes:
        stopped: For each subnetwork, the step at which it was stopped early, or 0.
        measured: `(steps, members)` held-out losses after the steps of the last call, NaN where
            nothing was measured. A call without steps has one row.
    """

    def __init__(self, *arguments: Any, best: BestWeights, **options: Any):
        super().__init__(*arguments, **options)
        self.best = best
        best.prepare(self.packed)
        if is_multi_worker(self.strategy):
            best.agreed = self._of_chief

    def run(
        self,
        sources: Sequence[dict],
        indices: Sequence[tf.Tensor],
        start: int,
        stop: int,
        first: int = 0,
        close: bool = False,
    ) -> np.ndarray:
        """Runs steps `start` to `stop` of a chunk, fewer if all subnetworks stop early.

        Args:
            sources: As for `RoundTrainer`.
            indices: As for `RoundTrainer`.
            start: First step within the chunk.
            stop: End of the steps, exclusive.
            first: Steps taken before the chunk. Defaults to 0.
            close: Whether to measure after the last step even if no measurement is due. Defaults
                to `False`.

        Returns:
            float32 array `(steps taken, members)` of losses, NaN for steps not taken.
        """
        end, losses, measured, alive, stopped = self._call(
            tuple(sources), tuple(indices), tf.constant(start), tf.constant(stop),
            tf.constant(self.alive), tf.constant(self.stopped), self.best.held_out.sources,
            tf.constant(first, tf.int64), tf.constant(stop + int(close)),
        )  # fmt: skip
        self.alive, self.stopped = alive.numpy(), stopped.numpy()
        end = min(int(end), stop)
        self.measured = measured.numpy()[min(start + 1, end) : end + 1]
        return losses.numpy()[start:end]

    def _run(self, sources, indices, start, stop, alive, stopped, held_out, first, end):
        self._begin()
        count, chunk = len(self.members), indices[0].shape[0]
        none = tf.fill((count,), float("nan"))
        losses, measured = (
            tf.TensorArray(tf.float32, size=chunk + 1, element_shape=(count,)).unstack(
                tf.fill((chunk + 1, count), float("nan"))
            )
            for _ in range(2)
        )

        def step(i, alive, stopped, losses, measured):
            # After the last step, one more turn may only measure.
            number = first + tf.cast(tf.minimum(i + 1, stop), tf.int64)
            trained = alive & (i < stop)
            row = self._step_of(trained, sources, indices, tf.minimum(i, chunk - 1), number)
            broken = trained & ~tf.math.is_finite(row)
            # What was measured before its weights broke is a result.
            stopped = tf.where(broken & (tf.stack(self.best.steps) > 0), number, stopped)
            alive = alive & ~broken
            found, over = tf.cond(
                (number % self.best.rule.every == 0) | (i >= stop),
                lambda: self._measure(alive, number, held_out),
                lambda: (none, tf.zeros((count,), tf.bool)),
            )
            return (
                i + 1, alive & ~over, tf.where(over, number, stopped), losses.write(i, row),
                measured.write(tf.minimum(i + 1, stop), found),
            )  # fmt: skip

        i, alive, stopped, losses, measured = tf.while_loop(
            lambda i, alive, *_: (i < end) & tf.reduce_any(alive), step,
            (start, alive, stopped, losses, measured), parallel_iterations=1,
        )  # fmt: skip
        return i, losses.stack(), measured.stack(), alive, stopped

    def _step_of(self, trained, sources, indices, i, number):
        """Takes step i of some subnetworks, their step `number`; returns all losses."""
        if self.replicas == 1:
            self._given = (number,)
            return self._replica(sources, indices, i, trained)

        def together():
            shares = self.strategy.run(self._replica, (sources, indices, i, None))
            return self.strategy.reduce("SUM", shares, axis=None)

        none = tf.fill((len(self.members),), float("nan"))
        row = tf.cond(tf.reduce_any(trained), together, lambda: none)
        if self.best.rule.average:
            # Averages are not mirrored, and are brought up to date once.
            tf.cond(
                tf.reduce_any(trained), lambda: self._follow_all(number), lambda: tf.constant(0)
            )
        return tf.where(trained, row, np.nan)

    def _step(self, k, batch, *given):
        loss = super()._step(k, batch)
        if self.replicas == 1:
            self.best.follow(k, *given)
        return loss

    def _follow_all(self, number):
        for k in range(len(self.members)):
            self.best.follow(k, number)
        return tf.constant(0)

    def _of_chief(self, loss):
        """Returns the chief's loss in all processes, which may differ in the last digit."""

        def one():
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            return tf.where(tf.equal(number, 0), loss, tf.zeros_like(loss))

        return self.strategy.reduce("SUM", self.strategy.run(one), axis=None)

    def _measure(self, alive, number, held_out):
        """Returns the held-out losses of some subnetworks, and which of them must stop."""
        measure = self._shared(self._measure_if)
        found = [
            measure(k, alive[k], number, held_out[group])
            for k, group in enumerate(self.best.held_out.groups)
        ]
        losses, over = zip(*found, strict=True)
        return tf.stack(losses), tf.stack(over)

    def _measure_if(self, k, alive, *given):
        return tf.cond(
            alive,
            lambda: self.best.measure(k, *given),
            lambda: (tf.constant(np.nan), tf.constant(False)),
        )
