"""Which candidate ensembles a round tries, and which of them it selects."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from absl import logging

from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.candidates.strategy import Candidate, Strategy, propose_candidates
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.scoring import ScoredCandidate
from adaptive_nets.adanet.rounds.timing.budget import ENDLESS_STEPS, LEAST_SHARE


class DivergedError(RuntimeError):
    """All subnetworks of a round had a non-finite loss."""


def select_best(
    scored: list[ScoredCandidate],
    previous: Ensemble | None,
    force_grow: bool,
    unit: float = 1.0,
) -> ScoredCandidate | None:
    """Returns the candidate ensemble with the lowest objective, or `None` if none is better.

    One in which no new subnetwork is left does not compete. Among equals, the smallest wins. The
    previous ensemble competes as well, so a round that does not lower the objective ends the search
    (AdaNet, figure 3), unless `force_grow` is set. Objectives are equal within the
    rounding of numbers of the size of `unit`, that of the loss.
    """
    field = [c for c in scored if np.isfinite(c.ensemble.objective) and c.new]
    if not field:
        return None
    best = min(c.ensemble.objective for c in field)
    slack = 1e-12 * max(unit, abs(best))
    equal = [c for c in field if c.ensemble.objective <= best + slack]
    winner = min(equal, key=lambda c: c.ensemble.parameters)
    if previous is not None and not force_grow and best >= previous.objective - slack:
        return None
    return winner


def trained_enough(round_: Round, previous: Ensemble | None) -> list[str]:
    """Returns the subnetworks of a round that was cut short that may be judged.

    One that has trained less than a tenth of the round's steps is hardly more than its random
    initial weights, and does not compete. With early stopping, one that has stopped has trained
    enough, and so has one that has trained for as many steps as it is waited for. Without a
    previous ensemble there is nothing else to return, so all compete anyway, with a warning.

    Args:
        round_: The `Round`.
        previous: The current ensemble, or `None`.
    """
    training, best = round_.progress, round_.trainer.best
    least = LEAST_SHARE * round_.steps
    if best is not None:
        least = min(least, best.rule.patience)
    survivors = [m.builder for m in round_.survivors]
    stopped = [m.builder for m, step in zip(round_.members, training.stopped, strict=True) if step]
    if training.step >= least:
        return survivors
    if previous is None and not stopped:
        # A round without an end is always cut short.
        told = logging.info if round_.steps >= ENDLESS_STEPS else logging.warning
        told(
            "The first round was stopped after %d of %d steps. The ensemble is hardly trained: "
            "allow more time or steps, or call fit again, which goes on with the round.",
            training.step, round_.steps,
        )  # fmt: skip
        return survivors
    return stopped


def candidate_ensembles(
    round_: Round,
    strategies: list[Strategy],
    previous: Ensemble | None,
    judged: list[str] | None = None,
) -> list[Candidate]:
    """Returns the candidate ensembles of the subnetworks that did not diverge.

    Args:
        round_: The `Round`.
        strategies: The ensemble strategies.
        previous: The current ensemble, or `None`.
        judged: Which of these subnetworks compete. Defaults to `None`: all.

    Raises:
        DivergedError: All subnetworks have diverged.
    """
    if not round_.survivors:
        failed = ", ".join(
            f"{m.builder} (step {s})"
            for m, s in zip(round_.members, round_.progress.diverged, strict=True)
        )
        raise DivergedError(
            f"All subnetworks of round {round_.number} had a non-finite loss: {failed}. The "
            "previous ensemble, if any, is kept. Lower the learning rate or clip gradients."
        )
    names = [m.builder for m in round_.survivors] if judged is None else judged
    if not names:
        return []
    return propose_candidates(strategies, names, previous is not None, round_.number)


def pruned(
    candidates: list[Candidate], builders: Sequence[Builder], previous: Ensemble | None
) -> list[Candidate]:
    """Returns candidate ensembles with the previous members that all of their builders keep.

    Raises:
        ValueError: A builder keeps a member that there is not.
    """
    if previous is None:
        return candidates
    kept = {builder.name: builder.keeps(previous) for builder in builders}
    found = []
    for candidate in candidates:
        named = [set(names) for name in candidate.new if (names := kept[name]) is not None]
        places = candidate.places(previous) if named else ()
        if places:
            # Checks the names, too.
            for name in candidate.new:
                Candidate(name, tuple(kept[name] or ()), ()).places(previous)
            members = [previous.members[place].name for place in places]
            left = tuple(name for name in members if all(name in each for each in named))
            candidate = dataclasses.replace(candidate, previous=left)
        found.append(candidate)
    return found
