"""`CandidateScorer`: weighs and scores candidate ensembles."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from adaptive_nets._pieces import RowWise
from adaptive_nets.adanet.candidates.strategy import Candidate
from adaptive_nets.adanet.ensembles.ensemble import Ensemble, Mixture
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.metrics import evaluate_logits, mean_loss
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.heads import Head


@dataclasses.dataclass
class ScoredCandidate:
    """A candidate ensemble with its weights and measurements.

    Args:
        ensemble: The candidate `Ensemble`.
        measured: Its losses and metrics by column name.
        new: Builders of the round's subnetworks in it.
    """

    ensemble: Ensemble
    measured: dict
    new: tuple[str, ...]


class CandidateScorer:
    """Weighs and scores candidate ensembles.

    Args:
        head: The task's head.
        ensembler: The `Ensembler`.
        evaluator: `Evaluator`, or `None` to select by the objective.
        train: Training `OutputCache`.
        valid: Validation `OutputCache`, or `None`.
        judged: The evaluator's `OutputCache`, or `None`.
        reported: The `OutputCache` for the metrics in the generator's reports, or `None`.
        chunks: For streams: function from members to `(outputs, labels, weights)` chunks.
        weighed: The `OutputCache` that mixture weights are solved on and the objective is of.
            Defaults to `None`: the training data, or `chunks` of it.
    """

    def __init__(
        self,
        head: Head,
        ensembler: Ensembler,
        evaluator: Evaluator | None,
        train: OutputCache,
        valid: OutputCache | None = None,
        judged: OutputCache | None = None,
        reported: OutputCache | None = None,
        chunks: Callable[[Sequence[Member]], Iterable[tuple]] | None = None,
        weighed: OutputCache | None = None,
    ):
        self.head, self.ensembler, self.evaluator = head, ensembler, evaluator
        self.train, self.valid, self.judged, self.chunks = train, valid, judged, chunks
        self.reported = reported
        self.weighed = train if weighed is None else weighed

    @property
    def views(self) -> list[OutputCache]:
        views = (self.train, self.valid, self.judged, self.reported, self.weighed)
        return list({id(v): v for v in views if v is not None}.values())

    def prepare(self, members: Sequence[Member]) -> None:
        """Computes the new members' outputs on every view with one traced function."""
        function = None
        for view in self.views:
            if any(f"{m.name}.logits" not in view.cache for m in members):
                function = function or view.function(members)
                view.outputs(members, function)

    def score_candidate(
        self, candidate: Candidate, number: int, new: dict, previous: Ensemble | None
    ) -> ScoredCandidate:
        """Fits the mixture weights of a candidate ensemble and measures it.

        Of several ensemblers, the one that gives the lowest number to minimise weighs it.
        """
        places = candidate.places(previous)
        old = [previous.members[place] for place in places]
        members = (*old, *(new[name] for name in candidate.new))
        start = previous.mixture.only(places) if old else None
        found = []
        for k, ensembler in enumerate(self.ensembler.choices()):
            # Weights of another ensembler may be of another shape.
            known = start if start is not None and start.ensembler == k else None
            mixture = dataclasses.replace(self._fit(ensembler, members, known), ensembler=k)
            measured, objective = self.score(members, mixture)
            ensemble = Ensemble(candidate.name, number, members, mixture, objective)
            found.append(ScoredCandidate(ensemble, measured, candidate.new))
        finite = [each for each in found if np.isfinite(each.ensemble.objective)]
        return min(finite or found, key=lambda each: each.ensemble.objective)

    def _fit(self, ensembler, members, start):
        rows, arguments = self.weighed.rows, {"members": members, "start": start}
        arguments["loss"] = self.head.loss
        if self.chunks is None or self.weighed is not self.train:
            outputs = self.weighed.outputs(members)
            return ensembler.fit(outputs, rows.y, rows.w, **arguments)
        return ensembler.fit_stream(self.chunks(members), **arguments)

    def score(self, members: Sequence[Member], mixture: Mixture) -> tuple[dict, float]:
        """Returns losses and metrics by column name, and the number to minimise."""
        measured = {}
        for prefix, view in (("", self.train), ("val_", self.valid)):
            if view is not None:
                found = evaluate_logits(self.head, self._logits(view, members, mixture), view.rows)
                measured |= {prefix + k: v for k, v in found.items()}
        measured["penalty"] = mixture.penalty
        if self.evaluator is None:
            loss = measured["loss" if self.weighed is self.train else "val_loss"]
            return measured, loss + mixture.penalty
        if self.judged is self.valid:
            found = {k[4:]: v for k, v in measured.items() if k.startswith("val_")}
        else:
            found = evaluate_logits(
                self.head, self._logits(self.judged, members, mixture), self.judged.rows
            )
        return measured, self.evaluator.value(found)

    def _logits(self, view, members, mixture):
        return RowWise(functools.partial(self.ensembler.apply, mixture), view.outputs(members))

    def single_loss(self, member: Member) -> float:
        """Returns the loss of a single subnetwork on the data that ensembles are judged by."""
        view = self.judged or self.valid or self.train
        return mean_loss(self.head, view.outputs([member])[0]["logits"], view.rows)

    def report(self, member: Member, scored: Sequence[ScoredCandidate]) -> dict:
        """Returns the metrics of a subnetwork for the generator's reports.

        `objective` is that of the best candidate ensemble that contains it. With report data, the
        head's metrics of the single subnetwork are added and, as `ensemble_...`, those of the
        candidate ensemble.
        """
        best = min(
            (c for c in scored if member in c.ensemble.members),
            key=lambda c: c.ensemble.objective,
            default=None,
        )
        told = {} if best is None else {"objective": best.ensemble.objective}
        view = self.reported
        if view is None:
            return told
        told |= evaluate_logits(self.head, view.outputs([member])[0]["logits"], view.rows)
        if best is not None:
            logits = self._logits(view, best.ensemble.members, best.ensemble.mixture)
            found = evaluate_logits(self.head, logits, view.rows)
            told |= {f"ensemble_{name}": value for name, value in found.items()}
        return told
