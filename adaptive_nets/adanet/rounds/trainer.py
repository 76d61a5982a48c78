"""`RoundTrainer`: trains all subnetworks of a round in one compiled function."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.rounds.folding.shared_trace import SharedTrace
from adaptive_nets.adanet.rounds.packed import PackedWeights
from adaptive_nets.distribute import share_of
from adaptive_nets.heads import Head
from adaptive_nets.keras_internals import drop_all_reduce, without_rewriting


def loss_scaled(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns the optimizer, with loss scaling if half precision needs it (like `compile`)."""
    half = keras.config.dtype_policy().name == "mixed_float16"
    if half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


class RoundTrainer:
    """The compiled training step of one round, of which a call runs many.

    Every subnetwork minimises the head's loss on `base_scale * base + logit_scale * logits`
    plus its own regularisation losses. `base` is the previous ensemble's output, so with both
    scales at 1 this is the data term of F_t (AdaNet, equation 8). Without a base, each
    subnetwork is trained on its own.

    Subnetworks share only the rows of a step. One that has diverged is switched off without
    affecting the others.

    If the current `tf.distribute` strategy has several replicas, each takes its share of a
    step's rows. Gradients are summed, so that steps equal those of one device on the whole batch.

    Args:
        members: `Member`s to be trained.
        optimizers: One new optimizer per member.
        head: The task's head.
        scales: `(base_scale, logit_scale)`. Defaults to `None`: the base is ignored.
        jit_compile: `True` or `False`. Defaults to `False`.
        groups: Number of the source that each member reads. Defaults to `None`: all read the first.
        kinds: For each member, a number that it shares with those that are alike, which have the
            same layers and optimizer, and are traced once. Defaults to `None`: none are alike.
        penalties: For each member, a function without arguments that returns a scalar tensor to
            add to its loss, or `None`. Defaults to `None`: no penalties.
        units: For each member, what its loss is measured in; its optimizer, penalty and
            regularisation see the loss in this unit. The losses that are returned are the head's
            own. Defaults to `None`: 1, as `keras.Model.fit` trains.
        rewritten: Whether TensorFlow rewrites the graph to be faster. Defaults to `True`.

    Attributes:
        alive: Whether each subnetwork is still being trained.
        best: `BestWeights` of a `WatchedTrainer`, else `None`.
        traces: How often the function has been traced.
    """

    def __init__(
        self,
        members: list[Member],
        optimizers: list[keras.optimizers.Optimizer],
        head: Head,
        scales: tuple[float, float] | None = None,
        jit_compile: bool = False,
        groups: Sequence[int] | None = None,
        penalties: Sequence[Callable[[], tf.Tensor] | None] | None = None,
        units: Sequence[float] | None = None,
        kinds: Sequence[int] | None = None,
        rewritten: bool = True,
    ):
        self.members, self.optimizers, self.head, self.scales = members, optimizers, head, scales
        self.units, self.best = units or [1.0] * len(members), None
        self.groups = groups or [0] * len(members)
        self.penalties = penalties or [None] * len(members)
        self.strategy = tf.distribute.get_strategy()
        self.replicas = self.strategy.num_replicas_in_sync
        self.packed = [
            PackedWeights(member.model, optimizer, self.replicas > 1)
            for member, optimizer in zip(members, optimizers, strict=True)
        ]
        for optimizer in optimizers:
            _without_all_reduce(optimizer)
        self.alive = np.ones(len(members), bool)
        self.stopped, self.measured = np.zeros(len(members), "int64"), None
        self.traces = 0
        self.kinds = range(len(members)) if kinds is None or self.replicas > 1 else kinds
        # Tensors that a step is given besides its rows.
        self._given: tuple[tf.Tensor, ...] = ()
        self._function = tf.function(self._run, jit_compile=jit_compile, autograph=False)
        self._rewritten = rewritten

    def run(
        self, sources: Sequence[dict], indices: Sequence[tf.Tensor], start: int, stop: int
    ) -> np.ndarray:
        """Runs steps `start` to `stop` of a chunk.

        Args:
            sources: Dicts of tensors, rows first: `x`, `y` and, if used, weights `w`, `base` and
                `hidden`, a dict of frozen members' outputs.
            indices: For each source, an int32 tensor `(chunk, batch)` with the rows of each step.
            start: First step within the chunk.
            stop: End of the steps, exclusive.

        Returns:
            float32 array `(stop - start, members)` of losses, NaN for steps not taken.
        """
        losses, alive = self._call(
            tuple(sources),
            tuple(indices),
            tf.constant(start),
            tf.constant(stop),
            tf.constant(self.alive),
        )
        self.alive = alive.numpy()
        return losses.numpy()[start:stop]

    def _call(self, *arguments):
        with contextlib.nullcontext() if self._rewritten else without_rewriting():
            return self._function(*arguments)

    def _run(self, sources, indices, start, stop, alive):
        self._begin()
        count, chunk = len(self.members), indices[0].shape[0]
        losses = tf.TensorArray(tf.float32, size=chunk, element_shape=(count,))
        losses = losses.unstack(tf.fill((chunk, count), float("nan")))

        def step(i, alive, losses):
            if self.replicas == 1:
                row = self._replica(sources, indices, i, alive)
            else:
                # Diverged subnetworks keep training: replicas cannot synchronise within a branch.
                shares = self.strategy.run(self._replica, (sources, indices, i, None))
                row = self.strategy.reduce("SUM", shares, axis=None)
                row = tf.where(alive, row, np.nan)
            return i + 1, alive & tf.math.is_finite(row), losses.write(i, row)

        _, alive, losses = tf.while_loop(
            lambda i, *_: i < stop, step, (start, alive, losses), parallel_iterations=1
        )
        return losses.stack(), alive

    def _shared(self, function):
        return SharedTrace(
            function, self.kinds, lambda k: [*self.variables(k), *self.packed[k].vectors]
        )

    def _begin(self):
        """Does what each call begins with."""
        self.traces += 1
        self._shared_step = self._shared(self._step_if)
        for packed in self.packed:
            packed.begin()

    def _replica(self, sources, indices, i, alive):
        """Runs one replica's share of step i of all subnetworks; returns its losses."""
        batches = [
            tf.nest.map_structure(lambda rows, own=own: tf.gather(rows, self._share(own[i])), each)
            for each, own in zip(sources, indices, strict=True)
        ]
        taken = []
        for k, group in enumerate(self.groups):
            if alive is None:
                loss = self._step(k, batches[group], *self._given)
            else:
                loss = self._shared_step(k, alive[k], batches[group], *self._given)
            taken.append(tf.cast(loss, tf.float32))
        return tf.stack(taken)

    def _share(self, rows):
        """Returns this replica's share of a step's rows."""
        if self.replicas == 1:
            return rows
        size = share_of(rows.shape[0], self.strategy)
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.slice(rows, [number * size], [size])

    def _step_if(self, k, alive, *given):
        return tf.cond(alive, lambda: self._step(k, *given), lambda: tf.constant(np.nan))

    def _step(self, k, batch):
        member, optimizer = self.members[k], self.optimizers[k]
        model, penalty = member.model, self.penalties[k]
        with tf.GradientTape() as tape:
            features = member.feed(batch["x"], batch.get("hidden", {}))
            per_row = self._losses(model(features, training=True), batch)
            if "w" in batch:
                per_row = per_row * batch["w"]
            loss = tf.reduce_mean(per_row)
            parts = [*model.losses, *([] if penalty is None else [penalty()])]
            relative = loss if self.units[k] == 1.0 else loss / self.units[k]
            total = tf.add_n([relative, *(tf.cast(part, tf.float32) for part in parts)])
            if self.replicas > 1:
                loss, total = loss / self.replicas, total / self.replicas
            scaled = optimizer.scale_loss(total)
        variables = model.trainable_variables
        if variables:
            gradients = tape.gradient(scaled, [v.value for v in variables])
            if self.replicas > 1 and isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                gradients = finite_together(gradients)
            self.packed[k].apply(gradients)
        return loss

    def _losses(self, outputs, batch):
        """Returns the loss of each row: of the logits, or the mean of those of several heads."""
        heads = outputs.get("heads")
        several = heads is not None
        logits = tf.cast(heads if several else outputs["logits"], tf.float32)
        if self.scales is not None:
            logits = self.scales[1] * logits
            if "base" in batch:
                base = self.scales[0] * batch["base"]
                logits = logits + (base[:, None] if several else base)
        if not several:
            return self.head.loss(batch["y"], logits)
        # All heads of all rows as one batch, which a loss takes at once.
        k, units = logits.shape[1:]
        each = self.head.loss(tf.repeat(batch["y"], k, axis=0), tf.reshape(logits, (-1, units)))
        return tf.reduce_mean(tf.reshape(each, (-1, k)), axis=1)

    def variables(self, k: int) -> list:
        """Returns all state of subnetwork k: weights, optimizer slots, what is kept of it."""
        kept = [] if self.best is None else self.best.variables(k)
        return [*self.members[k].model.variables, *self.optimizers[k].variables, *kept]


def finite_together(gradients: Sequence[Any]) -> list[Any]:
    """Returns a replica's gradients, or NaN if those of another replica have overflown.

    Keras skips a step if the first replica's gradients are not finite, and sums those of all
    replicas otherwise, whatever the others' are.

    Args:
        gradients: Tensors, `tf.IndexedSlices` or `None`, in a replica's context.
    """
    given = [g for g in gradients if g is not None]
    dense = [g.values if isinstance(g, tf.IndexedSlices) else g for g in given]
    finite = tf.reduce_all([True, *(tf.reduce_all(tf.math.is_finite(g)) for g in dense)])
    overflown = tf.distribute.get_replica_context().all_reduce(
        tf.distribute.ReduceOp.SUM, tf.where(finite, 0.0, 1.0)
    )
    spoil = tf.where(overflown > 0.0, np.nan, 0.0)

    def spoilt(part):
        wanted = part is not None and part.dtype.is_floating
        return part + tf.cast(spoil, part.dtype) if wanted else part

    return tf.nest.map_structure(spoilt, gradients, expand_composites=True)


def _without_all_reduce(optimizer):
    """Removes the all-reduce of an optimizer that runs on one replica.

    TensorFlow's all-reduce registers a custom gradient in a table that is never emptied, which
    would keep the graph of every round in memory.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return
    for one in (optimizer, getattr(optimizer, "inner_optimizer", None)):
        if one is not None:
            drop_all_reduce(one)
