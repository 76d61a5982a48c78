"""The findings of a search as DataFrames, except for the leaderboard."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.member import lineage
from adaptive_nets.adanet.rounds.records import Curve


def learning_curves(curves: Iterable[Curve]) -> pd.DataFrame:
    """Returns one row per point: `round`, `candidate`, `step`, `loss`.

    If held-out losses were measured, they are a further column `held_out_loss`.
    """
    curves = list(curves)
    rows, measured = [], []
    for curve in curves:
        for name, losses in curve.losses.items():
            rows += [
                (curve.round, name, (k + 1) * curve.window, loss) for k, loss in enumerate(losses)
            ]
        for name, losses in curve.held_out.items():
            pairs = zip(curve.held_out_steps, losses, strict=True)
            measured += [(curve.round, name, step, loss) for step, loss in pairs if loss == loss]
    keys = ["round", "candidate", "step"]
    frame = pd.DataFrame(rows, columns=[*keys, "loss"])
    if not measured:
        return frame
    held_out = pd.DataFrame(measured, columns=[*keys, "held_out_loss"])
    order = {name: k for curve in curves for k, name in enumerate(curve.held_out)}
    # Measurements need not fall on the ends of windows.
    return frame.merge(held_out, on=keys, how="outer").sort_values(
        keys, key=lambda c: c.map(order) if c.name == "candidate" else c, ignore_index=True
    )


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
