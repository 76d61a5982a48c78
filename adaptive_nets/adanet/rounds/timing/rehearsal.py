"""Measures on a part of the rows what it takes to decide a round."""

import copy
from collections.abc import Sequence

import keras
import numpy as np

from adaptive_nets.adanet.candidates.strategy import Candidate
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.rounds.finalize import RECALIBRATION_ROWS
from adaptive_nets.adanet.rounds.scoring import CandidateScorer
from adaptive_nets.adanet.rounds.timing.budget import ClosingCost
from adaptive_nets.data.rows import draw_rows
from adaptive_nets.machine import clock
from adaptive_nets.majority.recalibrate import normalizations

FEW_ROWS = 2048


def rehearse_closing(
    scorer: CandidateScorer,
    candidates: Sequence[Candidate],
    members: Sequence[Member],
    previous: Ensemble | None,
    seconds: float,
) -> ClosingCost:
    """Returns what it will take to score the candidate ensembles of a round.

    The untrained subnetworks are scored on few rows, then on more; what a row costs is the
    difference. Nothing of it is kept but what has been traced.

    Args:
        scorer: `CandidateScorer` of all rows.
        candidates: The round's candidate ensembles.
        members: The round's subnetworks.
        previous: The current ensemble, or `None`.
        seconds: Time that may be spent on it.
    """
    largest = max(len(view.rows) for view in scorer.views)
    share = few = min(1.0, FEW_ROWS / largest)
    arguments = candidates, members, previous
    # No rows of a stream are used up.
    finite = copy.copy(scorer)
    finite.chunks = None
    # The first time also traces what later rounds do not trace again.
    _score(on_part(finite, few), *arguments)
    began = clock.now()
    found = newest = _score(on_part(finite, few), *arguments)
    # Until the rows, and not what comes with each call, take most of the time.
    while (
        share < 1.0
        and newest < 3 * found
        and (share == few or clock.now() - began + 8 * (newest - found) < seconds)
    ):
        share = min(1.0, 8 * share)
        newest = _score(on_part(finite, share), *arguments)
    slope = 0.0
    if few < 1.0:
        slope = max(0.0, newest - found) / (share - few) if share > few else found / few
    statistics = sum(_statistics_seconds(member, scorer.train) for member in members)
    return ClosingCost(max(0.0, found - slope * few) + statistics, slope)


def on_part(scorer: CandidateScorer, share: float, least: int = 1) -> CandidateScorer:
    """Returns a scorer of rows drawn at random, the same each time: a share of every data set.

    Args:
        scorer: The scorer of all rows.
        share: The share of the rows.
        least: The fewest rows that a data set keeps, if it has as many. Defaults to 1.
    """
    parts = {id(view): _part(view, share, least, scorer.head) for view in scorer.views}
    given = (scorer.train, scorer.valid, scorer.judged, scorer.reported, scorer.weighed)
    *own, weighed = [view and parts[id(view)] for view in given]
    return CandidateScorer(
        scorer.head, scorer.ensembler, scorer.evaluator, *own, scorer.chunks, weighed
    )


def _part(view, share, least, head):
    count = len(view.rows)
    wanted = max(round(share * count), least)
    if wanted < count:
        chosen = draw_rows(head.strata(view.rows.y), count, wanted, seed=0)
    else:
        chosen = slice(None)
    part = OutputCache(view.rows.take(chosen), view.keep_last_layer, view.cache_limit)
    part.folds = None if view.folds is None else view.folds.take(chosen)
    part.cache = {key: outputs[chosen] for key, outputs in view.cache.items()}
    return part


def _score(scorer, candidates, members, previous):
    """Scores all candidate ensembles; returns the seconds without those for kept outputs."""
    if previous is not None:
        for view in scorer.views:
            view.outputs(previous.members)
    began = clock.now()
    scorer.prepare(list(members))
    new = {m.builder: m for m in members}
    scored = [scorer.score_candidate(c, 0, new, previous) for c in candidates]
    for member in members:
        scorer.single_loss(member)
        scorer.report(member, scored)
    return clock.now() - began


def _statistics_seconds(member, train):
    """Returns the seconds to estimate a member's batch statistics again, from one batch."""
    if not normalizations(member.model):
        return 0.0
    some = np.arange(min(256, len(train.rows)))
    given = keras.tree.map_structure(
        lambda x: x[some], member.feed(train.rows.x, train.hidden([member]))
    )
    member.model(given, training=False)
    began = clock.now()
    member.model(given, training=False)
    each = clock.now() - began
    return each * min(RECALIBRATION_ROWS, len(train.rows)) / len(some)
