"""Numbers as pieces of their range: encoding, normal scores, embedding."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from adaptive_nets.generators.tabular.layers.statistics import StatisticsLayer

register = keras.saving.register_keras_serializable(package="adaptive_nets")


@register
class Pieces(StatisticsLayer):
    """Says how much of each piece of its column's range a number has passed.

    Column c is cut at edges `e_0 < e_1 < ... < e_m`. Piece j of a value x is
    `(x - e_j) / (e_{j + 1} - e_j)`, clamped to [0, 1]: 1 for pieces below x, 0 for those above.
    Columns with fewer pieces than others are padded with zeros. All columns are one operation.

    Args:
        bins: Largest number of pieces of a column.
        edges: `[columns, bins + 1]`, ascending in each row; repeated at the end for columns with
            fewer pieces. Defaults to `None`: a layer whose weights are loaded.
        columns: Numbers of the columns to read. Defaults to `None`: all.

    Call arguments:
        inputs: `[rows, columns]` numbers.

    Returns:
        `[rows, columns, bins]`, each in [0, 1], whatever finite or infinite number comes in.

    Reference: Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning",
    arXiv 2203.05556.
    """

    def __init__(
        self,
        bins: int,
        edges: Any | None = None,
        columns: Sequence[int] | None = None,
        **kwargs: Any,
    ):
        super().__init__(columns, **kwargs)
        self.bins, self.given = bins, edges

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (self.count(input_shape), self.bins + 1)
        self.edges = self.add_statistic("edges", shape, self.given)

    def call(self, inputs: Any) -> Any:
        edges = ops.convert_to_tensor(self.edges)
        starts, widths = edges[:, :-1], edges[:, 1:] - edges[:, :-1]
        x = ops.clip(self.read(inputs), edges[:, 0], edges[:, -1])
        passed = (x[..., None] - starts) / ops.where(widths > 0, widths, 1.0)
        return ops.cast(ops.clip(passed, 0.0, ops.cast(widths > 0, "float32")), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bins": self.bins}

    def compute_output_spec(self, inputs: Any) -> Any:
        shape = (inputs.shape[0], self.count(inputs.shape), self.bins)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@register
class PieceScores(StatisticsLayer):
    """Maps numbers to the normal quantiles of their ranks, through the pieces of `Pieces`.

    Args:
        scores: `[columns, bins + 1]`, the value at each edge. Defaults to `None`: a layer whose
            weights are loaded.

    Call arguments:
        inputs: `[rows, columns, bins]` of `Pieces`.

    Returns:
        `[rows, columns]`, linear between the edges and constant beyond the outer ones.
    """

    def __init__(self, scores: Any | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.given = scores

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        _, columns, bins = input_shape
        self.scores = self.add_statistic("scores", (columns, bins + 1), self.given)

    def call(self, inputs: Any) -> Any:
        scores = ops.cast(ops.convert_to_tensor(self.scores), inputs.dtype)
        return scores[:, 0] + ops.sum(inputs * (scores[:, 1:] - scores[:, :-1]), axis=-1)

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(inputs.shape[:-1], dtype=inputs.dtype)


@register
class PiecewiseLinear(keras.layers.Layer):
    """Embeds each number by a piecewise-linear function of its own: a linear part plus pieces.

    The weights of the pieces begin at zero, so that training starts from a linear map.

    Args:
        units: Size of each column's embedding.
        linear: Whether there is a linear part, with a bias. Without it, training starts from zero.
            Defaults to `True`.
        rate: Factor on the learning rate of these weights, exact for optimizers such as Adam whose
            steps do not depend on the gradient's size. Defaults to 1.

    Call arguments:
        inputs: A pair: `[rows, columns, bins]` of `Pieces`, and `[rows, columns]` numbers that the
            linear part reads.

    Returns:
        `[rows, columns, units]`.

    Reference: Gorishniy et al., "TabM", arXiv 2410.24210, for the linear part.
    """

    def __init__(self, units: int, linear: bool = True, rate: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.units, self.linear, self.rate = units, linear, rate

    def build(self, input_shape: Any) -> None:
        _, columns, bins = input_shape[0]
        self.pieces = self.add_weight(
            shape=(columns, bins, self.units), initializer="zeros", name="embedding_pieces"
        )
        if self.linear:
            around = keras.initializers.RandomUniform(-1 / self.rate, 1 / self.rate)
            shape = (columns, self.units)
            self.slope = self.add_weight(shape=shape, initializer=around, name="embedding_slope")
            self.bias = self.add_weight(shape=shape, initializer=around, name="embedding_bias")

    def call(self, inputs: Any) -> Any:
        pieces, numbers = inputs
        found = ops.einsum("bcj,cju->bcu", pieces, self.pieces)
        if self.linear:
            found += ops.cast(numbers, found.dtype)[..., None] * self.slope + self.bias
        return self.rate * found

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "linear": self.linear, "rate": self.rate}
        return {**super().get_config(), **own}
