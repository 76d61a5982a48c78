"""The linear model on encoded columns: a baseline, and what is served if time allows no more."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge, TweedieRegressor
from threadpoolctl import threadpool_limits

from adaptive_nets.graphs.unique_names import named_model

# A number counts as less and less beyond a few scales: x / sqrt(1 + (x / 3)²).
_CLIP = 3.0
_DENSE, _CODED = ("numbers", "missing"), ("categories", "tokens")


@dataclasses.dataclass(frozen=True)
class LinearColumns:
    """How encoded columns become the columns of a linear model.

    Numbers are clipped smoothly; every value of a category and every token has a weight.

    Args:
        sizes: By key of coded columns, the number of values of each column; tokens share one.
    """

    sizes: dict[str, list[int]]

    @classmethod
    def learn(cls, encoded: Mapping[str, np.ndarray]) -> "LinearColumns":
        """Learns which values occur in the training rows."""
        sizes = {}
        if "categories" in encoded:
            # A value that does not occur is read as 1, "unseen".
            sizes["categories"] = (np.maximum(encoded["categories"].max(axis=0), 1) + 1).tolist()
        if "tokens" in encoded:
            sizes["tokens"] = [int(encoded["tokens"].max()) + 1]
        return cls(sizes)

    def matrix(self, encoded: Mapping[str, np.ndarray]) -> Any:
        """Returns encoded rows as a matrix: dense, or sparse where there are coded columns."""
        parts = [np.asarray(encoded[key], "float64") for key in _DENSE if key in encoded]
        if "numbers" in encoded:
            parts[0] = parts[0] / np.sqrt(1 + (parts[0] / _CLIP) ** 2)
        rows = len(next(iter(encoded.values())))
        dense = np.concatenate(parts, axis=1) if parts else np.zeros((rows, 0))
        if not self.sizes:
            return dense
        ids = self.ids(encoded, np)
        width = ids.shape[1]
        ones = np.ones(ids.size)
        bounds = np.arange(0, ids.size + 1, width)
        coded = sparse.csr_matrix((ones, ids.ravel(), bounds), (rows, self.count))
        coded.sum_duplicates()
        return sparse.hstack([sparse.csr_matrix(dense), coded], format="csr")

    @property
    def count(self) -> int:
        """Weights of all coded columns."""
        return sum(sum(sizes) for sizes in self.sizes.values())

    def ids(self, encoded: Mapping[str, Any], library: Any) -> Any:
        """Returns the number of each coded value among all weights of coded columns."""
        start, found = 0, []
        for key, sizes in self.sizes.items():
            codes = encoded[key]
            if key == "tokens":
                codes = library.reshape(codes, (-1, int(np.prod(codes.shape[1:]))))
            limits = np.array(sizes, "int32")
            offsets = np.array(start + np.cumsum(limits) - limits, "int32")
            found.append(library.where(codes < limits, codes, library.ones_like(codes)) + offsets)
            start += int(limits.sum())
        return found[0] if len(found) == 1 else library.concatenate(found, axis=1)


@dataclasses.dataclass(frozen=True)
class LinearModel:
    """A linear model of encoded columns.

    Args:
        columns: Its `LinearColumns`.
        weights: `[columns, units]`.
        bias: `[units]`.
    """

    columns: LinearColumns
    weights: np.ndarray
    bias: np.ndarray

    @classmethod
    def fit(
        cls,
        encoded: Mapping[str, np.ndarray],
        y: np.ndarray,
        weights: np.ndarray | None,
        classes: int | None,
        columns: LinearColumns | None = None,
        power: float = 0.0,
        levels: tuple[float, ...] | None = None,
    ) -> "LinearModel":
        """Fits a logistic or ridge regression, or a generalized linear model with a log link.

        Args:
            encoded: Encoded training rows.
            y: Class of each row, or numbers `[rows, targets]`.
            weights: `[rows]` weights, or `None`.
            classes: Number of classes, or `None` for numbers.
            columns: The `LinearColumns` of all rows, if these are a part of them. Defaults to
                `None`: they are learnt from these rows.
            power: Of the mean, that the variance of numbers is in proportion to; the model then
                gives logarithms. Defaults to `0.0`: there is no link.
            levels: Levels of the quantiles to predict: those of the residuals, added to the mean.
                Defaults to `None`: the mean is predicted.
        """
        columns = columns or LinearColumns.learn(encoded)
        matrix = columns.matrix(encoded)
        # Values that do not occur have no weight.
        used = np.flatnonzero(abs(matrix).sum(axis=0))
        used = used if used.size else np.arange(1)
        kind = Ridge(alpha=1.0) if classes is None else LogisticRegression(max_iter=100)
        if power:
            y, kind = y[:, 0], TweedieRegressor(power=power, alpha=1.0 / len(y), link="log")
        # The vectors are short: threads would only wait for each other.
        with threadpool_limits(1), warnings.catch_warnings():
            # Its first iterations bring most; a baseline need not converge.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = kind.fit(matrix[:, used], y, weights)
        coefficients = np.atleast_2d(fitted.coef_).T
        units = 1 if classes == 2 else classes or coefficients.shape[1]
        # Classes without training rows have the lowest logit that is still harmless.
        found, bias = np.zeros((matrix.shape[1], units)), np.full(units, -20.0)
        places = fitted.classes_ if units > 1 and classes else np.arange(units)
        found[used[:, None], places] = coefficients
        bias[places] = np.ravel(fitted.intercept_)
        if levels:
            residuals = (y - np.asarray(matrix @ found) - bias)[:, 0]
            bias = bias + quantiles_of(residuals, weights, levels)
            found = np.repeat(found, len(levels), axis=1)
        return cls(columns, found, bias)

    def outputs(self, encoded: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns `[rows, units]` logits, or predicted numbers."""
        return np.asarray(self.columns.matrix(encoded) @ self.weights) + self.bias

    def in_unit(self, mean: np.ndarray, scale: np.ndarray) -> "LinearModel":
        """Returns the model of the same numbers less their mean, divided by their scale."""
        return LinearModel(self.columns, self.weights / scale, (self.bias - mean) / scale)

    def model(self, encoding: keras.Model) -> keras.Model:
        """Returns the model from raw columns to `outputs`.

        Args:
            encoding: The model from raw columns to encoded ones.
        """
        return named_model(encoding.input, self.logits(encoding.output), "linear")

    def logits(self, encoded: Any, trainable: bool = True) -> keras.KerasTensor:
        """Returns `outputs` of symbolic encoded columns.

        Args:
            encoded: Dict of KerasTensors.
            trainable: Whether the layers' weights are trainable. Defaults to `True`.
        """
        units, known = len(self.bias), {"trainable": trainable}
        split = len(self.weights) - self.columns.count
        numbers = [ops.cast(encoded[key], "float32") for key in _DENSE if key in encoded]
        if "numbers" in encoded:
            numbers[0] = numbers[0] / ops.sqrt(1.0 + ops.square(numbers[0] / _CLIP))
        parts = []
        if numbers:
            layer = keras.layers.Dense(units, use_bias=False, name="linear_numbers", **known)
            joined = numbers[0] if len(numbers) == 1 else ops.concatenate(numbers, axis=1)
            parts.append(layer(joined))
            layer.set_weights([self.weights[:split]])
        if self.columns.sizes:
            table = keras.layers.Embedding(self.columns.count, units, name="linear_values", **known)
            parts.append(ops.sum(table(self.columns.ids(encoded, ops)), axis=1))
            table.set_weights([self.weights[split:]])
        last = keras.layers.Dense(units, name="linear_bias", **known)
        outputs = last(parts[0] if len(parts) == 1 else ops.add(*parts))
        last.set_weights([np.eye(units), self.bias])
        return outputs


def quantiles_of(
    values: np.ndarray, weights: np.ndarray | None, levels: tuple[float, ...]
) -> np.ndarray:
    """Returns quantiles of weighted values.

    Args:
        values: `[rows]` numbers.
        weights: `[rows]` weights, or `None`.
        levels: Numbers between 0 and 1.
    """
    if weights is None:
        return np.quantile(values, levels)
    return np.quantile(values, levels, weights=weights, method="inverted_cdf")
