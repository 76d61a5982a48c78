"""`Reports`: the report of a fitted estimator, as a page, as data, or as a folder."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from adaptive_nets.automl.judging.board import Board
from adaptive_nets.automl.judging.scoring import make_metric, metric_for
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.reporting.record import Held, Record
from adaptive_nets.automl.reporting.sections import Told, estimator_report
from adaptive_nets.automl.targets import Classes
from adaptive_nets.report import Report, write_report
from adaptive_nets.report.files import check_report_path


class Reports:
    """An estimator that reports on its fit."""

    def report(
        self, path: str | os.PathLike, X: Any = None, y: Any = None, *, time_limit: float = 4.0
    ) -> Path | list[Path]:
        """Writes a report: how good the model is, on what data, why, and how it was found.

        Args:
            path: A file that ends in `.html` (one page that needs no network) or `.json`, or a
                folder for CSV tables, PNG charts and the page.
            X: Rows to measure the model on, as for `evaluate`. Defaults to `None`: the rows that
                `fit` has held out.
            y: Their labels, or the name of their column. Defaults to `None`: the column that `fit`
                took.
            time_limit: Seconds for importances and partial dependence. Defaults to 4.

        Returns:
            The path; of a folder, a list of the paths of its files.

        Raises:
            ImportError: The extra `report` is not installed, which all but JSON needs.
            ValueError: The path ends like another file, or the rows do not suit the model.

        Example:

        ```python
        from sklearn.datasets import load_iris
        import adaptive_nets as an

        x, y = load_iris(return_X_y=True, as_frame=True)
        model = an.AutoClassifier(time_limit=0.1, seed=0, verbose=0).fit(x, y)
        model.report("iris.json")
        ```
        """
        check_is_fitted(self)
        path = check_report_path(path)
        return write_report(self.report_data(X, y, time_limit=time_limit), path)

    def report_data(self, X: Any = None, y: Any = None, *, time_limit: float = 4.0) -> Report:
        """Returns what `report` writes, as a `report.Report` of named DataFrames.

        Args:
            X: Rows to measure the model on. Defaults to `None`: the rows that `fit` has held out.
            y: Their labels, or the name of their column. Defaults to `None`.
            time_limit: Seconds for importances and partial dependence. Defaults to 4.

        Returns:
            The report: `print(report)` says what it holds, and `report["leaderboard"]` is a frame.
        """
        check_is_fitted(self)
        fitted = self._fitted
        record = fitted.record or Record({})
        held, tested, where = record.held, {}, None
        rows = None if held is None or held.table is None else self._rows_held(held)
        if X is None and y is not None:
            raise ValueError("y must be None where X is: there are no rows that it belongs to.")
        outputs = None
        if X is not None:
            rows = self._judged(X, y, None)
            outputs = fitted.outputs(rows.x)
            where = f"the {len(rows.x):,} rows passed to the report"
        classes = fitted.target.labels if isinstance(fitted.target, Classes) else None
        # Without rows there is nothing to measure: any numbers do.
        known = next((each.y for each in (rows, held) if each is not None), np.arange(1.0, 4.0))
        metric = metric_for(make_metric(self.metric, self._own_metric), classes, known)
        if outputs is not None:
            tested = Board(metric, fitted.target, None).measure(rows.y, outputs, rows.w)
        about = Told(fitted, record, metric, self.get_params(), tested, where, outputs)
        return estimator_report(about, self, rows, time_limit)

    def _rows_held(self, held: Held) -> Labelled:
        """Returns the held-out rows whose features are still known, with their labels."""
        target = self._fitted.target
        y = held.y[: len(held.table)]
        labels = target.labels[y] if isinstance(target, Classes) else y
        return Labelled(pd.DataFrame(held.table), labels, None)
