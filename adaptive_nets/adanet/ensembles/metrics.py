"""Losses and metrics of logits."""

import keras
import numpy as np

from adaptive_nets._pieces import RowWise, pieces
from adaptive_nets.data.rows import Rows
from adaptive_nets.heads import Head


def mean_loss(head: Head, logits: np.ndarray | RowWise, rows: Rows) -> float:
    """Returns the weighted mean of the head's loss, in float64."""
    return _measure(head, logits, rows, {})["loss"]


def evaluate_logits(head: Head, logits: np.ndarray | RowWise, rows: Rows) -> dict[str, float]:
    """Returns the loss and all of the head's metrics for logits, which are read piece by piece."""
    return _measure(head, logits, rows, head.metrics())


def _measure(head, logits, rows, metrics):
    losses = np.empty(len(rows))
    for some in pieces(len(rows), head.units):
        piece, labels = np.asarray(logits[some]), rows.y[some]
        weights = None if rows.w is None else rows.w[some]
        loss = keras.ops.convert_to_numpy(head.loss(labels, piece.astype("float64")))
        losses[some] = loss if weights is None else loss * weights
        for metric in metrics.values():
            metric.update_state(labels, piece.astype("float32"), sample_weight=weights)
    found = {name: float(metric.result()) for name, metric in metrics.items()}
    return {"loss": float(np.mean(losses)), **found}
