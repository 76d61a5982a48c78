"""What is recorded of a round: leaderboard entries, learning curves, the generator's reports."""

import dataclasses
import json
from collections.abc import Callable

import numpy as np

from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.candidates.generator import Report
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.scoring import ScoredCandidate


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


@dataclasses.dataclass(frozen=True)
class Curve:
    """Learning curves of one round.

    Attributes:
        round: The round, from 1.
        window: Steps that each point stands for.
        losses: For each subnetwork, by its builder's name, its mean loss in each window.
    """

    round: int
    window: int
    losses: dict[str, list[float]]


def learning_curve(round_: Round) -> Curve:
    """The learning curves of a round so far."""
    names = [m.builder for m in round_.members]
    losses = np.transpose(round_.training.curve).tolist()
    return Curve(round_.number, round_.training.window, dict(zip(names, losses, strict=False)))


def leaderboard_entries(
    round_: Round,
    scored: list[ScoredCandidate],
    winner: ScoredCandidate | None,
    previous: Ensemble | None,
    previous_measured: dict,
    gamma: Callable[[float], float],
    status: str = "selected",
) -> list[Entry]:
    """Leaderboard rows of a round."""
    t = round_.training
    rows = []
    parent = f"{previous.iteration}/{previous.name}" if previous is not None else ""

    def add(name, status, ensemble, measured, parent):
        r = ensemble.members[-1].complexity
        rows.append(
            Entry(
                round_.number, name, status, ensemble.objective, measured, ensemble.parameters,
                t.step, t.seconds, r, gamma(r), ensemble.mixture.norms()[-1], parent,
            )
        )  # fmt: skip

    if previous is not None:
        kept = "rejected" if winner is not None else status
        add("previous", kept, previous, previous_measured, parent)
    for c in scored:
        grown = parent if len(c.ensemble.members) > len(c.new) else ""
        add(c.ensemble.name, status if c is winner else "rejected", c.ensemble, c.measured, grown)
    nan = float("nan")
    for member, step in zip(round_.members, t.diverged, strict=True):
        if step:
            rows.append(
                Entry(
                    round_.number, member.builder, f"diverged at step {step}", nan, {},
                    member.parameters, int(step), t.seconds, member.complexity,
                    gamma(member.complexity), nan, parent,
                )
            )  # fmt: skip
    return rows


def generator_reports(
    round_: Round,
    builders: list[Builder],
    scored: list[ScoredCandidate],
    winner: ScoredCandidate | None,
    told: dict[str, dict],
) -> list[Report]:
    """What the generator is told of a round's subnetworks.

    Args:
        round_: The finished `Round`.
        builders: Its builders.
        scored: Its candidate ensembles.
        winner: The chosen one, or `None`.
        told: Metrics of the subnetworks that did not diverge, by name.
    """
    listed = []
    for builder, member in zip(builders, round_.members, strict=True):
        hyperparameters = json.loads(json.dumps(builder.hyperparameters(), default=str))
        trained = builder.name in told
        listed.append(
            Report(
                round_.number, builder.name, hyperparameters, member.attributes,
                told.get(builder.name, {}), winner is not None and builder.name in winner.new,
                "trained" if trained else "diverged",
            )
        )  # fmt: skip
    return listed
