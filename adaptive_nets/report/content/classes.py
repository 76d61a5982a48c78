"""How well classes are predicted: confusion, curves, calibration."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets.report.content.document import Block, Chart, Section, Table, Text

# With more classes, those with the most rows are shown.
_MOST_CLASSES, _MOST_CURVES = 15, 6
# Points of a curve, which is straight between them.
_POINTS, _BINS = 150, 15


def classes_section(
    codes: np.ndarray,
    probabilities: np.ndarray,
    names: Sequence[Any],
    weights: np.ndarray | None,
    told: str,
    chosen: np.ndarray | None = None,
    rule: Any = None,
) -> Section:
    """Returns a section on predicted classes.

    Args:
        codes: `[rows]` position of each row's class.
        probabilities: `[rows, classes]`.
        names: Names of the classes.
        weights: `[rows]` weights, or `None`.
        told: Which rows these are, as the end of a sentence.
        chosen: `[rows]` position of each predicted class. Defaults to `None`: the most probable.
        rule: What is predicted, as text says it. Defaults to `None`: the most probable class.
    """
    labels = distinct(names)
    w = np.ones(len(codes)) if weights is None else np.asarray(weights, "float64")
    p = np.asarray(probabilities, "float64")
    blocks: list[Block] = [Text(f"Measured on {told}.")]
    if rule is not None:
        said = str(rule)
        blocks.append(Text(f"{said[0].upper()}{said[1:]}."))
    chosen = p.argmax(axis=1) if chosen is None else chosen
    blocks += _confusion(codes, chosen, labels, w)
    blocks.append(Table("by_class", "Each class", _by_class(codes, chosen, labels, w)))
    present = np.bincount(codes, w, p.shape[1])
    # Of two classes one curve says it all.
    kept = [1] if len(labels) == 2 else np.argsort(-present, kind="stable")[:_MOST_CURVES].tolist()
    kept = [place for place in kept if 0 < present[place] < w.sum()]
    if kept:
        blocks += _curves(codes, p, labels, w, kept)
    blocks += _calibration(codes, p, w)
    if len(labels) == 2 and kept:
        blocks.append(_thresholds(codes, p[:, 1], labels[1], w))
    return Section("classes", "Classes: what is taken for what", tuple(blocks))


def distinct(names: Sequence[Any]) -> list[str]:
    """Returns names as text, which differs where they do.

    Args:
        names: Names of any type, such as `1` and `"1"`.
    """
    texts = [str(name) for name in names]
    return texts if len(set(texts)) == len(texts) else [repr(name) for name in names]


def _confusion(codes, chosen, labels, w) -> Iterator[Block]:
    """Yields the confusion matrix as counts and as shares of each true class."""
    count = len(labels)
    matrix = np.zeros((count, count))
    np.add.at(matrix, (codes, chosen), w)
    shown, names = matrix, labels
    if count > _MOST_CLASSES:
        largest = np.sort(np.argsort(-matrix.sum(axis=1), kind="stable")[: _MOST_CLASSES - 1])
        rest = np.setdiff1d(np.arange(count), largest)
        groups = [*([place] for place in largest), rest]
        rows = np.stack([matrix[each].sum(axis=0) for each in groups])
        shown = np.stack([rows[:, each].sum(axis=1) for each in groups], axis=1)
        names = [*(labels[place] for place in largest), f"{len(rest)} other classes"]
        yield Text(f"The {len(largest)} classes with the most rows are shown apart.")
    sums = shown.sum(axis=1, keepdims=True)
    shares = np.divide(shown, sums, out=np.zeros_like(shown), where=sums > 0)
    right = float(np.trace(matrix) / max(matrix.sum(), 1e-300))
    for name, values, what in (
        ("confusion", shown, "rows"),
        ("confusion_shares", shares, "shares of each true class"),
    ):
        frame = pd.DataFrame(
            {
                "row": np.repeat(names, len(names)),
                "column": np.tile(names, len(names)),
                "value": values.ravel(),
                "share": shares.ravel(),
            }
        )
        yield Chart(
            name,
            f"Confusion matrix, {what}",
            f"Matrix of {len(names)} true and predicted classes; {right:.1%} of the rows are "
            "predicted right.",
            frame,
            "cells",
            "predicted class",
            "true class",
        )


def _by_class(codes, chosen, labels, w):
    count = len(labels)
    true, taken = (np.bincount(each, w, count) for each in (codes, chosen))
    hits = np.bincount(codes, w * (codes == chosen), count)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = hits / taken, hits / true
        f1 = 2 * hits / (true + taken)
    return pd.DataFrame(
        {"class": labels, "rows": true, "predicted": taken, "precision": precision,
         "recall": recall, "f1": f1}
    )  # fmt: skip


def _curves(codes, p, labels, w, kept) -> Iterator[Block]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    roc, pr, gains, areas = [], [], [], []
    for place in kept:
        y = codes == place
        fpr, recall, precision, share = _ranked(y, p[:, place], w)
        area, average = (
            float(measure(y, p[:, place], sample_weight=w))
            for measure in (roc_auc_score, average_precision_score)
        )
        areas.append((labels[place], area, average, float(w[y].sum() / w.sum())))
        roc.append(_curve(fpr, recall, labels[place]))
        pr.append(_curve(recall[1:], precision[1:], labels[place]))
        gains.append(_curve(share, recall, labels[place]))
    said = "; ".join(f"{name}: {area:.3f}" for name, area, _, _ in areas)
    frame = pd.DataFrame(areas, columns=["class", "roc_auc", "average_precision", "share"])
    yield Table("areas", "Areas under the curves", frame)
    for name, title, frames, alt, x, y, diagonal in (
        ("roc", "ROC curve", roc, f"ROC curves. Areas below them: {said}.",
         "false positive rate", "true positive rate", True),
        ("precision_recall", "Precision and recall", pr,
         "Precision falls as recall rises. Average precision: "
         + "; ".join(f"{name}: {value:.3f}" for name, _, value, _ in areas) + ".",
         "recall", "precision", False),
        ("gains", "Cumulative gains", gains,
         "Share of a class that is found among the rows that are most likely of it.",
         "share of the rows, most likely first", "share of the class found", True),
    ):  # fmt: skip
        yield Chart(name, title, alt, pd.concat(frames), "lines", x, y, diagonal, zero=True)


def _ranked(y, score, w):
    """Returns false positive rate, recall, precision and share of rows by falling score."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    hits = np.append(0.0, np.cumsum((w * y)[order])[ends])
    false = np.append(0.0, np.cumsum((w * ~y)[order])[ends])
    taken = hits + false
    precision = np.divide(hits, taken, out=np.ones_like(hits), where=taken > 0)
    return false / false[-1], hits / hits[-1], precision, taken / taken[-1]


def _curve(x, y, name):
    if len(x) > _POINTS:
        # Evenly along the curve and not by rows, which crowd at one end.
        along = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], _POINTS)))
        kept = np.unique(np.append(kept, len(x) - 1))
        x, y = x[kept], y[kept]
    return pd.DataFrame({"x": x, "y": y, "series": name})


def _calibration(codes, p, w) -> Iterator[Block]:
    """Yields how often the predicted class is right, by how sure the model is."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == codes
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    mass = np.bincount(place, w, _BINS)
    kept = mass > 0
    sure, often = (
        np.bincount(place, w * each, _BINS)[kept] / mass[kept] for each in (confidence, right)
    )
    error = float((mass[kept] * np.abs(sure - often)).sum() / w.sum())
    frame = pd.DataFrame({"x": sure, "y": often, "weight": mass[kept]})
    yield Chart(
        "calibration",
        f"Calibration: expected calibration error {error:.4f}",
        "How often the predicted class is right against its probability, over "
        f"{kept.sum()} bins. The expected calibration error is {error:.4f}.",
        frame,
        "lines",
        "probability of the predicted class",
        "share of rows where it is right",
        diagonal=True,
    )


def _thresholds(codes, score, name, w) -> Chart:
    """Returns what becomes of precision, recall and F1 with another threshold than 0.5."""
    y = codes == 1
    rows = []
    for threshold in np.linspace(0.02, 0.98, 49):
        taken = score >= threshold
        hits, count, true = (w * (taken & y)).sum(), (w * taken).sum(), (w * y).sum()
        rows.append((threshold, hits / count if count else np.nan, "precision"))
        rows.append((threshold, hits / true, "recall"))
        rows.append((threshold, 2 * hits / (count + true), "F1"))
        rows.append((threshold, count / w.sum(), f"share predicted {name}"))
    frame = pd.DataFrame(rows, columns=["x", "y", "series"])
    f1 = frame[frame["series"] == "F1"]
    best = f1.loc[f1["y"].idxmax()]
    return Chart(
        "thresholds",
        f"Thresholds of {name}",
        f"Precision, recall and F1 by threshold. F1 is highest, {best['y']:.3f}, at "
        f"{best['x']:.2f}.",
        frame,
        "lines",
        f"least probability at which a row is predicted {name}",
        "",
        zero=True,
    )
