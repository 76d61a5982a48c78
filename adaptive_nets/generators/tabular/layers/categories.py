"""Categories: embeddings of many columns in one table, one-hot vectors, bags of tokens."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets.generators.tabular.layers.statistics import StatisticsLayer

register = keras.saving.register_keras_serializable(package="adaptive_nets")

# Slots of a column of categories that need not occur in training: missing, unseen, rare.
SLOTS = 3


class _Categories(keras.layers.Layer):
    """Reads columns of categories as rows of one table.

    Args:
        sizes: Number of values of each column, with the slots 0 (missing), 1 (unseen) and
            2 (rare).
        stand_ins: For each column, the value that each of the three slots is read as, or -1 for
            none, whose row is zero: what training has not seen has no weights of its own.
        columns: Numbers of the columns to read. Defaults to `None`: all.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        stand_ins: Sequence[Sequence[int]],
        columns: Sequence[int] | None = None,
        **kwargs: Any,
    ):
        # Numbers of values are not numbers to compute with.
        super().__init__(autocast=False, **kwargs)
        self.columns = None if columns is None else [int(column) for column in columns]
        self.sizes = [int(size) for size in sizes]
        self.stand_ins = [[int(slot) for slot in each] for each in stand_ins]

    def values(self, inputs: Any) -> Any:
        """Returns what each value is read as; -1 for nothing."""
        sizes = np.array(self.sizes, "int32")
        ids = ops.cast(inputs, "int32")
        if self.columns is not None:
            ids = ops.take(ids, self.columns, axis=-1)
        ids = ops.where((ids < 0) | (ids >= sizes), 1, ids)
        given = np.array(self.stand_ins, "int32").reshape(-1)
        slots = SLOTS * np.arange(len(sizes), dtype="int32") + ops.minimum(ids, SLOTS - 1)
        return ops.where(ids < SLOTS, ops.take(ops.convert_to_tensor(given), slots), ids)

    def get_config(self) -> dict[str, Any]:
        own = {"sizes": self.sizes, "stand_ins": self.stand_ins, "columns": self.columns}
        return {**super().get_config(), **own}


@register
class CategoryEmbedding(_Categories):
    """Embeds columns of categories, all in one table.

    Args:
        sizes: Number of values of each column. Larger ones are read as 1, unseen.
        stand_ins: For each column, the values that 0, 1 and 2 are read as; -1 for zeros.
        units: Size of an embedding.
        scale: Standard deviation of the first embeddings. Defaults to 1.
        columns: Numbers of the columns to read. Defaults to `None`: all.
        rate: Factor on the learning rate of the embeddings, exact for optimizers such as Adam whose
            steps do not depend on the gradient's size. Defaults to 1.

    Call arguments:
        inputs: `[rows, columns]` integers.

    Returns:
        `[rows, columns, units]`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        stand_ins: Sequence[Sequence[int]],
        units: int,
        scale: float = 1.0,
        columns: Sequence[int] | None = None,
        rate: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(sizes, stand_ins, columns, **kwargs)
        self.units, self.scale, self.rate = units, scale, rate

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        normal = keras.initializers.RandomNormal(stddev=self.scale / self.rate)
        self.table = self.add_weight(
            shape=(sum(self.sizes), self.units), initializer=normal, name="embedding_table"
        )

    def call(self, inputs: Any) -> Any:
        ids = self.values(inputs)
        starts = np.cumsum([0, *self.sizes[:-1]], dtype="int32")
        found = ops.take(self.table, ops.maximum(ids, 0) + starts, axis=0)
        known = self.rate * ops.cast(ids >= 0, self.compute_dtype)
        return ops.cast(found, self.compute_dtype) * known[..., None]

    def compute_output_spec(self, inputs: Any) -> Any:
        shape = (inputs.shape[0], len(self.sizes), self.units)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "scale": self.scale, "rate": self.rate}
        return {**super().get_config(), **own}


@register
class OneHot(_Categories):
    """Encodes columns of categories as 0 and 1, side by side.

    Call arguments:
        inputs: `[rows, columns]` integers.

    Returns:
        `[rows, sum(sizes)]`.
    """

    def call(self, inputs: Any) -> Any:
        # Each output compares its own column with its own value.
        columns = np.repeat(np.arange(len(self.sizes)), self.sizes)
        values = np.concatenate([np.arange(size) for size in self.sizes]).astype("int32")
        given = ops.take(self.values(inputs), columns, axis=-1)
        return ops.cast(given == values, self.compute_dtype)

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor((inputs.shape[0], sum(self.sizes)), dtype=self.compute_dtype)


@register
class TokenBag(StatisticsLayer):
    """Embeds texts by the mean of their tokens' embeddings.

    Args:
        size: Number of ids, with the padding 0. Larger ones are read as padding.
        kept: Number of ids that have an embedding. The others are read as padding: training has
            seen too little of them.
        units: Size of an embedding.
        places: `[size]` the place of each id's embedding, from 1; 0 where it has none. Defaults to
            `None`: they are still to be loaded.
        scale: Standard deviation of the first embeddings. Defaults to 0.1.

    Call arguments:
        inputs: `[rows, texts, length]` integers, 0 for padding.

    Returns:
        `[rows, texts, units]`, zeros for an empty text.
    """

    def __init__(
        self,
        size: int,
        kept: int,
        units: int,
        places: Any | None = None,
        scale: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.size, self.kept, self.units, self.given = size, kept, units, places
        self.scale = scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.places = self.add_statistic("places", (self.size,), self.given)
        normal = keras.initializers.RandomNormal(stddev=self.scale)
        self.table = self.add_weight(
            shape=(self.kept + 1, self.units), initializer=normal, name="embedding_table"
        )

    def call(self, inputs: Any) -> Any:
        ids = ops.cast(inputs, "int32")
        ids = ops.where((ids > 0) & (ids < self.size), ids, 0)
        places = ops.cast(ops.take(ops.convert_to_tensor(self.places), ids, axis=0), "int32")
        found = ops.take(self.table, places, axis=0)
        counted = ops.cast(places > 0, found.dtype)[..., None]
        total, count = ops.sum(found * counted, axis=-2), ops.sum(counted, axis=-2)
        return ops.cast(total / ops.maximum(count, 1.0), self.compute_dtype)

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor((*inputs.shape[:-1], self.units), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        sizes = {"size": self.size, "kept": self.kept, "units": self.units}
        return {**super().get_config(), **sizes, "scale": self.scale}
