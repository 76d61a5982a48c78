"""`Board`: the leaderboard, baselines first, all measured on the same held-out rows."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from absl import logging

from adaptive_nets.adanet.inspection.leaderboard import Leaderboard
from adaptive_nets.automl.baselines.fit_baselines import Baseline
from adaptive_nets.automl.deciding.asked import Asked
from adaptive_nets.automl.deciding.decision import Decision
from adaptive_nets.automl.deciding.tuning import tune
from adaptive_nets.automl.judging.scoring import Metric, measure_classes, measure_numbers, score
from adaptive_nets.automl.targets import Classes, Target

if TYPE_CHECKING:
    from adaptive_nets.adanet import AdaNet

# The log loss of weighted rows, by which networks are trained and weighed.
WEIGHTED = "weighted_log_loss"


class Board:
    """Collects the rows of the leaderboard.

    Args:
        metric: What candidates are compared by.
        target: The target.
        held: The held-out `Labelled` rows, or `None`.
        rule: What is predicted, if that is not said. Defaults to `None`: the most probable class.
        asked: Weights that classes have in training. Defaults to `None`: none.
    """

    def __init__(
        self,
        metric: Metric,
        target: Target,
        held: Any,
        rule: Decision | None = None,
        asked: Asked | None = None,
    ):
        self.metric, self.target, self.held = metric, target, held
        self.rule, self._asked = rule, asked or Asked(target)
        self._rows = []
        self.baselines: list[Baseline] = []

    def add_baseline(self, baseline: Baseline) -> None:
        """Adds a baseline."""
        self.baselines.append(baseline)
        self._add(baseline.name, "baseline", baseline.outputs, baseline.seconds, baseline.note)

    def add_distilled(self, outputs: np.ndarray | None, costs: dict[str, Any]) -> None:
        """Adds the model that another one was distilled from.

        Args:
            outputs: Its outputs for the held-out rows, or `None` if there are none.
            costs: What it takes to serve it, by name.
        """
        self._add("distilled model", "teacher", outputs, float("nan"), "", costs=costs)

    def add_served(
        self,
        outputs: np.ndarray | None,
        seconds: float,
        note: str,
        chosen: np.ndarray | None = None,
        costs: dict[str, Any] | None = None,
    ) -> None:
        """Adds the model that is served.

        Args:
            outputs: Its outputs for the held-out rows, or `None` if there are none.
            seconds: Time that it took.
            note: How it came to be, or `""`.
            chosen: Positions of the classes that it predicts. Defaults to `None`: as `rule` says.
            costs: What it takes to serve it, by name. Defaults to `None`: it was not measured.
        """
        self._add("served model", "served", outputs, seconds, note, chosen, costs)
        if np.isnan(self._rows[-1].get(self.metric.name, 0.0)):
            logging.warning(
                "metric='%s' is not defined for the model's predictions of the held-out rows. "
                "Models were compared by the %s instead.", self.metric.name, self._usual,
            )  # fmt: skip

    def add_search(self, search: "AdaNet") -> None:
        """Adds the candidate ensembles of a search."""
        found = search.leaderboard()
        for entry in found.to_dict("records"):
            if isinstance(self.target, Classes):
                if self._asked.factors is None:
                    measured = {name: entry[f"val_{name}"] for name in ("log_loss", "accuracy")}
                else:
                    measured = {WEIGHTED: entry["val_log_loss"]}
                if "auc" in found.columns:
                    measured["roc_auc"] = entry["val_auc"]
            else:
                measured = self.target.searched(entry)
            self._rows.append(
                {
                    "model": f"round {entry['round']}: {entry['candidate']}",
                    "kind": "ensemble",
                    **measured,
                    "seconds": entry["seconds"],
                    "note": entry["status"],
                }
            )

    def is_better(self, outputs: np.ndarray, than: np.ndarray) -> bool:
        """Returns whether outputs for the held-out rows are better than others by the metric.

        Where it is defined for neither, they are compared by log loss or root mean squared error.
        """
        held = self.held
        found = [
            self.measure(held.y, each, held.w, self.predicted(each)) for each in (outputs, than)
        ]
        first, second = (each[self.metric.name] for each in found)
        if np.isnan(first) and np.isnan(second):
            return found[0][self._usual] < found[1][self._usual]
        return np.isnan(second) or self.metric.better(first, second)

    def predicted(self, outputs: np.ndarray) -> np.ndarray | None:
        """Returns the classes that outputs for the held-out rows lead to.

        Thresholds and factors are tuned if the metric reads them, each on other rows than those
        that it decides.

        Args:
            outputs: What a model predicts.

        Returns:
            `[rows]` positions of classes, or `None` if `rule` says them, or for numbers.
        """
        if not isinstance(self.target, Classes) or (self.rule and self.rule.costs is not None):
            return None
        codes = self.target.codes(self.held.y)
        return tune(self.metric, self.target.labels, codes, outputs, self.held.w, self.rule)[1]

    @property
    def _usual(self):
        return "log_loss" if isinstance(self.target, Classes) else self.target.main_measure

    def _add(self, name, kind, outputs, seconds, note, chosen=None, costs=None):
        measured = {}
        if outputs is not None:
            held = self.held
            chosen = self.predicted(outputs) if chosen is None else chosen
            measured = self.measure(held.y, outputs, held.w, chosen)
            if self._asked.factors is not None:
                codes, w = self.target.codes(held.y), self._asked.weigh(held).w
                weighted = measure_classes(codes, self._asked.as_weighted(outputs), w)
                measured[WEIGHTED] = weighted["log_loss"]
        measured |= costs or {}
        row = {"model": name, "kind": kind, **measured, "seconds": seconds, "note": note}
        self._rows.append(row)

    def measure(
        self,
        y: Any,
        outputs: np.ndarray,
        weights: np.ndarray | None = None,
        chosen: np.ndarray | None = None,
    ) -> dict[str, float]:
        """Returns the metrics of outputs, that of the settings first.

        Args:
            y: Labels.
            outputs: Probabilities `[rows, classes]`, or predicted numbers.
            weights: `[rows]` weights, or `None`.
            chosen: `[rows]` positions of the classes that are predicted. Defaults to `None`: as
                `rule` says.
        """
        classes = isinstance(self.target, Classes)
        if classes:
            codes = self.target.codes(y)
            if chosen is None and self.rule is not None:
                chosen = self.rule.chosen(outputs)
            found = measure_classes(codes, outputs, weights, chosen)
            if self.rule is not None and self.rule.costs is not None:
                found["cost"] = self.rule.cost(codes, chosen, weights)
        else:
            y, outputs = np.asarray(y, "float64"), np.asarray(outputs)
            if self.target.levels is None:
                outputs = outputs.reshape(y.shape)
            found = self.target.measures(y, outputs, weights)
            outputs = self.target.point(outputs)
            found |= measure_numbers(y, outputs, weights)
        if self.metric.scorer is None:
            return found
        labels = self.target.labels if classes else None
        if classes:
            y = labels[codes]
        value = score(self.metric, y, outputs, labels, weights, chosen)
        return {self.metric.name: value, **found}

    def frame(self) -> Leaderboard:
        """Returns the leaderboard."""
        frame = pd.DataFrame(self._rows)
        last = ["seconds", "note"]
        return as_board(frame[[name for name in frame.columns if name not in last] + last])


def as_board(frame: pd.DataFrame) -> Leaderboard:
    """Returns a leaderboard of estimators as it is printed: the metric first, and what fits.

    Args:
        frame: Its rows; the metric is the column after `kind`.
    """
    board = Leaderboard(frame)
    after = frame.columns[list(frame.columns).index("kind") + 1]
    # Without held-out rows no metric is measured.
    board.main_metric = None if after in ("seconds", "parameters") else after
    return board
