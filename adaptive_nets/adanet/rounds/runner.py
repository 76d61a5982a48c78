"""`RoundRunner`: sets up and decides rounds on the data of one `fit`."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.candidates.generator import Report
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.ensembles.assemble import without_idle
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.adanet.rounds.finalize import finalize_member
from adaptive_nets.adanet.rounds.folding.joined import join_folds
from adaptive_nets.adanet.rounds.folding.sources import assign_folds
from adaptive_nets.adanet.rounds.records import (
    Curve,
    Entry,
    generator_reports,
    leaderboard_entries,
    learning_curve,
)
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.scoring import CandidateScorer, ScoredCandidate
from adaptive_nets.adanet.rounds.selection import (
    DivergedError,
    candidate_ensembles,
    pruned,
    select_best,
    trained_enough,
)
from adaptive_nets.adanet.rounds.setup import set_up_round
from adaptive_nets.adanet.rounds.timing.rehearsal import ClosingCost, on_part, rehearse_closing
from adaptive_nets.data.feeds import StreamFeed, chunk_steps
from adaptive_nets.data.spool import Spool

# On an endless dataset, mixture weights are fitted to this many pieces of at most this many rows.
MIXTURE_CHUNKS, MIXTURE_ROWS = 40, 4096


@dataclasses.dataclass(frozen=True)
class Standing:
    """The best ensemble and the best subnetwork before a round.

    Args:
        ensemble: The best `Ensemble`, or `None`.
        measured: Its losses and metrics.
        single: The best single subnetwork, or `None`.
        single_loss: Its loss.
    """

    ensemble: Ensemble | None = None
    measured: dict = dataclasses.field(default_factory=dict)
    single: Member | None = None
    single_loss: float = float("inf")


@dataclasses.dataclass(frozen=True)
class Decision:
    """The outcome of a round.

    Args:
        number: The round, from 1.
        winner: Name of the selected candidate ensemble, or `None` if none is better.
        standing: The best ensemble and subnetwork after the round.
        entries: Leaderboard rows.
        reports: `Report`s for the generator.
        curve: Learning curves.
        stream_chunks: Chunks of an endless dataset used so far.
    """

    number: int
    winner: str | None
    standing: Standing
    entries: tuple[Entry, ...]
    reports: tuple[Report, ...]
    curve: Curve
    stream_chunks: int


class RoundRunner:
    """Sets up rounds and decides them.

    Args:
        context: `SearchContext`.
        data: Checked `FitData`.
        stream_chunks: Chunks of an endless dataset that earlier calls have used.

    Attributes:
        train: Training `OutputCache` of all rows.
        scorer: `CandidateScorer`, of all rows or a part of them.
        stream: Feed of an endless dataset, or `None`.
    """

    def __init__(self, context: SearchContext, data: FitData, stream_chunks: int = 0):
        self.context, self.data, self.stream = context, data, None
        settings = context.settings
        self.train, self.valid, judged, reported = (
            rows
            and OutputCache(
                context.preprocessor(rows), settings.reads_last_layer, settings.cache_bytes
            )
            for rows in (data.train, data.valid, data.judged, data.reported)
        )
        self.train.folds = assign_folds(context, data.train.y, data.groups)
        if data.stream is not None:
            chunk = chunk_steps(data.train, data.batch_size, settings.steps)
            self.stream = StreamFeed(
                data.stream, context.head, data.batch_size, chunk, context.preprocessor,
                stream_chunks, data.class_weight, context.schema,
            )  # fmt: skip
        self.scorer = self._whole = CandidateScorer(
            context.head, context.ensembler, settings.evaluator, self.train, self.valid,
            (judged or self.valid) if settings.evaluator is not None else None, reported,
            self._mixture_chunks if self.stream is not None else None,
            self.valid if settings.weighs_held_out else None,
        )  # fmt: skip

    @property
    def rows(self) -> int:
        """Number of rows that ensembles are measured on, in all data sets together."""
        return sum(len(view.rows) for view in self.scorer.views)

    def rehearse(self, round_: Round, previous: Ensemble | None, seconds: float) -> ClosingCost:
        """Returns what it will take to decide a round, measured on a part of the rows.

        Args:
            round_: The round, set up.
            previous: The current ensemble, or `None`.
            seconds: Time that may be spent on it.
        """
        wanted = candidate_ensembles(round_, self.context.settings.strategies, previous)
        cost = rehearse_closing(self.scorer, wanted, round_.members, previous, seconds)
        if self.stream is None or self.context.settings.weighs_held_out:
            return cost
        # Mixture weights are solved for on further rows of the stream.
        more = len(wanted) * MIXTURE_CHUNKS * MIXTURE_ROWS
        row = cost.rows / len(self.train.rows) + self.stream.row_seconds
        return dataclasses.replace(cost, fixed=cost.fixed + more * row)

    def score_on_part(self, share: float, least: int) -> None:
        """Weighs and measures candidate ensembles on a share of the rows from now on.

        Args:
            share: The share of the rows.
            least: Number of rows that each data set keeps at least.
        """
        self.scorer = on_part(self._whole, share, least)

    def set_up(
        self,
        builders: Sequence[Builder],
        number: int,
        previous: Ensemble | None,
        kept: Iterable[Member] = (),
        expected_steps: int | None = None,
        rate_factor: float = 1.0,
    ) -> Round:
        """Sets up a round for training.

        Args:
            builders: The round's builders.
            number: The round, from 1.
            previous: The current ensemble, or `None`.
            kept: Members whose outputs are still needed. Defaults to none.
            expected_steps: About how many steps it will train. Defaults to `None`: those of the
                settings.
            rate_factor: Factor of all learning rates. Defaults to 1.
        """
        kept = list(kept)
        for view in {id(v): v for v in (self.train, *self.scorer.views)}.values():
            view.keep_only(kept)
            if previous is not None:
                view.outputs(previous.members)
        round_ = set_up_round(
            self.context, self.data, self.train, self.stream, builders, number, previous,
            expected_steps, self.valid,
        )  # fmt: skip
        round_.rates.scale(rate_factor)
        return round_

    def measure_again(self, standing: Standing) -> Standing:
        """Returns the same ensemble with its objective on the data of this call."""
        if standing.ensemble is None:
            return standing
        ensemble = standing.ensemble
        mixture = self.scorer.ensembler.priced(ensemble.mixture, ensemble.members)
        measured, objective = self.scorer.score(ensemble.members, mixture)
        measured_again = dataclasses.replace(ensemble, mixture=mixture, objective=objective)
        return Standing(
            measured_again, measured, standing.single,
            self.scorer.single_loss(standing.single),
        )  # fmt: skip

    def decide(
        self, round_: Round, builders: Sequence[Builder], standing: Standing, partial: bool = False
    ) -> Decision:
        """Weighs and measures the candidate ensembles of a round, and selects one.

        Args:
            round_: The trained `Round`.
            builders: Its builders.
            standing: The best before the round.
            partial: Whether time ran out in the middle of the round. Defaults to `False`.

        Raises:
            DivergedError: No candidate ensemble has a finite objective.
        """
        previous, settings = standing.ensemble, self.context.settings
        round_.finish()
        round_.check_weights()
        judged = trained_enough(round_, previous) if partial else None
        wanted = candidate_ensembles(round_, settings.strategies, previous, judged)
        wanted = pruned(wanted, builders, previous)
        new = {m.builder: m for m in round_.survivors if judged is None or m.builder in judged}
        self._finalize(round_, new.values())
        tried = [self.scorer.score_candidate(c, round_.number, new, previous) for c in wanted]
        scored = [self._without_idle(c) for c in tried]
        winner = self._select(round_, scored, previous, settings.force_grow and not partial)
        told = self._measure_single(round_, new, tried)
        single, single_loss = standing.single, standing.single_loss
        for name, member in new.items():
            if told[name]["loss"] < single_loss:
                single, single_loss = member, told[name]["loss"]
        best = Standing(
            winner.ensemble if winner else previous,
            winner.measured if winner else standing.measured,
            single,
            single_loss,
        )
        entries = leaderboard_entries(
            round_, scored, winner, previous, standing.measured, settings.ensembler.gamma,
            "partial" if partial else "selected", judged,
        )  # fmt: skip
        return Decision(
            round_.number, winner and winner.ensemble.name, best, tuple(entries),
            tuple(generator_reports(round_, builders, scored, winner, told)),
            learning_curve(round_), self.stream.used if self.stream is not None else 0,
        )  # fmt: skip

    def _without_idle(self, scored: ScoredCandidate) -> ScoredCandidate:
        """Leaves members of weight 0 behind where rows say so that they were not trained on."""
        if not self.context.settings.weighs_unseen:
            return scored
        ensemble = without_idle(scored.ensemble, self.scorer.ensembler)
        left = {m.builder for m in ensemble.members if m.iteration == ensemble.iteration}
        new = tuple(name for name in scored.new if name in left)
        return dataclasses.replace(scored, ensemble=ensemble, new=new)

    def _finalize(self, round_, members):
        head, spec = self.context.head, self.train.rows.spec
        for member in members:
            networks = round_.networks_of(member)
            for network in networks:
                finalize_member(network, self.train)
            if networks != [member]:
                member.model = join_folds(networks, head, spec, member.builder).model
        self.scorer.prepare(list(members))
        rule = self.context.settings.complexity_rule
        if rule.needs_outputs:
            for member in members:
                (out,) = self.scorer.train.outputs([member])
                member.complexity = rule.measured(out["last_layer"], self.scorer.train.rows.w)

    def _select(self, round_, scored, previous, force_grow) -> ScoredCandidate | None:
        """Returns the winner, which in all processes is the chief's choice."""
        winner = select_best(scored, previous, force_grow, self.context.loss_unit)
        place = next((i for i, each in enumerate(scored) if each is winner), -1)
        (place,) = map(int, self.context.group.agree(place))
        if place < 0 and previous is None:
            raise DivergedError(
                f"No candidate ensemble of round {round_.number} has a finite objective: "
                f"{', '.join(m.builder for m in round_.survivors)}. Check the scale of the labels "
                "and the learning rate."
            )
        return None if place < 0 else scored[place]

    def _measure_single(self, round_, new, scored) -> dict[str, dict[str, float]]:
        """Returns losses and metrics of each new subnetwork, in all processes the chief's."""
        told = {}
        for name, member in new.items():
            loss = self.scorer.single_loss(member)
            found = {"loss": loss, **self.scorer.report(member, scored)}
            best = round_.best(round_.members.index(member))
            if best is not None:
                found |= {"held_out_loss": best[1], "best_step": best[0]}
            told[name] = dict(zip(found, self.context.group.agree(*found.values()), strict=True))
        return told

    def _mixture_chunks(self, members) -> Iterator[tuple[list, np.ndarray, np.ndarray | None]]:
        function = self.train.function(members, whole=True)
        chunks = (self.stream.rows() for _ in itertools.count())
        pieces = itertools.chain.from_iterable(rows.pieces(MIXTURE_ROWS) for rows in chunks)
        for rows in itertools.islice(pieces, MIXTURE_CHUNKS):
            found = function(rows.x, lambda rows: Spool(self.train.cache_limit, expected=rows))
            yield self.train.by_member(members, found), rows.y, rows.w
