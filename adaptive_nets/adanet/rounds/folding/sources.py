"""What the networks of folds are trained and measured on."""

from collections.abc import Sequence

import numpy as np

from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.data.feeds import FiniteFeed, JoinedFeed
from adaptive_nets.data.folds import fold_numbers
from adaptive_nets.data.training_data import TrainingData


def assign_folds(context: SearchContext, data: FitData) -> np.ndarray | None:
    """Returns the number of each training row's fold, the same in all rounds, or `None`.

    Args:
        context: `SearchContext`.
        data: Checked `FitData`.
    """
    folds = context.settings.folds
    if folds is None:
        return None
    strata = context.head.strata(data.train.y)
    return fold_numbers(strata, len(data.train), folds, derive_seed(context.seed, "folds"))


def fold_feed(common: FiniteFeed, assigned: np.ndarray, folds: int, seed: int) -> JoinedFeed:
    """Returns the feed of all folds, whose source f has the rows outside fold f.

    Args:
        common: Feed of all rows.
        assigned: Number of each row's fold.
        folds: Number of folds.
        seed: Seed of the row orders.
    """
    return JoinedFeed(
        [
            common.variant(np.flatnonzero(assigned != fold), None, derive_seed(seed, fold))
            for fold in range(folds)
        ]
    )


def refuse_own_data(builders: Sequence[Builder], own: Sequence[TrainingData | None]) -> None:
    """Raises a `ValueError` if a builder has training data of its own."""
    names = [b.name for b, given in zip(builders, own, strict=True) if given is not None]
    if names:
        raise ValueError(
            f"Builder '{names[0]}' has its own training data, of which folds cannot be made. "
            "Search with folds=None, or let the builder train on the rows of fit."
        )


def check_folds(data: FitData, folds: int) -> None:
    """Raises a `ValueError` for training rows that cannot be divided into folds.

    Args:
        data: Checked `FitData`.
        folds: Number of folds.
    """
    if data.stream is not None:
        raise ValueError(
            f"folds requires finite data. Received: folds={folds} with an endless dataset."
        )
    if len(data.train) < 2 * folds:
        raise ValueError(
            f"folds={folds} requires at least {2 * folds} training rows. Received: "
            f"{len(data.train)} rows."
        )
