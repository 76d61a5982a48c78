"""`Refits`: an estimator that can be trained again on all rows."""

import copy
import dataclasses
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from adaptive_nets.automl.fitted import Fitted
from adaptive_nets.automl.refitting.choice import KeptRows
from adaptive_nets.automl.refitting.retrain import retrain
from adaptive_nets.automl.settings import Settings
from adaptive_nets.automl.targets import Classes
from adaptive_nets.data.tables.source import TableSource


class Refits:
    """What `AutoClassifier` and `AutoRegressor` do with what `fit` has chosen."""

    _fitted: Fitted

    def refit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Returns an estimator of the same networks, trained on all rows that are passed.

        `fit` holds rows out to choose by. Pass all rows here, those too: the networks that were
        chosen are trained again from new initial weights, each for as many steps as had led to its
        best weights, and what is known of the columns is learnt again. Mixture weights,
        temperature, intervals and class weights stay as they are. Nothing is chosen, so no rows
        are held out, and the figures of the leaderboard are those from before.

        The estimator itself does not change.

        Args:
            X: Features as for `fit`, or a table with the target among its columns.
            y: `[rows]` labels, or the name of their column. Defaults to `None`: the column that
                `fit` took.
            sample_weight: `[rows]` weights >= 0; rows of weight 0 are left out. Defaults to
                `None`.

        Returns:
            A fitted estimator of the same class and arguments. Its `search_` is the search that
            chose the networks.

        Raises:
            ValueError: The rows do not fit the model, or its networks cannot be built again. The
                message is one line.
        """
        check_is_fitted(self)
        fitted = self._fitted
        if fitted.choice is None:
            raise ValueError(
                "refit needs to know what was chosen. Expected an estimator from fit, or one that "
                "was saved by this version. Received: one that was saved before there was refit, "
                f"or distilled ({fitted.stop_reason})."
            )
        rows = self._judged(X, y, sample_weight)
        if isinstance(rows.x, TableSource):
            raise ValueError(
                "refit takes rows that fit into memory. Pass fewer rows. "
                f"Received: {len(rows.y):,} rows of {rows.x.name}."
            )
        settings, target = Settings.of(self, self._own_metric), fitted.target
        target.encode(rows.y)
        # What is wrong with a row is said before work.
        fitted.schema.read(rows.x)
        if isinstance(target, Classes):
            _check_all_classes(rows, target)
        model = retrain(fitted, settings, fitted.asked.weigh(rows))
        model = fitted.calibrated(fitted.asked.correct(model))
        board = fitted.board.copy()
        board.loc[board.index[-1], "note"] += (
            f"; refitted on {len(rows.y):,} rows, figures are those before"
        )
        found = dataclasses.replace(fitted, model=model, board=board, rows=KeptRows.of(rows, None))
        return self._copy_of(found)

    def _copy_of(self, fitted) -> Self:
        """Returns an estimator of the same arguments, with another model."""
        # Its arguments are those of this one, as `clone` would not keep them: by reference.
        made = copy.copy(self)
        made._fitted = fitted
        return made


def _check_all_classes(rows, target):
    """Refuses rows that lack a class."""
    codes = target.codes(rows.y)
    absent = np.setdiff1d(np.arange(len(target.labels)), codes)
    if len(absent):
        raise ValueError(
            "refit needs rows of every class. Pass all rows, those of fit too. Received: no row "
            f"of class {target.labels.tolist()[absent[0]]!r}."
        )
