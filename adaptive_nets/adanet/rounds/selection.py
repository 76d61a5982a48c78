"""Which candidate ensembles a round tries, and which of them it selects."""

import numpy as np
from absl import logging

from adaptive_nets.adanet.candidates.strategy import Candidate, Strategy, propose_candidates
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.scoring import ScoredCandidate
from adaptive_nets.adanet.rounds.timing.budget import LEAST_SHARE


class DivergedError(RuntimeError):
    """All subnetworks of a round had a non-finite loss."""


def select_best(
    scored: list[ScoredCandidate],
    previous: Ensemble | None,
    force_grow: bool,
    unit: float = 1.0,
) -> ScoredCandidate | None:
    """Returns the candidate ensemble with the lowest objective, or `None` if none is better.

    Among equals, the smallest wins. The previous ensemble competes as well, so a round that does
    not lower the objective ends the search (AdaNet, figure 3), unless `force_grow` is set.
    Objectives are equal within the rounding of numbers of the size of `unit`, that of the loss.
    """
    field = [c for c in scored if np.isfinite(c.ensemble.objective)]
    if not field:
        return None
    best = min(c.ensemble.objective for c in field)
    slack = 1e-12 * max(unit, abs(best))
    equal = [c for c in field if c.ensemble.objective <= best + slack]
    winner = min(equal, key=lambda c: c.ensemble.parameters)
    if previous is not None and not force_grow and best >= previous.objective - slack:
        return None
    return winner


def trained_enough(round_: Round, previous: Ensemble | None) -> bool:
    """Returns whether a round that was cut short may be judged.

    Subnetworks that have trained less than a tenth of the round's steps are hardly more than
    their random initial weights, and do not compete. Without a previous ensemble there is
    nothing else to return, so they compete anyway, with a warning.

    Args:
        round_: The `Round`.
        previous: The current ensemble, or `None`.
    """
    step = round_.training.step
    if step >= LEAST_SHARE * round_.steps:
        return True
    if previous is None:
        logging.warning(
            "The first round was stopped after %d of %d steps. The ensemble is hardly trained: "
            "allow more time or steps, or call fit again, which goes on with the round.",
            step, round_.steps,
        )  # fmt: skip
    return previous is None


def candidate_ensembles(
    round_: Round, strategies: list[Strategy], previous: Ensemble | None
) -> list[Candidate]:
    """Returns the candidate ensembles of the subnetworks that did not diverge."""
    names = [
        m.builder
        for m, step in zip(round_.members, round_.training.diverged, strict=True)
        if not step
    ]
    if not names:
        failed = ", ".join(
            f"{m.builder} (step {s})"
            for m, s in zip(round_.members, round_.training.diverged, strict=True)
        )
        raise DivergedError(
            f"All subnetworks of round {round_.number} had a non-finite loss: {failed}. The "
            "previous ensemble, if any, is kept. Lower the learning rate or clip gradients."
        )
    return propose_candidates(strategies, names, previous is not None, round_.number)
