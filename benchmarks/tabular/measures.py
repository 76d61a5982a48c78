"""How well predictions fit."""

import numpy as np
from sklearn import metrics

# No system is punished more for a class that it has never seen, or is too sure of.
LEAST = 1e-6


def measure(
    task: str, truth: np.ndarray, predicted: np.ndarray, classes: np.ndarray | None
) -> dict:
    """Losses and metrics of predictions.

    Args:
        task: `"binary"`, `"multiclass"` or `"regression"`.
        truth: Labels or values.
        predicted: Probabilities `[rows, classes]`, in the order of `classes`, or values.
        classes: All labels, sorted; `None` for a regression.

    Returns:
        `loss` (log loss in nats, or root mean squared error), which systems are compared by, and
        the task's other metrics.
    """
    if task == "regression":
        truth = np.asarray(truth, "float64")
        return {
            "loss": float(np.sqrt(np.mean((truth - predicted) ** 2))),
            "mae": float(np.mean(np.abs(truth - predicted))),
            "r2": float(metrics.r2_score(truth, predicted)),
        }
    places = np.searchsorted(classes, truth)
    clipped = np.clip(predicted, LEAST, 1.0)
    clipped = clipped / clipped.sum(axis=1, keepdims=True)
    found = {
        "loss": float(-np.mean(np.log(clipped[np.arange(len(places)), places]))),
        "accuracy": float(np.mean(predicted.argmax(axis=1) == places)),
    }
    if task == "binary":
        found["auc"] = float(metrics.roc_auc_score(places, predicted[:, 1]))
    return found


def in_order(predicted: np.ndarray, known: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Probabilities with a column for every class; 0 for those that training rows did not have."""
    found = np.zeros((len(predicted), len(classes)))
    found[:, np.searchsorted(classes, known)] = predicted
    return found
