"""Trains all of a round's subnetworks in one compiled function that runs many steps a call."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.member import Member, run_all
from adaptive_nets.adanet.storage import Spool
from adaptive_nets.distribute import share_of
from adaptive_nets.heads import Head

# Below this many steps XLA's compilation costs a CPU more than it saves; its programs also stay
# in memory to the process's end, some 10 MiB each.
XLA_STEPS = 3000


def prefers_xla(models: list[keras.Model], steps: int) -> bool:
    """Whether XLA is the faster compiler for these models on the devices at hand.

    XLA makes a small network's step three to four times as fast on a CPU, but takes about half
    a second longer to compile, and its CPU convolutions and recurrent loops are many times
    slower than TensorFlow's own kernels.

    Args:
        models: Models to be trained.
        steps: Steps they are trained for.
    """
    slow_on_cpu = (
        keras.layers.Conv1D,
        keras.layers.Conv2D,
        keras.layers.Conv3D,
        keras.layers.Conv1DTranspose,
        keras.layers.Conv2DTranspose,
        keras.layers.Conv3DTranspose,
        keras.layers.DepthwiseConv1D,
        keras.layers.DepthwiseConv2D,
        keras.layers.SeparableConv1D,
        keras.layers.SeparableConv2D,
        keras.layers.RNN,
    )
    accelerated = bool(tf.config.list_logical_devices("GPU"))
    if not accelerated and steps < XLA_STEPS:
        return False
    for model in models:
        for layer in model._flatten_layers(include_self=False):
            if not getattr(layer, "supports_jit", True):
                return False
            if not accelerated and isinstance(layer, slow_on_cpu):
                return False
        if any(tensor.dtype == "string" for tensor in keras.tree.flatten(model.inputs)):
            return False
    return True


def loss_scaled(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer, with loss scaling where half precision needs it (as `compile` does)."""
    half = keras.config.dtype_policy().name == "mixed_float16"
    if half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


class RoundTrainer:
    """The compiled training step of one round.

    Every subnetwork minimises the head's loss on `base_scale * base + logit_scale * logits`
    plus its own regularisation losses; `base` is the previous ensemble's output, so with both
    scales at 1 this is the data term of F_t (AdaNet, equation 8). Without a base each
    subnetwork is trained on its own.

    Subnetworks share a step's rows and nothing else: a diverged one is switched off without
    a trace in the others' arithmetic.

    Where the current `tf.distribute` strategy has several replicas, each takes its share of a
    step's rows; gradients are summed, so that steps are those of one device on the whole batch.

    Args:
        members: `Member`s to be trained.
        optimizers: One fresh optimizer a member.
        head: The task's head.
        scales: `(base_scale, logit_scale)`, or `None` to train independently of the base.
        jit_compile: `True` or `False`.
        groups: For each member, which of the sources it reads. Defaults to the first for all.
        penalties: For each member, a function of nothing that gives a scalar tensor to be added
            to its loss, or `None`.
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
    ):
        self.members, self.optimizers, self.head, self.scales = members, optimizers, head, scales
        self.groups = groups or [0] * len(members)
        self.penalties = penalties or [None] * len(members)
        for member, optimizer in zip(members, optimizers, strict=True):
            optimizer.build(member.model.trainable_variables)
            _reduce_nothing(optimizer)
        self.alive = np.ones(len(members), bool)
        self.traces = 0
        self.strategy = tf.distribute.get_strategy()
        self.replicas = self.strategy.num_replicas_in_sync
        self._function = tf.function(self._run, jit_compile=jit_compile, autograph=False)

    def run(
        self, sources: Sequence[dict], indices: Sequence[tf.Tensor], start: int, stop: int
    ) -> np.ndarray:
        """Runs steps `start` to `stop` of a chunk.

        Args:
            sources: Dicts of tensors, rows first: `x`, `y` and, where used, weights `w`, `base`
                and `hidden`, a dict of frozen members' outputs.
            indices: For each source an int32 tensor `(chunk, batch)`: the rows of each step.
            start: First step within the chunk.
            stop: One past the last.

        Returns:
            float32 array `(stop - start, members)` of losses; NaN for steps not taken.
        """
        losses, alive = self._function(
            tuple(sources),
            tuple(indices),
            tf.constant(start),
            tf.constant(stop),
            tf.constant(self.alive),
        )
        self.alive = alive.numpy()
        return losses.numpy()[start:stop]

    def _run(self, sources, indices, start, stop, alive):
        self.traces += 1
        count, chunk = len(self.members), indices[0].shape[0]
        losses = tf.TensorArray(tf.float32, size=chunk, element_shape=(count,))
        losses = losses.unstack(tf.fill((chunk, count), float("nan")))

        def step(i, alive, losses):
            if self.replicas == 1:
                row = self._replica(sources, indices, i, alive)
            else:
                # One that has diverged goes on for itself: replicas cannot meet within a branch.
                shares = self.strategy.run(self._replica, (sources, indices, i, None))
                row = self.strategy.reduce("SUM", shares, axis=None)
                row = tf.where(alive, row, np.nan)
            return i + 1, alive & tf.math.is_finite(row), losses.write(i, row)

        _, alive, losses = tf.while_loop(
            lambda i, *_: i < stop, step, (start, alive, losses), parallel_iterations=1
        )
        return losses.stack(), alive

    def _replica(self, sources, indices, i, alive):
        """One replica's share of step i of all subnetworks; its share of their losses."""
        batches = [
            tf.nest.map_structure(lambda rows, own=own: tf.gather(rows, self._share(own[i])), each)
            for each, own in zip(sources, indices, strict=True)
        ]
        taken = []
        for k, group in enumerate(self.groups):
            if alive is None:
                loss = self._step(k, batches[group])
            else:
                loss = tf.cond(
                    alive[k],
                    lambda k=k, group=group: self._step(k, batches[group]),
                    lambda: tf.constant(np.nan),
                )
            taken.append(tf.cast(loss, tf.float32))
        return tf.stack(taken)

    def _share(self, rows):
        """Of a step's rows those of this replica."""
        if self.replicas == 1:
            return rows
        size = share_of(rows.shape[0], self.strategy)
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.slice(rows, [number * size], [size])

    def _step(self, k, batch):
        member, optimizer = self.members[k], self.optimizers[k]
        model, penalty = member.model, self.penalties[k]
        with tf.GradientTape() as tape:
            features = member.feed(batch["x"], batch.get("hidden", {}))
            logits = tf.cast(model(features, training=True)["logits"], tf.float32)
            if self.scales is not None:
                logits = self.scales[1] * logits
                if "base" in batch:
                    logits = logits + self.scales[0] * batch["base"]
            per_row = self.head.loss(batch["y"], logits)
            if "w" in batch:
                per_row = per_row * batch["w"]
            loss = tf.reduce_mean(per_row)
            parts = [*model.losses, *([] if penalty is None else [penalty()])]
            total = tf.add_n([loss, *(tf.cast(part, tf.float32) for part in parts)])
            if self.replicas > 1:
                loss, total = loss / self.replicas, total / self.replicas
            scaled = optimizer.scale_loss(total)
        variables = model.trainable_variables
        if variables:
            gradients = tape.gradient(scaled, [v.value for v in variables])
            optimizer.apply(gradients, variables)
        return loss

    def variables(self, k: int) -> list:
        """All state of subnetwork k: weights, then optimizer slots."""
        return [*self.members[k].model.variables, *self.optimizers[k].variables]


def _reduce_nothing(optimizer):
    """Takes the all-reduce out of an optimizer that runs on one replica.

    TensorFlow's all-reduce registers a custom gradient in a table that is never emptied, which
    would keep the graph of every round in memory.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return
    for one in (optimizer, getattr(optimizer, "inner_optimizer", None)):
        if hasattr(one, "_all_reduce_sum_gradients"):
            one._all_reduce_sum_gradients = lambda grads_and_vars: grads_and_vars


class OutputFunction:
    """Inference of many subnetworks over rows, in blocks, traced once for all of them.

    Args:
        members: `Member`s, parents first.
        keys: Outputs to give: `"<member>.logits"`, `".last_layer"` or `".hidden_<k>"`.
        block: Rows at a time.
    """

    def __init__(self, members: Iterable[Member], keys: Iterable[str], block: int = 4096):
        self.members, self.keys, self.block = list(members), list(keys), block
        self.traces = 0
        self._function = tf.function(self._call, reduce_retracing=True, autograph=False)

    def _call(self, inputs):
        self.traces += 1
        known = run_all(self.members, inputs["x"], inputs["known"], training=False)
        return {key: tf.cast(known[key], tf.float32) for key in self.keys}

    def __call__(
        self, x: Any, make_store: Callable[[], Spool], known: dict[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """Runs all models over all rows.

        Args:
            x: Features, rows first.
            make_store: Function that returns an empty `Spool`.
            known: What the members read of others, by key.

        Returns:
            float32 arrays by key.
        """
        inputs = {"x": x, "known": known or {}}
        signature = keras.tree.map_structure(
            lambda a: tf.TensorSpec((None, *a.shape[1:]), tf.as_dtype(a.dtype)), inputs
        )
        function = self._function.get_concrete_function(signature)
        return run_in_blocks(function, inputs, self.block, make_store)


def run_in_blocks(function: Callable, x: Any, block: int, make_store: Callable[[], Spool]) -> Any:
    """Runs a function over rows, some at a time.

    Args:
        function: From features as tensors to tensors of as many rows, nested in any way.
        x: Features, rows first.
        block: Rows at a time.
        make_store: Function that returns an empty `Spool`.

    Returns:
        Arrays of all rows, nested as the function's tensors are.
    """
    spools = None
    for start in range(0, len(keras.tree.flatten(x)[0]), block):
        piece = keras.tree.map_structure(
            lambda a, s=start: tf.convert_to_tensor(np.asarray(a[s : s + block])), x
        )
        out = function(piece)
        if spools is None:
            spools = keras.tree.map_structure(lambda _: make_store(), out)
        for spool, tensor in zip(keras.tree.flatten(spools), keras.tree.flatten(out), strict=True):
            spool.append(tensor.numpy())
    return keras.tree.map_structure(lambda spool: spool.close(), spools)
