"""k members in one network: scales and heads of their own over kernels that they share."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

register = keras.saving.register_keras_serializable(package="adaptive_nets")


@register
class ScaleEnsemble(keras.layers.Layer):
    """Multiplies features by scales of each member's own.

    Args:
        members: Number k of members.
        start: How scales begin: `"normal"`: drawn from N(0, 1); `"signs"`: -1 or 1; `"ones"`: all
            members alike. Defaults to `"ones"`.
        groups: Sizes of groups of neighbouring features that begin with one scale in common, as
            those of one column's embedding do. Defaults to `None`: every feature has its own.
        use_bias: Whether a bias of each member's own, 0 at first, is added. Defaults to `False`.

    Call arguments:
        inputs: `[rows, features]`, the same for all members, or `[rows, k, features]`.

    Returns:
        `[rows, k, features]`.

    Reference: Gorishniy et al., "TabM", arXiv 2410.24210.
    """

    def __init__(
        self,
        members: int,
        start: str = "ones",
        groups: Sequence[int] | None = None,
        use_bias: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.members, self.start, self.use_bias = members, start, use_bias
        self.groups = None if groups is None else [int(size) for size in groups]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (self.members, input_shape[-1])
        self.scale = self.add_weight(shape=shape, initializer=self._draw, name="member_scale")
        if self.use_bias:
            self.bias = self.add_weight(shape=shape, initializer="zeros", name="member_bias")

    def _draw(self, shape, dtype=None):
        groups = self.groups or [1] * shape[-1]
        drawn = keras.initializers.RandomNormal(stddev=1.0)((shape[0], len(groups)), dtype)
        if self.start == "signs":
            drawn = ops.where(drawn < 0, -ops.ones_like(drawn), ops.ones_like(drawn))
        elif self.start == "ones":
            drawn = ops.ones_like(drawn)
        return ops.repeat(drawn, ops.convert_to_tensor(groups, "int32"), axis=-1)

    def call(self, inputs: Any) -> Any:
        x = inputs if len(inputs.shape) == 3 else inputs[:, None, :]
        return x * self.scale + self.bias if self.use_bias else x * self.scale

    def compute_output_spec(self, inputs: Any) -> Any:
        shape = (inputs.shape[0], self.members, inputs.shape[-1])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"members": self.members, "start": self.start, "groups": self.groups}
        return {**super().get_config(), **own, "use_bias": self.use_bias}


@register
class MemberHeads(keras.layers.Layer):
    """A linear output layer of each member's own.

    Args:
        units: Number of outputs of a member.

    Call arguments:
        inputs: `[rows, k, features]`.

    Returns:
        `[rows, k, units]`.
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        _, members, features = input_shape
        bound = 1 / math.sqrt(features)
        even = keras.initializers.RandomUniform(-bound, bound)
        self.kernel = self.add_weight(
            shape=(members, features, self.units), initializer=even, name="kernel"
        )
        self.bias = self.add_weight(
            shape=(members, self.units), initializer="zeros", name="member_bias"
        )

    def call(self, inputs: Any) -> Any:
        return ops.einsum("bkf,kfu->bku", inputs, self.kernel) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
