"""Tables as a search gives them, of any size."""

import types

import numpy as np
import pandas as pd
import pytest


def curves(rounds=3, points=40):
    """Two candidates a round by the paper's rule: as deep as the round's number, and deeper."""
    rng = np.random.default_rng(rounds)
    rows = [
        (number, f"{depth}_layer_dense", 10 * (k + 1), loss)
        for number in range(1, rounds + 1)
        for depth in (number, number + 1)
        for k, loss in enumerate(rng.uniform(0.3, 1.0, points))
    ]
    return pd.DataFrame(rows, columns=["round", "candidate", "step", "loss"])


def architecture(rounds=4, read_only=()):
    """One subnetwork a round, which reads all before it."""
    names = [f"{number}_{number}_layer_dense" for number in range(1, rounds + 1)]
    return pd.DataFrame(
        {
            "subnetwork": names,
            "round": range(1, rounds + 1),
            "depth": range(1, rounds + 1),
            "complexity": np.sqrt(np.arange(1, rounds + 1)),
            "parameters": 12_345_678,
            "reads": [names[:k] for k in range(rounds)],
            "member": [name not in read_only for name in names],
        }
    )


def weights(members=4, logits=0, signed=True):
    """One weight a member, or one a logit."""
    rng = np.random.default_rng(members)
    rows = []
    for number in range(1, members + 1):
        w = rng.normal(size=max(logits, 1)) if signed else rng.uniform(size=max(logits, 1))
        for unit, value in enumerate(w):
            name = f"{number}_{number}_layer_dense"
            rows.append((name, unit if logits else -1, value, np.abs(w).sum()))
    return pd.DataFrame(rows, columns=["subnetwork", "unit", "weight", "norm"])


@pytest.fixture(scope="session")
def tables():
    """The functions above."""
    return types.SimpleNamespace(curves=curves, architecture=architecture, weights=weights)
