"""How well numbers are predicted: against the true ones, residuals, intervals."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from adaptive_nets.report.content.document import Block, Chart, Section, Text, rounded

_MOST_POINTS, _BINS = 800, 30


def numbers_section(
    y: np.ndarray,
    predictions: np.ndarray,
    told: str,
    coverage: pd.DataFrame | None = None,
    names: list[str] | None = None,
) -> Section:
    """Returns a section on predicted numbers.

    Args:
        y: `[rows]` or `[rows, targets]` numbers.
        predictions: Of the same shape.
        told: Which rows these are, as the end of a sentence.
        coverage: A frame with `coverage`, `held` and `width` of intervals, or `None`.
        names: Names of the targets. Defaults to `None`: they are numbered.
    """
    y = np.asarray(y, "float64").reshape(len(y), -1)
    predictions = np.asarray(predictions, "float64").reshape(len(y), -1)
    count = y.shape[1]
    names = names or [f"target {k + 1}" for k in range(count)]
    blocks: list[Block] = [Text(f"Measured on {told}.")]
    blocks += _scatter(y, predictions, names)
    if coverage is not None:
        blocks += _coverage(coverage)
    return Section("numbers", "Numbers: how far predictions are off", tuple(blocks))


def _scatter(y, predictions, names) -> Iterator[Block]:
    rows = np.arange(len(y))
    if len(rows) > _MOST_POINTS // len(names):
        drawn = np.random.default_rng(0).permutation(len(rows))
        rows = np.sort(drawn[: _MOST_POINTS // len(names)])
    parts, off = [], []
    for k, name in enumerate(names):
        series = {"series": name} if len(names) > 1 else {}
        parts.append(pd.DataFrame({"x": predictions[rows, k], "y": y[rows, k], **series}))
        off.append(
            pd.DataFrame(
                {"x": predictions[rows, k], "y": y[rows, k] - predictions[rows, k], **series}
            )
        )
    residuals = y - predictions
    spread = np.abs(residuals).mean()
    shown = f" ({len(rows)} rows drawn at random)" if len(rows) < len(y) else ""
    yield Chart(
        "true_and_predicted",
        f"True against predicted{shown}",
        f"Points near the diagonal. The mean distance from it is {rounded(spread)}.",
        pd.concat(parts),
        "points",
        "predicted",
        "true",
        diagonal=True,
    )
    yield Chart(
        "residuals",
        f"Residuals against predicted{shown}",
        f"True minus predicted numbers; their mean is {rounded(residuals.mean())}.",
        pd.concat(off),
        "points",
        "predicted",
        "true minus predicted",
        level=0.0,
    )
    low, high = np.quantile(residuals, [0.005, 0.995])
    edges = np.histogram_bin_edges(residuals, _BINS, (low, high) if low < high else None)
    frames = []
    for k, name in enumerate(names):
        # What is beyond the ends is in the outer bins.
        inside = np.clip(residuals[:, k], edges[0], edges[-1])
        counts = np.histogram(inside, edges)[0]
        frame = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "count": counts})
        frames.append(frame.assign(series=name) if len(names) > 1 else frame)
    yield Chart(
        "residual_distribution",
        "Distribution of the residuals",
        f"Half of the residuals are between {rounded(np.quantile(residuals, 0.25))} and "
        f"{rounded(np.quantile(residuals, 0.75))}.",
        pd.concat(frames),
        "bins",
        "true minus predicted (outer bins hold all beyond them)",
        "rows",
    )


def _coverage(frame) -> Iterator[Block]:
    far = frame.loc[(frame["held"] - frame["coverage"]).abs().idxmax()]
    yield Chart(
        "interval_coverage",
        "Coverage of the intervals",
        f"Share of rows inside of intervals, by the share asked for. The largest difference: "
        f"{far['held']:.3f} for {far['coverage']:.2f}.",
        frame.rename(columns={"coverage": "x", "held": "y"}),
        "lines",
        "coverage asked for",
        "share of rows inside",
        diagonal=True,
    )
