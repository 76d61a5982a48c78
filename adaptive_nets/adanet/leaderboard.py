"""The leaderboard: one row a candidate ensemble, as data."""

import dataclasses

import pandas as pd

LEADING = ["round", "candidate", "status", "objective", "loss", "penalty"]
TRAILING = [
    "parameters", "steps", "seconds", "complexity", "gamma", "mixture_weight", "parent",
]  # fmt: skip


@dataclasses.dataclass
class Entry:
    """One row.

    Attributes:
        round: Round, from 1.
        candidate: Name of the candidate ensemble; `"previous"` is candidate 0.
        status: `"selected"`, `"rejected"`, `"partial"` (chosen when time ran out in the middle
            of the round) or `"diverged at step n"`.
        objective: What was minimised; lower is better.
        measured: Losses and metrics by column name (`val_` for validation data).
        parameters: Of all members together.
        steps: Training steps of the round.
        seconds: Training time of the round.
        complexity: The measure r of the newest member.
        gamma: Its penalty per unit of mixture weight, Γ = λ r + β.
        mixture_weight: L1 norm of the newest member's mixture weight.
        parent: The ensemble it grew from: `"<round>/<candidate>"`.
    """

    round: int
    candidate: str
    status: str
    objective: float
    measured: dict
    parameters: int
    steps: int
    seconds: float
    complexity: float
    gamma: float
    mixture_weight: float
    parent: str


def to_frame(entries: list[Entry]) -> pd.DataFrame:
    """All entries, the best of each round first."""
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
