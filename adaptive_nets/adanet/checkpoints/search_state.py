"""`SearchState`: what a search knows after each round."""

import dataclasses
from typing import Any

import numpy as np

from adaptive_nets.adanet.candidates.generator import Report
from adaptive_nets.adanet.candidates.strategy import Candidate
from adaptive_nets.adanet.checkpoints.changes import Change
from adaptive_nets.adanet.checkpoints.codec import ensemble_from_json, ensemble_to_json
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.member import Member, lineage
from adaptive_nets.adanet.rounds.records import Curve, Entry
from adaptive_nets.adanet.rounds.runner import Decision, Standing


@dataclasses.dataclass(frozen=True)
class SearchState:
    """What a search knows after a round. Each round creates a new one.

    Args:
        iteration: Number of completed rounds.
        ensemble: The best `Ensemble`, or `None` before the first round.
        measured: Its losses and metrics.
        entries: Leaderboard rows.
        reports: `Report`s for the generator.
        curves: Learning curves, one `Curve` per round.
        best_single: The best single subnetwork of all rounds.
        best_single_loss: Its loss on the data that ensembles are judged by.
        stop_reason: Why the last `fit` ended; `""` while it runs.
        seconds: Time spent in rounds.
        stream_chunks: Chunks of an endless dataset used so far.
        judged_share: Share of the rows that the ensemble was measured on.
        rate_factor: What callbacks have multiplied all subnetworks' learning rates by.
        partial: The state selected when time ran out in the middle of the next round, or `None`.
            The next `fit` drops it and finishes that round.
        changes: `Change`s of settings with which it has gone on.
        paused: Checkpoint of an interrupted round if there is no `model_dir`, or `None`. It is not
            written.
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
    judged_share: float = 1.0
    rate_factor: float = 1.0
    partial: "SearchState | None" = None
    changes: tuple[Change, ...] = ()
    paused: tuple[dict, list[np.ndarray]] | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    @property
    def current(self) -> "SearchState":
        """The state to display and to predict with."""
        return self.partial or self

    @property
    def steps(self) -> int:
        """Training steps of all its rounds."""
        taken = {}
        for entry in self.entries:
            taken[entry.round] = max(entry.steps, taken.get(entry.round, 0))
        return sum(taken.values())

    @property
    def standing(self) -> Standing:
        """The best ensemble and subnetwork so far, as rounds read them."""
        return Standing(self.ensemble, self.measured, self.best_single, self.best_single_loss)

    def standing_at(self, standing: Standing, **changes: Any) -> "SearchState":
        """Returns the state with another `Standing`."""
        return dataclasses.replace(
            self,
            ensemble=standing.ensemble,
            measured=standing.measured,
            best_single=standing.single,
            best_single_loss=standing.single_loss,
            **changes,
        )

    def after(self, decision: Decision, seconds: float) -> "SearchState":
        """Returns the state after a round.

        Args:
            decision: The outcome of the round.
            seconds: Time that it took.
        """
        return self.standing_at(
            decision.standing,
            iteration=decision.number,
            entries=(*self.entries, *decision.entries),
            reports=(*self.reports, *decision.reports),
            curves=(*self.curves, decision.curve),
            stream_chunks=decision.stream_chunks,
            seconds=self.seconds + seconds,
            partial=None,
            paused=None,
        )

    def without_checkpoint(self) -> "SearchState":
        """Returns the state without the checkpoint that it keeps in memory."""
        return dataclasses.replace(self, paused=None)

    def with_ensemble(self, ensemble: Ensemble, measured: dict) -> "SearchState":
        """Returns the state with the ensemble of an earlier round.

        What later rounds have selected is withdrawn; their rows stay in the leaderboard.
        """
        last, own = ensemble.iteration, f"{ensemble.iteration}/{ensemble.name}"

        def withdrawn(entry):
            kept = entry.round <= last or (entry.candidate == "previous" and entry.parent == own)
            if kept or entry.status not in ("selected", "partial"):
                return entry
            return dataclasses.replace(entry, status="withdrawn")

        return dataclasses.replace(
            self,
            ensemble=ensemble,
            measured=measured,
            entries=tuple(map(withdrawn, self.entries)),
            reports=tuple(
                dataclasses.replace(r, selected=r.selected and r.iteration <= last)
                for r in self.reports
            ),
            partial=self.partial and self.partial.with_ensemble(ensemble, measured),
        )

    def members(self) -> dict[str, Member]:
        """Returns all members in use by name, each after the members that it reads."""
        used = []
        for state in (self, self.partial):
            if state is None:
                continue
            if state.ensemble is not None:
                used.extend(state.ensemble.members)
            if state.best_single is not None:
                used.append(state.best_single)
        return {m.name: m for m in lineage(used)}

    def file(self, member: Member) -> str:
        """Returns the file for a member's weights.

        A state's files are never overwritten with other weights. Members of a partial round,
        whose training continues, therefore have the step in their file names.
        """
        if member.stored is not None:
            return member.stored[0]
        if member.iteration <= self.iteration or self.partial is None:
            return f"members/{member.name}.keras"
        return f"members/{member.name}.step-{self.partial.entries[-1].steps}.keras"

    def chosen_candidates(self) -> dict[int, Candidate]:
        """Returns the winner of each round by its number, except for those that changed nothing."""
        won = {e.round: e for e in self.entries if e.status == "selected"}
        return {
            number: Candidate(
                entry.candidate,
                entry.parent != "",
                tuple(r.name for r in self.reports if r.iteration == number and r.selected),
            )
            for number, entry in sorted(won.items())
            if entry.candidate != "previous"
        }

    def to_json(self) -> dict:
        return {
            "iteration": self.iteration,
            "ensemble": None if self.ensemble is None else ensemble_to_json(self.ensemble),
            "measured": self.measured,
            "entries": [dataclasses.asdict(e) for e in self.entries],
            "reports": [dataclasses.asdict(r) for r in self.reports],
            "curves": [dataclasses.asdict(c) for c in self.curves],
            "best_single": None if self.best_single is None else self.best_single.name,
            "best_single_loss": self.best_single_loss,
            "stop_reason": self.stop_reason,
            "seconds": self.seconds,
            "stream_chunks": self.stream_chunks,
            "judged_share": self.judged_share,
            "rate_factor": self.rate_factor,
            "changes": [dataclasses.asdict(c) for c in self.changes],
            "partial": None if self.partial is None else self.partial.to_json(),
        }

    @classmethod
    def from_json(cls, state: dict, members: dict[str, Member]) -> "SearchState":
        plain = ("iteration", "measured", "best_single_loss", "stop_reason", "seconds")
        return cls(
            **{name: state[name] for name in plain},
            stream_chunks=state["stream_chunks"],
            judged_share=state.get("judged_share", 1.0),
            rate_factor=state.get("rate_factor", 1.0),
            ensemble=state["ensemble"] and ensemble_from_json(state["ensemble"], members),
            entries=_rows(Entry, state["entries"]),
            reports=_rows(Report, state["reports"]),
            curves=_rows(Curve, state["curves"]),
            changes=_rows(Change, state.get("changes", ())),
            best_single=state["best_single"] and members[state["best_single"]],
            partial=state["partial"] and cls.from_json(state["partial"], members),
        )


def _rows(kind, rows):
    """Returns rows as objects, without the keys that only later versions know."""
    names = [field.name for field in dataclasses.fields(kind)]
    return tuple(kind(**{name: row[name] for name in names if name in row}) for row in rows)
