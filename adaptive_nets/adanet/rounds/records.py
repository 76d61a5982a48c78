"""The records of a round: leaderboard entries, learning curves, reports for the generator."""

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
    """One row of the leaderboard.

    Args:
        round: The round, from 1.
        candidate: Name of the candidate ensemble. `"previous"` is the previous ensemble.
        status: `"selected"`, `"rejected"`, `"partial"` (selected when time ran out in the middle
            of the round), `"unjudged"` (a subnetwork that had hardly trained when its round was
            stopped), `"withdrawn"` (selected, until a callback went back to an earlier
            round's ensemble) or `"diverged at step n"`.
        objective: The minimised value; lower is better.
        measured: Losses and metrics by column name (`val_` for validation data).
        parameters: Number of parameters of all members together.
        steps: Training steps of the round.
        seconds: Training time of the round.
        complexity: The measure r of the newest member.
        gamma: Its penalty per unit of mixture weight, Γ = λ r + β.
        mixture_weight: L1 norm of the newest member's mixture weight.
        parent: The ensemble that it extends: `"<round>/<candidate>"`.
        best_step: With early stopping, the step whose weights the newest member has, if it is of
            this round; else 0.
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
    best_step: int = 0


@dataclasses.dataclass(frozen=True)
class Curve:
    """The learning curves of one round.

    Args:
        round: The round, from 1.
        window: Number of steps per point.
        losses: Mean loss of each subnetwork in each window, by its builder's name.
        held_out_steps: Steps after which losses on held-out rows were measured.
        held_out: These losses of each subnetwork, by its builder's name.
    """

    round: int
    window: int
    losses: dict[str, list[float]]
    held_out_steps: list[int] = dataclasses.field(default_factory=list)
    held_out: dict[str, list[float]] = dataclasses.field(default_factory=dict)


def learning_curve(round_: Round) -> Curve:
    """Returns the learning curves of a round so far."""
    names = [m.builder for m in round_.members]
    training = round_.progress
    losses = np.transpose(training.curve).tolist()
    steps, *held_out = np.transpose(training.held_out).tolist() or [[]]
    return Curve(
        round_.number, training.window, dict(zip(names, losses, strict=False)),
        list(map(int, steps)), dict(zip(names, held_out, strict=False)),
    )  # fmt: skip


def leaderboard_entries(
    round_: Round,
    scored: list[ScoredCandidate],
    winner: ScoredCandidate | None,
    previous: Ensemble | None,
    previous_measured: dict,
    gamma: Callable[[float], float],
    status: str = "selected",
    judged: list[str] | None = None,
) -> list[Entry]:
    """Returns the leaderboard rows of a round.

    Args:
        round_: The finished `Round`.
        scored: Its candidate ensembles.
        winner: The selected one, or `None`.
        previous: The ensemble before the round, or `None`.
        previous_measured: Its losses and metrics.
        gamma: Function from a complexity to the penalty per unit of mixture weight.
        status: That of what is in force after the round. Defaults to `"selected"`.
        judged: Subnetworks that have trained enough. Defaults to `None`: all.
    """
    t = round_.progress
    rows = []
    found = {m.name: round_.best(k) for k, m in enumerate(round_.members)}
    best_steps = {name: best[0] for name, best in found.items() if best is not None}
    parent = f"{previous.iteration}/{previous.name}" if previous is not None else ""

    def add(name, status, ensemble, measured, parent):
        r = ensemble.members[-1].complexity
        rows.append(
            Entry(
                round_.number, name, status, ensemble.objective, measured, ensemble.parameters,
                t.step, t.seconds, r, gamma(r), ensemble.mixture.norms()[-1], parent,
                best_steps.get(ensemble.members[-1].name, 0),
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
        if step or (judged is not None and member.builder not in judged):
            rows.append(
                Entry(
                    round_.number, member.builder, f"diverged at step {step}" if step else
                    "unjudged", nan, {}, member.parameters, int(step) or t.step, t.seconds,
                    member.complexity, gamma(member.complexity), nan, parent,
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
    """Returns the generator's reports on a round's subnetworks.

    Args:
        round_: The finished `Round`.
        builders: Its builders.
        scored: Its candidate ensembles.
        winner: The selected one, or `None`.
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
