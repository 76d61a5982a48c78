"""Losses and metrics of logits."""

import keras
import numpy as np

from adaptive_nets.data.rows import Rows
from adaptive_nets.heads import Head


def mean_loss(head: Head, logits: np.ndarray, rows: Rows) -> float:
    """Returns the weighted mean of the head's loss, in float64."""
    loss = keras.ops.convert_to_numpy(head.loss(rows.y, np.asarray(logits, "float64")))
    return float(np.mean(loss if rows.w is None else loss * rows.w))


def evaluate_logits(head: Head, logits: np.ndarray, rows: Rows) -> dict:
    """Returns the loss and all of the head's metrics for logits."""
    measured = {"loss": mean_loss(head, logits, rows)}
    logits = np.asarray(logits, "float32")
    for name, metric in head.metrics().items():
        metric.update_state(rows.y, logits, sample_weight=rows.w)
        measured[name] = float(metric.result())
    return measured
