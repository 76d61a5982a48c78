"""Numbers as pieces of their range: encoding, normal scores, embedding."""

from typing import Any

import keras
from keras import ops

from adaptive_nets.generators.tabular.layers.statistics import add_statistic

register = keras.saving.register_keras_serializable(package="adaptive_nets")


@register
class Pieces(keras.layers.Layer):
    """Says how much of each piece of its column's range a number has passed.

    Column c is cut at edges `e_0 < e_1 < ... < e_m`. Piece j of a value x is
    `(x - e_j) / (e_{j + 1} - e_j)`, clamped to [0, 1]: 1 for pieces below x, 0 for those above.
    Columns with fewer pieces than others are padded with zeros. All columns are one operation.

    Args:
        bins: Largest number of pieces of a column.
        edges: `[columns, bins + 1]`, ascending in each row; repeated at the end for columns with
            fewer pieces. Defaults to `None`: a layer whose weights are loaded.

    Call arguments:
        inputs: `[rows, columns]` numbers.

    Returns:
        `[rows, columns, bins]`, each in [0, 1], whatever finite or infinite number comes in.

    Reference: Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning",
    arXiv 2203.05556.
    """

    def __init__(self, bins: int, edges: Any | None = None, **kwargs: Any):
        # Half precision does not tell the edges of a column apart.
        super().__init__(autocast=False, **kwargs)
        self.bins, self.given = bins, edges

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (input_shape[-1], self.bins + 1)
        self.edges = add_statistic(self, "edges", shape, self.given)

    def call(self, inputs: Any) -> Any:
        edges = ops.convert_to_tensor(self.edges)
        starts, widths = edges[:, :-1], edges[:, 1:] - edges[:, :-1]
        x = ops.clip(ops.cast(inputs, "float32"), edges[:, 0], edges[:, -1])
        passed = (x[..., None] - starts) / ops.where(widths > 0, widths, 1.0)
        return ops.cast(ops.clip(passed, 0.0, ops.cast(widths > 0, "float32")), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bins": self.bins}

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor((*inputs.shape, self.bins), dtype=self.compute_dtype)


@register
class PieceScores(keras.layers.Layer):
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
        self.scores = add_statistic(self, "scores", (columns, bins + 1), self.given)

    def call(self, inputs: Any) -> Any:
        scores = ops.cast(ops.convert_to_tensor(self.scores), self.compute_dtype)
        return scores[:, 0] + ops.sum(inputs * (scores[:, 1:] - scores[:, :-1]), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@register
class PiecewiseLinear(keras.layers.Layer):
    """Embeds each number by a piecewise-linear function of its own: a linear part plus pieces.

    The weights of the pieces begin at zero, so that training starts from a linear map.

    Args:
        units: Size of each column's embedding.
        linear: Whether there is a linear part, with a bias. Without it, training starts from zero.
            Defaults to `True`.

    Call arguments:
        inputs: A pair: `[rows, columns, bins]` of `Pieces`, and `[rows, columns]` numbers that the
            linear part reads.

    Returns:
        `[rows, columns, units]`.

    Reference: Gorishniy et al., "TabM", arXiv 2410.24210, for the linear part.
    """

    def __init__(self, units: int, linear: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.units, self.linear = units, linear

    def build(self, input_shape: Any) -> None:
        _, columns, bins = input_shape[0]
        self.pieces = self.add_weight(
            shape=(columns, bins, self.units), initializer="zeros", name="embedding_pieces"
        )
        if self.linear:
            around = keras.initializers.RandomUniform(-1.0, 1.0)
            shape = (columns, self.units)
            self.slope = self.add_weight(shape=shape, initializer=around, name="embedding_slope")
            self.bias = self.add_weight(shape=shape, initializer=around, name="embedding_bias")

    def call(self, inputs: Any) -> Any:
        pieces, numbers = inputs
        found = ops.einsum("bcj,cju->bcu", pieces, self.pieces)
        if not self.linear:
            return found
        return found + ops.cast(numbers, found.dtype)[..., None] * self.slope + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "linear": self.linear}
