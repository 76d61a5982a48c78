"""`BestWeights`: the weights with the lowest held-out loss, found inside the compiled function."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.objective.early_stopping import StoppingRule
from adaptive_nets.adanet.rounds.packed import PackedWeights
from adaptive_nets.adanet.rounds.stopping.held_out import BLOCK, HeldOut
from adaptive_nets.heads import Head

# Averages of weights are brought up to date every so many steps: each time, all weights are read.
STRIDE = 4


class BestWeights:
    """Measures subnetworks on held-out rows, keeps their best weights, and says when to stop.

    Majority layers are measured with the mean of their kernels, as in any inference. With an
    average of the weights, the average is what is measured and kept.

    Args:
        members: The round's members.
        head: The task's head.
        scales: `(base_scale, logit_scale)`, as for `RoundTrainer`.
        held_out: `HeldOut`, the rows.
        rule: `StoppingRule`.

    Attributes:
        losses: The lowest loss of each member, a variable; infinity before the first measurement.
        steps: The step of each member's lowest loss, a variable; 0 before the first measurement.
        agreed: Function from a loss to that which all processes go by.
    """

    def __init__(
        self,
        members: Sequence[Member],
        head: Head,
        scales: tuple[float, float] | None,
        held_out: HeldOut,
        rule: StoppingRule,
    ):
        self.members, self.head, self.scales = members, head, scales
        self.held_out, self.rule = held_out, rule
        self.losses = [_variable(np.float32(np.inf)) for _ in members]
        self.steps = [_variable(np.int64(0)) for _ in members]
        self.agreed: Callable[[tf.Tensor], tf.Tensor] = lambda loss: loss
        self._packed: Sequence[PackedWeights] = ()
        self._kept: list[_Kept] = []

    def prepare(self, packed: Sequence[PackedWeights]) -> None:
        """Makes room for what is kept, before training.

        Args:
            packed: The weights of each member.
        """
        self._packed = packed
        self._kept = [_Kept.of(each, self.rule.average > 0) for each in packed]

    def variables(self, k: int) -> list[tf.Variable]:
        """Returns all state of member k."""
        kept = self._kept[k]
        return [*kept.trained, *kept.fixed, *kept.averages, self.losses[k], self.steps[k]]

    def restore(self, k: int) -> None:
        """Gives member k its best weights. Without a measurement it keeps those it has."""
        if not int(self.steps[k]):
            return
        packed, kept = self._packed[k], self._kept[k]
        packs, values = [*packed.trained, *packed.fixed], [*kept.trained, *kept.fixed]
        for pack, value in zip(packs, values, strict=True):
            pack.write(tf.convert_to_tensor(value))

    def follow(self, k: int, number: tf.Tensor) -> None:
        """Brings the average of member k's weights up to date, if there is one.

        Args:
            k: The member.
            number: Steps taken, an int64 scalar.
        """
        averages, packed = self._kept[k].averages, self._packed[k]
        if not averages:
            return

        def update():
            taken = tf.cast(number, tf.float32)
            decay = tf.minimum(self.rule.average, (1.0 + taken) / (10.0 + taken)) ** STRIDE
            for average, new in zip(averages, packed.values(), strict=True):
                average.assign_add((1.0 - tf.cast(decay, new.dtype)) * (new - average))
            return tf.constant(0)

        tf.cond(number % STRIDE == 0, update, lambda: tf.constant(0))

    def measure(self, k: int, number: tf.Tensor, source: dict) -> tuple[tf.Tensor, tf.Tensor]:
        """Measures member k, and keeps its weights if they are the best so far.

        Args:
            k: The member.
            number: Steps taken, an int64 scalar.
            source: The held-out rows.

        Returns:
            Its loss, and whether it has not improved for too long.
        """
        loss = self.agreed(tf.cast(self._loss(k, source), tf.float32))
        improved = loss < self.losses[k] - self.rule.min_delta
        best = tf.where(improved, number, self.steps[k])

        packed, kept = self._packed[k], self._kept[k]
        trained = [tf.convert_to_tensor(v) for v in kept.averages] or packed.values()
        now = [*trained, *(pack.read() for pack in packed.fixed)]
        for variable, value in zip([*kept.trained, *kept.fixed], now, strict=True):
            variable.assign(tf.where(improved, value, variable))
        self.losses[k].assign(tf.where(improved, loss, self.losses[k]))
        self.steps[k].assign(best)
        waited, of_best = number - best, self.rule.of_best * tf.cast(best, tf.float64)
        return loss, (waited >= self.rule.patience) & (tf.cast(waited, tf.float64) >= of_best)

    def _loss(self, k, source):
        """Returns the mean loss, computed block by block."""
        rows = source["y"].shape[0]
        count = -(-rows // BLOCK)
        size = -(-rows // count)

        def block(j, total):
            index = j * size + tf.range(size)
            places = tf.minimum(index, rows - 1)
            batch = tf.nest.map_structure(lambda a: tf.gather(a, places), source)
            losses = tf.where(index < rows, self._row_losses(k, batch), 0.0)
            return j + 1, total + tf.reduce_sum(tf.cast(losses, tf.float64))

        begin = tf.constant(0), tf.constant(0.0, tf.float64)
        if count == 1:
            _, total = block(*begin)
        else:
            _, total = tf.while_loop(lambda j, _: j < count, block, begin, parallel_iterations=1)
        return total / rows

    def _row_losses(self, k, batch):
        logits = tf.cast(self._logits(k, batch), tf.float32)
        if self.scales is not None:
            logits = self.scales[1] * logits
            if "base" in batch:
                logits = logits + self.scales[0] * batch["base"]
        losses = self.head.loss(batch["y"], logits)
        return losses * batch["w"] if "w" in batch else losses

    def _logits(self, k, batch):
        member = self.members[k]
        features = member.feed(batch["x"], batch.get("hidden", {}))
        averages = [tf.convert_to_tensor(average) for average in self._kept[k].averages]
        if not averages:
            return member.model(features, training=False)["logits"]
        fixed = [variable.value for variable in member.model.non_trainable_variables]
        trained = self._packed[k].unpack(averages)
        outputs, _ = member.model.stateless_call(trained, fixed, features, training=False)
        return outputs["logits"]


@dataclasses.dataclass(frozen=True)
class _Kept:
    """Variables for the best weights of a member, and for the average of its weights."""

    trained: list[tf.Variable]
    fixed: list[tf.Variable]
    averages: list[tf.Variable]

    @classmethod
    def of(cls, packed, averaged):
        trained, fixed, averages = (
            [_variable(pack.read()) for pack in packs]
            for packs in (packed.trained, packed.fixed, packed.trained if averaged else ())
        )
        return cls(trained, fixed, averages)


def _variable(value):
    return tf.Variable(value, trainable=False)
