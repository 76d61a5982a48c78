"""The findings of a search as DataFrames, except for the leaderboard."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.member import lineage
from adaptive_nets.adanet.rounds.records import Curve


def learning_curves(curves: Iterable[Curve]) -> pd.DataFrame:
    """Returns one row per point: `round`, `candidate`, `step`, `loss`."""
    rows = [
        (curve.round, name, (k + 1) * curve.window, loss)
        for curve in curves
        for name, losses in curve.losses.items()
        for k, loss in enumerate(losses)
    ]
    return pd.DataFrame(rows, columns=["round", "candidate", "step", "loss"])


def architecture(ensemble: Ensemble) -> pd.DataFrame:
    """Returns one row per subnetwork, parents first."""
    weighed = {m.name for m in ensemble.members}
    rows = [
        (
            m.name, m.iteration, m.depth, m.complexity, m.parameters,
            [p.name for p in m.parents], m.name in weighed,
        )
        for m in lineage(ensemble.members)
    ]  # fmt: skip
    columns = ["subnetwork", "round", "depth", "complexity", "parameters", "reads", "member"]
    return pd.DataFrame(rows, columns=columns)


def mixture_weights(ensemble: Ensemble) -> pd.DataFrame:
    """Returns one row per weight; for a matrix, one per logit."""
    rows = []
    norms = ensemble.mixture.norms()
    for member, w, norm in zip(ensemble.members, ensemble.mixture.weights, norms, strict=True):
        w = np.asarray(w)
        if w.ndim == 0:
            rows.append((member.name, -1, float(w), norm))
            continue
        values = np.abs(w).sum(axis=0) if w.ndim == 2 else w
        rows.extend((member.name, unit, float(v), norm) for unit, v in enumerate(values))
    return pd.DataFrame(rows, columns=["subnetwork", "unit", "weight", "norm"])
