"""What a network has to beat: a constant, a linear model, and gradient boosting."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from threadpoolctl import threadpool_limits

from adaptive_nets.adanet.ensembles.outputs import Folds
from adaptive_nets.automl.baselines.linear import LinearColumns, LinearModel, quantiles_of

# Rows that the linear model and boosting are fitted on at most; they are shown for orientation.
MOST_ROWS = 50_000
_SHARED_VALUES = 1_000_000
# Boosting reads these as classes; others as numbers.
_MOST_VALUES = 255
# Iterations of boosting: those that are timed, the least that are worth showing, and all.
_PROBED, _LEAST_ITERATIONS, _ITERATIONS = 5, 10, 100
# Larger logarithms of numbers are those of none.
_LARGEST_LOGARITHM = 300.0


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A baseline's predictions of the held-out rows.

    Args:
        name: Its name on the leaderboard.
        outputs: `[rows, classes]` probabilities, `[rows, targets]` numbers or `[rows, levels]`
            quantiles; `None` if it was left out.
        seconds: Time to fit it.
        note: How it differs from what its name says, or `""`.
        model: The `LinearModel`, which can be served; `None` of the others.
    """

    name: str
    outputs: np.ndarray | None
    seconds: float
    note: str = ""
    model: LinearModel | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """Encoded rows to fit baselines on, and those to predict.

    Args:
        x: Encoded training rows.
        y: Class of each training row, or numbers `[rows, targets]`.
        weights: Weights of the training rows, or `None`.
        held: Encoded held-out rows.
        classes: Number of classes, or `None` for numbers.
        seed: Seed of random choices.
        rows: Number of training rows that these were drawn from. Defaults to `None`: they are all.
        power: Of the mean, that the variance of numbers is in proportion to, if they are fitted
            through a log link. Defaults to `0.0`: they are not.
        levels: Levels of the quantiles to predict. Defaults to `None`: the mean is.
    """

    x: Mapping[str, np.ndarray]
    y: np.ndarray
    weights: np.ndarray | None
    held: Mapping[str, np.ndarray]
    classes: int | None
    seed: int
    rows: int | None = None
    power: float = 0.0
    levels: tuple[float, ...] | None = None

    def first(self, most: int) -> "Task":
        """Returns the task with at most this many training rows, drawn at random."""
        if len(self.y) <= most:
            return self
        chosen = np.random.default_rng(self.seed).permutation(len(self.y))[:most]
        return dataclasses.replace(
            self,
            rows=self.rows or len(self.y),
            x={key: values[chosen] for key, values in self.x.items()},
            y=self.y[chosen],
            weights=None if self.weights is None else self.weights[chosen],
        )


def fit_baselines(task: Task, seconds: float) -> list[Baseline]:
    """Fits all baselines.

    Args:
        task: The rows.
        seconds: Time that they may take. What does not fit in is fitted on fewer rows or with
            fewer iterations, or left out; its note says so.
    """
    began = time.monotonic()
    found = [Baseline("constant", constant(task), time.monotonic() - began, on_rows(task))]
    # A logistic regression of so many rows takes a second or two.
    most = int(np.clip(4000 * seconds, 1000, MOST_ROWS))
    some = task.first(most)
    # As many weights, however many rows there is time for: a search that goes on has them already.
    found.append(_linear(some, LinearColumns.learn(task.x), on_rows(some)))
    left = seconds - (time.monotonic() - began)
    values = len(some.y) * sum(part[:1].size for part in some.x.values())
    # Threads that share few values mostly wait for each other.
    with threadpool_limits(1 if values < _SHARED_VALUES else None):
        boosted = _boosting(some, left, on_rows(some))
    return found if boosted is None else [*found, boosted]


def unseen_by_linear(
    task: Task, folds: Folds, outputs: Callable[[LinearModel, Mapping[str, np.ndarray]], np.ndarray]
) -> np.ndarray:
    """Returns outputs of linear models for the training rows, each by those that lack the row.

    Args:
        task: All training rows.
        folds: Their folds; a row's outputs are means over repeats.
        outputs: Function from a model and encoded rows to its outputs.
    """
    columns, total = LinearColumns.learn(task.x), None
    for fold in range(folds.numbers.max() + 1):
        outside, within = folds.outside(fold), folds.within(fold)
        part = dataclasses.replace(
            task,
            x={key: values[outside] for key, values in task.x.items()},
            y=task.y[outside],
            weights=None if task.weights is None else task.weights[outside],
        )
        model = LinearModel.fit(
            part.x, part.y, part.weights, part.classes, columns, part.power, part.levels
        )
        found = outputs(model, {key: values[within] for key, values in task.x.items()})
        if total is None:
            total = np.zeros((len(task.y), *found.shape[1:]))
        total[within] += found / folds.numbers.shape[1]
    return total


def on_rows(task: Task) -> str:
    """Returns which rows a baseline was fitted on, if these are not all."""
    return "" if task.rows is None else f"on {len(task.y)} of {task.rows} rows"


def constant(task: Task) -> np.ndarray:
    """Returns the shares of the classes, the mean or the quantiles, for every held-out row."""
    rows = len(next(iter(task.held.values())))
    if task.levels:
        one = quantiles_of(task.y[:, 0], task.weights, task.levels)
    elif task.classes is None:
        one = np.average(task.y, axis=0, weights=task.weights)
    else:
        one = np.bincount(task.y, task.weights, task.classes)
        one = one / one.sum()
    return np.tile(one, (rows, 1))


def _linear(task: Task, columns: LinearColumns, note: str) -> Baseline:
    began = time.monotonic()
    fitted = LinearModel.fit(
        task.x, task.y, task.weights, task.classes, columns, task.power, task.levels
    )
    outputs = fitted.outputs(task.held)
    if task.power:
        outputs = np.exp(np.minimum(outputs, _LARGEST_LOGARITHM))
    if task.classes == 2:
        outputs = np.concatenate([expit(-outputs), expit(outputs)], axis=1)
    elif task.classes is not None:
        outputs = softmax(outputs, axis=1)
    return Baseline("linear", outputs, time.monotonic() - began, note, fitted)


def _boosting(task: Task, seconds: float, note: str) -> Baseline | None:
    """Fits scikit-learn's HistGradientBoosting with as many iterations as there is time for."""
    if task.classes is None and task.y.shape[1] > 1:
        return None
    began = time.monotonic()
    x, coded = _table(task.x)
    held, _ = _table(task.held)
    options = {"categorical_features": coded, "random_state": task.seed}
    if task.power:
        # It has no loss between these two.
        options["loss"] = "gamma" if task.power == 2 else "poisson"
    if task.levels:
        return _boosted_quantiles(task, x, held, options, seconds, note)
    y = task.y if task.classes is not None else task.y[:, 0]
    count = 0
    if seconds > 0:
        # A few iterations tell how long each takes at most.
        probe = _kind(task)(max_iter=_PROBED, early_stopping=False, **options)
        probe.fit(x, y, task.weights)
        spent = time.monotonic() - began
        count = int(min(_ITERATIONS, _PROBED * (seconds - spent) / spent))
    if count < _LEAST_ITERATIONS:
        return Baseline("boosting", None, time.monotonic() - began, "left out: no time for it")
    made = _kind(task)(max_iter=count, **options).fit(x, y, task.weights)
    if count < _ITERATIONS:
        note = f"{note + ', ' if note else ''}stopped after {count} of {_ITERATIONS} iterations"
    if task.classes is None:
        outputs = made.predict(held)[:, None]
    else:
        outputs = np.zeros((len(held), task.classes))
        outputs[:, made.classes_] = made.predict_proba(held)
    return Baseline("boosting", outputs, time.monotonic() - began, note)


def _boosted_quantiles(task, x, held, options, seconds, note):
    """Fits boosting of each quantile with as many iterations as there is time for."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    def fit(level, count, **more):
        kind = HistGradientBoostingRegressor(
            loss="quantile", quantile=level, max_iter=count, **options, **more
        )
        return kind.fit(x, task.y[:, 0], task.weights)

    began, count = time.monotonic(), 0
    if seconds > 0:
        fit(task.levels[0], _PROBED, early_stopping=False)
        each = (time.monotonic() - began) / _PROBED
        count = int(min(_ITERATIONS, seconds / (each * len(task.levels))))
    if count < _LEAST_ITERATIONS:
        return Baseline("boosting", None, time.monotonic() - began, "left out: no time for it")
    found = np.stack([fit(level, count).predict(held) for level in task.levels], axis=1)
    if count < _ITERATIONS:
        note = f"{note + ', ' if note else ''}stopped after {count} of {_ITERATIONS} iterations"
    return Baseline("boosting", np.sort(found, axis=1), time.monotonic() - began, note)


def _kind(task: Task) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return HistGradientBoostingRegressor if task.classes is None else HistGradientBoostingClassifier


def _table(encoded: Mapping[str, np.ndarray]) -> tuple[np.ndarray, list[int]]:
    """Returns numbers and categories as one array, and the columns that are categories."""
    parts = [encoded[key] for key in ("numbers", "missing") if key in encoded]
    width, coded = sum(part.shape[1] for part in parts), []
    if "categories" in encoded:
        values = encoded["categories"]
        # Rare and unseen values beyond what boosting takes are one.
        parts.append(np.minimum(values, _MOST_VALUES - 1))
        coded = list(range(width, width + values.shape[1]))
    if "tokens" in encoded:
        parts.append(_counts(encoded["tokens"]))
    return np.concatenate([np.asarray(part, "float32") for part in parts], axis=1), coded


def _counts(tokens: np.ndarray, width: int = 64) -> np.ndarray:
    """Returns how often the tokens of a text fall into each of a few classes."""
    flat = tokens.reshape(len(tokens), -1)
    found = np.zeros((len(flat), width), "float32")
    rows = np.repeat(np.arange(len(flat)), flat.shape[1])
    kept = flat.ravel() > 0
    np.add.at(found, (rows[kept], flat.ravel()[kept] % width), 1)
    return found
