"""`PackedWeights`: a network's weights as a few vectors, updated by few operations."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets.keras_internals import decays

# Their updates compute each number from its own gradient, wherever in a tensor it stands.
_ELEMENTWISE = frozenset((
    keras.optimizers.SGD, keras.optimizers.RMSprop, keras.optimizers.Adam, keras.optimizers.AdamW,
    keras.optimizers.Adadelta, keras.optimizers.Adagrad, keras.optimizers.Adamax,
    keras.optimizers.Nadam, keras.optimizers.Ftrl, keras.optimizers.Lion,
))  # fmt: skip
# Rows of these weights are looked up. Optimizers treat such sparse gradients in their own way.
_LOOKED_UP = ("embeddings", "embedding_table")


class Pack:
    """Variables of one dtype side by side in a vector; a single one keeps its shape.

    Args:
        variables: The `keras.Variable`s.
    """

    def __init__(self, variables: Sequence[keras.Variable]):
        self.variables = list(variables)
        self._shapes = [tuple(v.shape) for v in self.variables]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]

    def join(self, tensors: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns tensors of the variables' shapes as one."""
        if len(tensors) == 1:
            return tf.convert_to_tensor(tensors[0])
        flat = tf.constant([-1])
        return tf.concat([t if len(t.shape) == 1 else tf.reshape(t, flat) for t in tensors], 0)

    def split(self, tensor: tf.Tensor) -> list[tf.Tensor]:
        """Returns the parts of a tensor that `join` made."""
        if len(self.variables) == 1:
            return [tensor]
        parts = tf.split(tensor, self._sizes)
        return [
            part if len(shape) == 1 else tf.reshape(part, shape)
            for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def read(self) -> tf.Tensor:
        """Returns the variables' values."""
        return self.join([tf.convert_to_tensor(v.value) for v in self.variables])

    def write(self, tensor: tf.Tensor, chosen: Sequence[keras.Variable] | None = None) -> None:
        """Gives the variables the values of a tensor: all of them, or only the chosen ones."""
        wanted = {id(variable) for variable in (self.variables if chosen is None else chosen)}
        for variable, part in zip(self.variables, self.split(tensor), strict=True):
            if id(variable) in wanted:
                variable.value.assign(part)


class PackedWeights:
    """All weights of a network that trains, and the optimizer that updates them.

    The model's variables hold the weights at all times. While a compiled call runs, vectors hold
    the same numbers, so that an update takes as many operations for all weights as for one. Only
    weights whose update would not be the same are updated on their own: those with a constraint,
    those that are looked up, and all those of an optimizer that looks at a whole tensor.

    Args:
        model: The model.
        optimizer: Its optimizer, which is built.
        replicated: Whether several replicas train it together: nothing is packed then. Defaults
            to `False`.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        replicated: bool = False,
    ):
        self.model, self.optimizer = model, optimizer
        able = not replicated and _is_elementwise(optimizer)
        kinds = {
            id(v): (v.dtype, decays(optimizer, v)) if able and _is_plain(v) else id(v)
            for v in model.trainable_variables
        }
        self.trained = _packs(model.trainable_variables, kinds)
        fixed = model.non_trainable_variables
        self.fixed = _packs(fixed, {id(v): id(v) if replicated else v.dtype for v in fixed})
        self.vectors = [_vector(pack) for pack in self.trained]
        if able and optimizer.weight_decay is not None:
            pairs = zip(self.vectors, self.trained, strict=True)
            still = [vector for vector, p in pairs if not decays(optimizer, p.variables[0])]
            optimizer.exclude_from_weight_decay(var_list=still)
        optimizer.build(self.vectors)

    def begin(self) -> None:
        """Brings the vectors to the model's weights, before the first step of a call."""
        for vector, pack in zip(self.vectors, self.trained, strict=True):
            if len(pack.variables) > 1:
                vector.value.assign(pack.read())

    def apply(self, gradients: Sequence[tf.Tensor | tf.IndexedSlices | None]) -> None:
        """Updates the weights.

        Args:
            gradients: Those of the model's trainable variables, in their order.
        """
        own = dict(zip(map(id, self.model.trainable_variables), gradients, strict=True))
        joined = [_joined(pack, [own[id(v)] for v in pack.variables]) for pack in self.trained]
        self.optimizer.apply(joined, self.vectors)
        for vector, pack in zip(self.vectors, self.trained, strict=True):
            if len(pack.variables) > 1:
                # What the loss does not read stays, also where weights decay.
                pack.write(vector.value, [v for v in pack.variables if own[id(v)] is not None])
                if any(own[id(v)] is None for v in pack.variables):
                    vector.value.assign(pack.read())

    def values(self) -> list[tf.Tensor]:
        """Returns the trained weights as they are within a call, one tensor for each vector."""
        return [tf.convert_to_tensor(vector.value) for vector in self.vectors]

    def unpack(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns tensors of the model's trainable variables, from one for each vector."""
        found = {
            id(variable): part
            for pack, tensor in zip(self.trained, tensors, strict=True)
            for variable, part in zip(pack.variables, pack.split(tensor), strict=True)
        }
        return [found[id(variable)] for variable in self.model.trainable_variables]


def _packs(variables, kinds):
    """Returns packs of the variables of each kind, in the order of their first ones."""
    groups = {}
    for variable in variables:
        groups.setdefault(kinds[id(variable)], []).append(variable)
    return [Pack(group) for group in groups.values()]


def _vector(pack):
    """Returns what the optimizer updates: a vector of the pack's weights, or its only one."""
    if len(pack.variables) == 1:
        return pack.variables[0]
    return keras.Variable(pack.read(), name="packed", dtype=pack.variables[0].dtype)


def _joined(pack, gradients):
    if len(gradients) == 1 or all(gradient is None for gradient in gradients):
        return gradients[0]
    return pack.join(
        [
            tf.zeros(v.shape, v.dtype) if gradient is None else tf.convert_to_tensor(gradient)
            for v, gradient in zip(pack.variables, gradients, strict=True)
        ]
    )


def _is_elementwise(optimizer):
    plain = optimizer.clipnorm is None and not optimizer.use_ema
    return plain and type(optimizer) in _ELEMENTWISE


def _is_plain(variable):
    return (
        variable.constraint is None
        and not variable.overwrite_with_gradient
        and variable.name not in _LOOKED_UP
    )
