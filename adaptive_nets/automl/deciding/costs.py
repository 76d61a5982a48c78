"""Reads `costs`: what it costs to predict one class where another one is true."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets._checks import check_number, show
from adaptive_nets.automl.targets import Classes
from adaptive_nets.data.columns.naming import some

_FORMS = (
    "a dict such as {('no', 'yes'): 5} from pairs (true class, predicted class) to costs, or a "
    "matrix with a row for each true class and a column for each predicted one"
)


def read_costs(target: Classes, given: Any) -> np.ndarray:
    """Returns the costs `[classes, classes]`, by true and predicted class.

    Args:
        target: The target.
        given: What was passed for `costs`: a dict from pairs, in which other wrong predictions
            cost 1 and right ones nothing; or a matrix in the order of the classes, or a DataFrame
            whose index and columns name them.

    Raises:
        ValueError: It is neither, names an unknown class, holds a number that is negative or not
            finite, or says that a right prediction costs more than a wrong one.
    """
    count = len(target.labels)
    read = _of_pairs if isinstance(given, Mapping) else _of_matrix
    costs = read(target, given)
    right = np.diag(costs)
    wrong = (right[:, None] > costs).any(axis=1)
    if wrong.any():
        place = int(np.argmax(wrong))
        label = target.labels.tolist()[place]
        raise ValueError(
            "costs must not be larger for the right prediction than for a wrong one. Received: "
            f"{right[place]:g} for the class {show(label)} where it is predicted, and "
            f"{costs[place].min():g} for another prediction."
        )
    if (costs == right[:, None]).all():
        raise ValueError(
            "costs must tell right from wrong predictions: at least one wrong prediction must cost "
            f"more than the right one. Received: {count} x {count} costs that are all alike."
        )
    return costs


def _of_pairs(target, given):
    count = len(target.labels)
    costs = 1.0 - np.eye(count)
    if not given:
        raise ValueError(f"costs must be {_FORMS}. Received: costs={show(given)}.")
    found = set()
    for pair, cost in given.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(f"costs must be {_FORMS}. Received: the key {show(pair)}.")
        place = tuple(_place(target, label, pair) for label in pair)
        if place in found:
            raise ValueError(f"costs must name each pair of classes once. Received: {show(pair)}.")
        found.add(place)
        costs[place] = check_number(f"costs[{show(pair)}]", cost, 0)
    return costs


def _of_matrix(target, given):
    count, listed = len(target.labels), target.labels.tolist()
    if isinstance(given, pd.DataFrame):
        names = [[_place(target, label, label) for label in axis] for axis in given.axes]
        if any(sorted(each) != list(range(count)) for each in names):
            raise ValueError(
                f"costs must have one row and one column for each of the classes {some(listed)}. "
                f"Received: rows {some(given.index.tolist())}, columns "
                f"{some(given.columns.tolist())}."
            )
        given = given.to_numpy()[np.argsort(names[0])][:, np.argsort(names[1])]
    try:
        costs = np.asarray(given)
        fits = costs.shape == (count, count) and costs.dtype.kind in "iufO"
        costs = costs.astype("float64") if fits else None
    except (TypeError, ValueError):
        fits, costs = False, None
    if not fits:
        raise ValueError(
            f"costs must be {_FORMS}, {count} x {count} in the order of the classes "
            f"{some(listed)}. Received: costs={show(given)}."
        )
    for row in range(count):
        for column in range(count):
            check_number(f"costs[{row}][{column}]", costs[row, column], 0)
    return costs


def _place(target, label, pair):
    """Returns the position of a class."""
    try:
        return int(target.codes(np.array([label], dtype=object))[0])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"costs must name classes of the target, {some(target.labels.tolist())}. "
            f"Received: {show(pair)}."
        ) from error
