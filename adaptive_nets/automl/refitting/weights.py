"""`remember_weights`: the weights of classes, for a model that is trained again."""

import dataclasses
from collections.abc import Callable

import pandas as pd

from adaptive_nets.automl.fitted import Fitted
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.targets import Classes


def remember_weights(fitted: Fitted, weigh: Callable[[Labelled], Labelled]) -> None:
    """Keeps what weights of the rows of each class are multiplied by.

    Args:
        fitted: What `fit` leaves behind.
        weigh: Function that multiplies the weights of rows by those of their classes.
    """
    if isinstance(fitted.target, Classes):
        found = weigh(Labelled(pd.DataFrame(), fitted.target.labels, None)).w
        if found is not None:
            factors = tuple(map(float, found))
            fitted.choice = dataclasses.replace(fitted.choice, factors=factors)
