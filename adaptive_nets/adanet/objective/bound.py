"""AdaNet's guarantee: a bound on the error of an ensemble on unseen data (theorem 1)."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from adaptive_nets._checks import check_number, show
from adaptive_nets._shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class GeneralizationBound(Shown):
    """The bound of theorem 1, term by term. `str` formats it as a table.

    Args:
        margin_loss: (Weighted) share of the rows with `y f(x) <= ρ`.
        layer_terms: `(4/ρ) ||w_k||_1 R(H_k)` of each layer k.
        depth_term: `(2/ρ) sqrt(log l / m)`.
        confidence_term: `C(ρ, l, m, δ)`.
        norms: `||w_k||_1` of each layer, normalised to sum to 1.
        complexities: `R(H_k)` of each layer, for outputs in [-1, 1].
        rows: m.
        depth: l.
        delta: Probability with which the bound may fail.
        rho: The margin.
        largest_output: The divisor of the hypotheses. Defaults to 1.
        enforced: Whether all weights kept the norm bounds of the complexities. Defaults to `False`.
    """

    margin_loss: float
    layer_terms: tuple[float, ...]
    depth_term: float
    confidence_term: float
    norms: tuple[float, ...]
    complexities: tuple[float, ...]
    rows: int
    depth: int
    delta: float
    rho: float
    largest_output: float = 1.0
    enforced: bool = False

    @property
    def value(self) -> float:
        """The sum of the terms, which bounds the probability of an error if it is below 1."""
        return self.margin_loss + sum(self.layer_terms) + self.depth_term + self.confidence_term

    @property
    def void(self) -> bool:
        """Whether the bound is void: it is at least 1, as every probability is at most 1."""
        return self.value >= 1

    def as_frame(self) -> "pd.DataFrame":
        """Returns the terms and their sum as a `pandas.DataFrame` with `term` and `value`."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=["term", "value"])

    def _parts(self) -> list[str]:
        lines = [
            f"Theorem 1 of AdaNet: m = {self.rows} rows, l = {self.depth} layers, "
            f"rho = {self.rho:g}, delta = {self.delta:g}"
        ]
        lines += [f"  {term:<62} {value:10.4g}" for term, value in self._rows()]
        if self.void:
            lines.append("  Void: a probability is at most 1. More rows or a larger rho lower it.")
        lines.append(
            "  The weights kept their norm bounds."
            if self.enforced
            else "  It holds only for weights within the norm bounds, which were not enforced."
        )
        if self.largest_output != 1:
            lines.append(
                f"  Outputs are divided by {self.largest_output:.4g}, so that they lie in [-1, 1]."
            )
        return lines

    def _rows(self):
        layers = [
            (f"layer {k}: (4/rho) |w_{k}|_1 R(H_{k}), |w_{k}|_1 = {norm:.4g}, R = {r:.4g}", term)
            for k, (norm, r, term) in enumerate(
                zip(self.norms, self.complexities, self.layer_terms, strict=True), start=1
            )
        ]
        return [
            ("margin loss: share of rows with y f(x) <= rho", self.margin_loss),
            *layers,
            ("number of layers: (2/rho) sqrt(log l / m)", self.depth_term),
            ("confidence: C(rho, l, m, delta)", self.confidence_term),
            ("bound on the probability of an error", self.value),
        ]


def theorem_1(
    margins: np.ndarray,
    norms: Sequence[float],
    complexities: Sequence[float],
    depth: int,
    rows: int,
    delta: float = 0.05,
    rho: float = 0.1,
    *,
    weights: np.ndarray | None = None,
    largest_output: float = 1.0,
    enforced: bool = False,
) -> GeneralizationBound:
    """Computes the learning bound of AdaNet for binary classification (theorem 1).

    With probability at least 1 - δ over the training rows, for all `f = Σ_k w_k·h_k` with
    `Σ_k ||w_k||_1 = 1`:

        P(y f(x) <= 0) <= (share of rows with y f(x) <= ρ) + (4/ρ) Σ_k ||w_k||_1 R(H_k)
                          + (2/ρ) sqrt(log l / m) + C(ρ, l, m, δ)

        C = sqrt(ceil((4/ρ²) log(ρ² m / log l)) log l / m + log(2/δ) / (2m))

    f is divided by its `Σ_k ||w_k||_1`, which keeps its sign. For one layer, `log l` is 0
    and the bound is the limit. If `ρ² m <= log l`, the third term alone is 2 or more and the
    bound is void; the integer in C is then 1, the smallest that the proof allows.

    The theorem assumes hypotheses with values in [-1, 1], and a ρ chosen before the margins
    were seen.

    Args:
        margins: `[n]` values `y f(x)` with y in ±1 and f not normalised.
        norms: `||w_k||_1` of layers 1, 2, ... (not normalised).
        complexities: `R(H_k)` of the same layers.
        depth: l, the number of layers that the search could choose from.
        rows: m.
        delta: δ, in (0, 1). Defaults to 0.05.
        rho: ρ, in (0, 1]. Defaults to 0.1.
        weights: `[n]` row weights of the margin loss. Defaults to `None`: all are equal.
        largest_output: Bound on the magnitude of the hypotheses' values. Values and complexities
            are divided by it. Defaults to 1.
        enforced: Whether the weights kept the norm bounds of the complexities. It is only reported.
            Defaults to `False`.

    Returns:
        A `GeneralizationBound`.

    Raises:
        ValueError: An argument is out of range.

    Example:

    ```python
    from adaptive_nets.adanet.objective.bound import theorem_1

    bound = theorem_1([2.0, 1.0, -0.5], [1.5, 0.5], [1e-3, 2e-3], depth=2, rows=10**6)
    print(bound)
    ```
    """
    check_levels(delta, rho)
    margins, norms = np.asarray(margins, "float64"), np.asarray(norms, "float64")
    complexities = np.asarray(complexities, "float64")
    if margins.ndim != 1 or not margins.size or not np.isfinite(margins).all():
        raise ValueError(
            "margins must be a non-empty vector of finite numbers. "
            f"Received: margins={show(margins)}."
        )
    for name, values in (("norms", norms), ("complexities", complexities)):
        if values.ndim != 1 or not (np.isfinite(values) & (values >= 0)).all():
            raise ValueError(
                f"{name} must be finite numbers >= 0. Received: {name}={show(values)}."
            )
    if len(norms) != len(complexities) or depth < len(norms) or rows < 1:
        raise ValueError(
            "Expected as many norms as complexities, at most depth of them, and rows >= 1. "
            f"Received: {len(norms)} norms, {len(complexities)} complexities, depth={depth}, "
            f"rows={rows}."
        )
    if not norms.sum() > 0:
        raise ValueError(
            "At least one mixture weight must not be 0. Lower adanet_lambda and adanet_beta. "
            f"Received: norms={norms.tolist()}."
        )
    if not 0 < largest_output < math.inf:
        raise ValueError(
            f"largest_output must be finite and > 0. Received: largest_output={largest_output}."
        )
    shares, scaled = norms / norms.sum(), complexities / largest_output
    lost = margins / (largest_output * norms.sum()) <= rho
    return GeneralizationBound(
        margin_loss=float(np.average(lost, weights=weights)),
        layer_terms=tuple((4 / rho * shares * scaled).tolist()),
        depth_term=2 / rho * math.sqrt(math.log(depth) / rows),
        confidence_term=_confidence(depth, rows, delta, rho),
        norms=tuple(shares.tolist()),
        complexities=tuple(scaled.tolist()),
        rows=int(rows),
        depth=int(depth),
        delta=float(delta),
        rho=float(rho),
        largest_output=float(largest_output),
        enforced=bool(enforced),
    )


def _confidence(depth, rows, delta, rho):
    tail = math.log(2 / delta) / (2 * rows)
    if depth == 1:
        return math.sqrt(tail)
    layers = math.log(depth) / rows
    count = max(1, math.ceil(4 / rho**2 * math.log(rho**2 / layers)))
    return math.sqrt(count * layers + tail)


def check_levels(delta: float, rho: float) -> None:
    """Raises a `ValueError` for a failure probability or a margin that is out of range."""
    check_number("delta", delta, 0, 1, inclusive=False)
    check_number("rho", rho, 0, 1, inclusive="high")
