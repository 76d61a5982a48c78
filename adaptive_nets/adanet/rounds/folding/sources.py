"""What the networks of folds are trained and measured on."""

from collections.abc import Sequence

import numpy as np

from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.ensembles.outputs import Folds
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.data.feeds import FiniteFeed, JoinedFeed
from adaptive_nets.data.folds import repeated_fold_numbers
from adaptive_nets.data.training_data import TrainingData


def assign_folds(context: SearchContext, y: np.ndarray, groups: np.ndarray | None) -> Folds | None:
    """Returns the folds of the training rows, the same in all rounds, or `None`.

    Args:
        context: `SearchContext`.
        y: Encoded labels of the training rows.
        groups: `[rows]` numbers of their groups, or `None`.
    """
    settings = context.settings
    if settings.folds is None:
        return None
    numbers = repeated_fold_numbers(
        context.head.strata(y), len(y), settings.folds, settings.repeats,
        derive_seed(context.seed, "folds"), groups,
    )  # fmt: skip
    return Folds(numbers, context.head.mean_of)


def fold_feed(common: FiniteFeed, assigned: Folds, networks: int, seed: int) -> JoinedFeed:
    """Returns the feed of all folds, whose source f has the rows outside fold f.

    Args:
        common: Feed of all rows.
        assigned: The rows' folds.
        networks: Number of folds, in all repeats together.
        seed: Seed of the row orders.
    """
    return JoinedFeed(
        [
            common.variant(assigned.outside(fold), None, derive_seed(seed, fold))
            for fold in range(networks)
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
    check_fold_sizes(folds, len(data.train), data.groups)


def check_fold_sizes(folds: int, rows: int, groups: np.ndarray | None) -> None:
    """Raises a `ValueError` for rows that are too few, or of too few groups.

    Args:
        folds: Number of folds.
        rows: Number of training rows.
        groups: `[rows]` numbers of their groups, or `None`.
    """
    if rows < 2 * folds:
        raise ValueError(
            f"folds={folds} requires at least {2 * folds} training rows. Received: {rows} rows."
        )
    count = None if groups is None else len(np.unique(groups))
    if count is not None and count < folds:
        raise ValueError(
            f"folds={folds} requires at least {folds} groups among the training rows, because rows "
            f"of one group are in the same fold. Received: {count} groups."
        )
