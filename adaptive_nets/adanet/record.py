"""What is known after each round, and its JSON form."""

import dataclasses

import numpy as np

from adaptive_nets.adanet.ensemble import Ensemble, Mixture
from adaptive_nets.adanet.generator import Report
from adaptive_nets.adanet.leaderboard import Entry
from adaptive_nets.adanet.member import Member, lineage


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


@dataclasses.dataclass(frozen=True)
class Record:
    """A search's results up to a round; each round makes a new one.

    Attributes:
        iteration: Rounds completed.
        ensemble: The best `Ensemble`, or `None` before the first round.
        measured: Its losses and metrics.
        entries: Leaderboard rows.
        reports: `Report`s for the generator.
        curves: Learning curves, one `Curve` a round.
        best_single: The best subnetwork on its own, of all rounds.
        best_single_loss: Its loss on the data that candidates are judged by.
        stop_reason: Why the last `fit` ended; `""` while it runs.
        seconds: Time spent in rounds.
        stream_chunks: Chunks of an endless dataset used so far.
        partial: What was chosen when time ran out in the middle of the next round, or `None`.
            The next `fit` drops it and finishes that round.
    """

    iteration: int = 0
    ensemble: Ensemble | None = None
    measured: dict = dataclasses.field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    reports: tuple[Report, ...] = ()
    curves: tuple[Curve, ...] = ()
    best_single: Member | None = None
    best_single_loss: float = float("inf")
    stop_reason: str = ""
    seconds: float = 0.0
    stream_chunks: int = 0
    partial: "Record | None" = None

    @property
    def current(self) -> "Record":
        """The record to show and to predict with."""
        return self.partial or self

    def members(self) -> dict[str, Member]:
        """All members that are in use, by name; those that others read come before them."""
        used = []
        for record in (self, self.partial):
            if record is None:
                continue
            if record.ensemble is not None:
                used.extend(record.ensemble.members)
            if record.best_single is not None:
                used.append(record.best_single)
        return {m.name: m for m in lineage(used)}

    def file(self, member: Member) -> str:
        """Where a member's weights are kept.

        No state's file is ever overwritten with other weights, so those of a partial round,
        which are trained on, are named by the step.
        """
        if member.iteration <= self.iteration or self.partial is None:
            return f"members/{member.name}.keras"
        return f"members/{member.name}.step-{self.partial.entries[-1].steps}.keras"

    def to_json(self) -> dict:
        return {
            "iteration": self.iteration,
            "ensemble": None if self.ensemble is None else _ensemble_to_json(self.ensemble),
            "measured": self.measured,
            "entries": [dataclasses.asdict(e) for e in self.entries],
            "reports": [dataclasses.asdict(r) for r in self.reports],
            "curves": [dataclasses.asdict(c) for c in self.curves],
            "best_single": None if self.best_single is None else self.best_single.name,
            "best_single_loss": self.best_single_loss,
            "stop_reason": self.stop_reason,
            "seconds": self.seconds,
            "stream_chunks": self.stream_chunks,
            "partial": None if self.partial is None else self.partial.to_json(),
        }

    @classmethod
    def from_json(cls, state: dict, members: dict[str, Member]) -> "Record":
        plain = ("iteration", "measured", "best_single_loss", "stop_reason", "seconds")
        return cls(
            **{name: state[name] for name in plain},
            stream_chunks=state["stream_chunks"],
            ensemble=state["ensemble"] and _ensemble_from_json(state["ensemble"], members),
            entries=tuple(Entry(**e) for e in state["entries"]),
            reports=tuple(Report(**r) for r in state["reports"]),
            curves=tuple(Curve(**c) for c in state["curves"]),
            best_single=state["best_single"] and members[state["best_single"]],
            partial=state["partial"] and cls.from_json(state["partial"], members),
        )


def member_to_json(member: Member) -> dict:
    """A member without its model, which has a file of its own."""
    fields = ("name", "iteration", "depth", "complexity", "attributes")
    parents = [p.name for p in member.parents]
    return {**{field: getattr(member, field) for field in fields}, "parents": parents}


def _ensemble_to_json(ensemble: Ensemble) -> dict:
    mixture = ensemble.mixture
    return {
        "name": ensemble.name,
        "iteration": ensemble.iteration,
        "members": [m.name for m in ensemble.members],
        "weights": [np.asarray(w).tolist() for w in mixture.weights],
        "bias": None if mixture.bias is None else mixture.bias.tolist(),
        "penalty": mixture.penalty,
        "objective": ensemble.objective,
    }


def _ensemble_from_json(state, members) -> Ensemble:
    bias = state["bias"]
    mixture = Mixture(
        tuple(np.array(w, "float64") for w in state["weights"]),
        None if bias is None else np.array(bias, "float64"),
        state["penalty"],
    )
    chosen = tuple(members[name] for name in state["members"])
    return Ensemble(state["name"], state["iteration"], chosen, mixture, state["objective"])
