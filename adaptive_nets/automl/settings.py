"""What `AutoClassifier` and `AutoRegressor` are asked for, checked before work starts."""

import copy
import dataclasses
import math
import os
from typing import Any

import numpy as np

from adaptive_nets._checks import (
    check_choice,
    check_instance,
    check_integer,
    check_number,
    check_path,
    or_none,
    show,
)
from adaptive_nets._seeds import new_seed
from adaptive_nets.adanet import Generator
from adaptive_nets.adanet.monitoring.progress import make_progress
from adaptive_nets.adanet.rounds.folding.sources import check_fold_sizes
from adaptive_nets.automl.judging.scoring import Metric, make_metric
from adaptive_nets.data import Schema

# Seconds of a preset that has a limit of its own.
PRESETS = {"fast": 10.0, "good": None, "best": None}
# Folds of the preset "best".
BEST_FOLDS = 8
SEARCH_FOLDER = "search"


@dataclasses.dataclass(frozen=True)
class Settings:
    """The checked arguments of an estimator.

    Args:
        time_limit: Seconds, or `None`.
        preset: A key of `PRESETS`.
        metric: What candidates are compared by.
        schema: The `Schema` to read tables by, or `None`.
        generator: The generator, or `None` for that of the front.
        folds: Number of folds, or `None`.
        repeats: How often the rows are divided into folds.
        own_folds: Whether `"auto"` has chosen their number.
        model_dir: Absolute path, or `None`.
        seed: The seed.
        verbose: As for `AdaNet.fit`.
        distribute: As for `AdaNet`.
    """

    time_limit: float | None
    preset: str
    metric: Metric
    schema: Schema | None
    generator: Generator | None
    folds: int | None
    repeats: int
    own_folds: bool
    model_dir: str | None
    seed: int
    verbose: Any
    distribute: Any = None

    @classmethod
    def of(cls, estimator: Any, own: str) -> "Settings":
        """Reads the attributes of an estimator.

        Args:
            estimator: An `AutoClassifier` or `AutoRegressor`.
            own: The metric that `metric="auto"` is.

        Raises:
            ValueError: An argument is out of range.
            TypeError: An argument is of the wrong type.
        """
        limit, model_dir = estimator.time_limit, estimator.model_dir
        preset = check_choice("preset", estimator.preset, tuple(PRESETS))
        if estimator.schema is not None:
            check_instance("schema", estimator.schema, Schema, "a data.Schema, or None")
        if estimator.generator is not None:
            check_instance(
                "generator", estimator.generator, Generator, "an adanet.Generator, or None"
            )
        make_progress(estimator.verbose)
        if limit is not None and not (isinstance(limit, float) and limit == math.inf):
            limit = check_number("time_limit", limit, 0, inclusive=False)
        return cls(
            None if limit == math.inf else limit,
            preset,
            make_metric(estimator.metric, own),
            estimator.schema,
            # A search lays down its seed in it, and `fit` changes no argument of its estimator.
            copy.deepcopy(estimator.generator),
            *_read_folds(estimator.folds, estimator.repeats, preset),
            None if model_dir is None else check_path("model_dir", model_dir),
            # A fit that goes on in its folder must draw what it drew before.
            new_seed(0 if estimator.seed is None and model_dir is not None else estimator.seed),
            estimator.verbose,
            estimator.distribute,
        )

    def for_rows(self, rows: int, groups: np.ndarray | None) -> "Settings":
        """Returns the settings for some training rows, with fewer folds if these are too few.

        Args:
            rows: Number of training rows.
            groups: `[rows]` numbers of their groups, or `None`.

        Raises:
            ValueError: There are too few for the number of folds that was asked for.
        """
        if self.folds is None:
            return self
        if not self.own_folds:
            check_fold_sizes(self.folds, rows, groups)
            return self
        most = rows // 2 if groups is None else min(rows // 2, len(np.unique(groups)))
        if most < 2:
            return dataclasses.replace(self, folds=None, repeats=1)
        return dataclasses.replace(self, folds=min(self.folds, most))

    @property
    def seconds(self) -> float:
        """Seconds for all of `fit`: the limit, or the preset's own. Infinite without either."""
        given = self.time_limit if self.time_limit is not None else PRESETS[self.preset]
        return math.inf if given is None else given

    @property
    def search_folder(self) -> str | None:
        """Where the search keeps its state, or `None`."""
        return None if self.model_dir is None else os.path.join(self.model_dir, SEARCH_FOLDER)


def _read_folds(folds, repeats, preset):
    """Returns the number of folds, or `None`; that of repeats; and whether "auto" says so."""
    repeats = check_integer("repeats", repeats, 1)
    auto = isinstance(folds, str) and folds == "auto"
    if auto:
        found = BEST_FOLDS if preset == "best" else None
    else:
        try:
            found = or_none(check_integer, "folds", folds, 2)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "folds must be 'auto', None or a number of folds >= 2. "
                f"Received: folds={show(folds)}."
            ) from error
    if found is None and repeats > 1:
        raise ValueError(
            "repeats says how often the rows are divided into folds, and requires folds. Pass "
            f"folds=5 or preset='best', or leave repeats out. Received: folds={show(folds)}, "
            f"preset={preset!r}, repeats={repeats}."
        )
    return found, repeats, auto
