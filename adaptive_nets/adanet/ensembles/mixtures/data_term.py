"""`DataTerm`: the loss of weighed members over rows, and its gradient, piece by piece."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from adaptive_nets._pieces import pieces
from adaptive_nets.adanet.ensembles.mixtures.kinds import MixtureKind

Loss = Callable[[Any, Any], Any]


class DataTerm:
    """The mean loss of weighed members on rows, as a function of weights and bias.

    Only a piece of the rows is held in float64, so that a problem takes little more memory than the
    members' outputs.

    Args:
        term: Compiled functions, which all problems of one loss and kind share.
        h: Members' outputs as joined by the kind: an array or a `RowWise`.
        y: Encoded labels of `n` rows.
        base: `[n, units]` fixed part of the logits, an array or a `RowWise`; or `None`.
        weights: `[n]` row weights, or `None`.
        units: Number of logits.

    Attributes:
        pieces: Slices in which the rows are read.
    """

    def __init__(
        self,
        term: "CompiledTerm",
        h: Any,
        y: np.ndarray,
        base: Any,
        weights: np.ndarray | None,
        units: int,
    ):
        self._term, self._given, self._units = term, (h, y, base, weights), units
        each = int(np.prod(np.shape(h[:1]))) + 2 * units
        self.rows = len(y)
        self.pieces = list(pieces(self.rows, each))
        self._whole = self._piece(slice(None)) if len(self.pieces) == 1 else None
        self._functions = {}

    def sample(self, step: int) -> "DataTerm":
        """Returns the term on every `step`-th row."""
        parts = (None if a is None else a[::step] for a in self._given)
        return DataTerm(self._term, *parts, self._units)

    def value(self, w: np.ndarray, b: np.ndarray) -> float:
        """Returns the mean loss."""
        return self._sum("value", w, b)[0]

    def gradient(self, w: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Returns the mean loss and its gradients in the weights and in the bias."""
        return self._sum("gradient", w, b)

    def _sum(self, name, w, b):
        given = tf.constant(w), tf.constant(b)
        total = None
        for rows in self.pieces:
            piece = self._whole or self._piece(rows)
            if name not in self._functions:
                self._functions[name] = self._term.function(name, *piece, *given)
            found = [part.numpy() for part in self._functions[name](*piece, *given)]
            total = found if total is None else [a + b for a, b in zip(total, found, strict=True)]
        return [part / self.rows for part in total]

    def _piece(self, rows):
        h, y, base, v = (None if a is None else a[rows] for a in self._given)
        y = np.asarray(y)
        return (
            tf.constant(np.asarray(h)),
            tf.constant(y, tf.float64) if y.dtype.kind == "f" else tf.constant(y),
            tf.constant(np.zeros((1, self._units)) if base is None else base, tf.float64),
            tf.constant(np.ones(1) if v is None else v, tf.float64),
        )


class CompiledTerm:
    """The sum of the losses of a piece of the rows, and its gradient.

    The functions take any number of rows, members and units, so a search traces each once.

    Args:
        loss: Function `(labels, logits) -> [n]`, convex in the logits, `keras.ops` only.
        kind: The `MixtureKind`.

    Attributes:
        traces: How often each function was traced.
    """

    def __init__(self, loss: Loss, kind: MixtureKind):
        self.loss, self.kind = loss, kind
        self.traces = {"value": 0, "gradient": 0}
        self._functions = {
            name: tf.function(function, reduce_retracing=True, autograph=False)
            for name, function in (("value", self._value), ("gradient", self._gradient))
        }

    def function(self, name: str, *piece: tf.Tensor) -> Callable[..., tuple[tf.Tensor, ...]]:
        """Returns the compiled function for pieces like one.

        Args:
            name: `"value"`: the sum; or `"gradient"`: the sum and its gradients in the weights and
                in the bias.
            *piece: Outputs, labels, base, row weights, weights and bias.
        """
        specs = [tf.TensorSpec([None] * a.shape.rank, a.dtype) for a in piece]
        return self._functions[name].get_concrete_function(*specs)

    def _value(self, *piece):
        self.traces["value"] += 1
        return (self._sum(*piece),)

    def _gradient(self, h, y, base, v, w, b):
        self.traces["gradient"] += 1
        with tf.GradientTape() as tape:
            tape.watch([w, b])
            total = self._sum(h, y, base, v, w, b)
        return (total, *tape.gradient(total, [w, b]))

    def _sum(self, h, y, base, v, w, b):
        logits = base + self.kind.combine(tf.cast(h, tf.float64), w) + b
        return tf.reduce_sum(v * self.loss(y, logits))
