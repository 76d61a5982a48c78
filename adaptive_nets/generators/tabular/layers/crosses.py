"""Pairs of columns as categories: what a wide linear model reads."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

PRIME = 31_337

register = keras.saving.register_keras_serializable(package="adaptive_nets")


@register
class Buckets(keras.layers.Layer):
    """Turns numbers into categories: in which part of its column's range each one lies.

    Args:
        count: Largest number of parts of a column.

    Call arguments:
        inputs: `[rows, columns, bins]` of `Pieces`.

    Returns:
        `[rows, columns]` integers from 0 to `count - 1`.
    """

    def __init__(self, count: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.count = count

    def call(self, inputs: Any) -> Any:
        whole = ops.sum(ops.cast(inputs >= 1, "int32"), axis=-1)
        return whole * self.count // (inputs.shape[-1] + 1)

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(inputs.shape[:-1], dtype="int32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}


@register
class Crosses(keras.layers.Layer):
    """Sums a weight for each pair of values of two columns, for all pairs of columns.

    Pairs that have too many values share weights by a hash. Weights begin at zero.

    Args:
        sizes: Number of values of each column.
        units: Number of outputs.
        buckets: Most weights of a pair of columns. Defaults to 256.

    Call arguments:
        inputs: List of `[rows, columns]` integers, which are read side by side, as many as there
            are sizes. Those outside of a column's range are read as 1.

    Returns:
        `[rows, units]`.
    """

    def __init__(self, sizes: Sequence[int], units: int, buckets: int = 256, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.sizes, self.units, self.buckets = [int(size) for size in sizes], units, buckets

    def build(self, input_shape: Any) -> None:
        pairs = math.comb(len(self.sizes), 2)
        self.table = self.add_weight(
            shape=(pairs * self.buckets, self.units), initializer="zeros", name="embedding_table"
        )

    def call(self, inputs: Any) -> Any:
        sizes = np.array(self.sizes, "int32")
        first, second = np.array(list(itertools.combinations(range(len(sizes)), 2))).T
        ids = ops.concatenate([ops.cast(each, "int32") for each in inputs], axis=-1)
        ids = ids[:, : len(sizes)]
        ids = ops.where((ids < 0) | (ids >= sizes), 1, ids)
        values = ops.take(ids, first, axis=-1) * sizes[second] + ops.take(ids, second, axis=-1)
        # A prime factor spreads neighbours; pairs that fit keep a weight for each of their values.
        many = sizes[first].astype("int64") * sizes[second] > self.buckets
        places = ops.mod(ops.where(many, values * PRIME, values), self.buckets)
        places += np.arange(len(first), dtype="int32") * self.buckets
        found = ops.sum(ops.take(self.table, places, axis=0), axis=-2) / math.sqrt(len(first))
        return ops.cast(found, self.compute_dtype)

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor((inputs[0].shape[0], self.units), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"sizes": self.sizes, "units": self.units, "buckets": self.buckets}
        return {**super().get_config(), **own}


@register
class ColumnSum(keras.layers.Layer):
    """Sums what columns say about each output, and adds a bias that begins at zero.

    Call arguments:
        inputs: List of `[rows, units]` and `[rows, columns, units]`.

    Returns:
        `[rows, units]`.
    """

    def build(self, input_shape: Any) -> None:
        self.bias = self.add_weight(shape=input_shape[0][-1:], initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        summed = [x if len(x.shape) == 2 else ops.sum(x, axis=1) for x in inputs]
        return sum(summed[1:], summed[0]) + self.bias

    def compute_output_spec(self, inputs: Any) -> Any:
        shape = (inputs[0].shape[0], inputs[0].shape[-1])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
