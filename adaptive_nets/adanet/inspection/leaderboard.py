"""The leaderboard as a DataFrame."""

import dataclasses

import pandas as pd

from adaptive_nets.adanet.rounds.records import Entry

LEADING = ["round", "candidate", "status", "objective", "loss", "penalty"]

TRAILING = [
    "parameters", "steps", "seconds", "complexity", "gamma", "mixture_weight", "parent",
]  # fmt: skip


def to_frame(entries: list[Entry]) -> pd.DataFrame:
    """Returns all entries, the best of each round first."""
    rows = []
    for entry in entries:
        row = dataclasses.asdict(entry)
        rows.append({**row.pop("measured"), **row})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return pd.DataFrame(columns=[*LEADING, *TRAILING])
    middle = [c for c in frame.columns if c not in LEADING and c not in TRAILING]
    leading = [c for c in LEADING if c in frame.columns]
    frame = frame[[*leading, *middle, *TRAILING]]
    return frame.sort_values(["round", "objective"], kind="stable", ignore_index=True)
