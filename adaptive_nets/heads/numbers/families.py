"""Families of `Distribution`: standard distributions of tensorflow-probability."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of distributions that differ in location and scale.

    Args:
        kind: Function from `tensorflow_probability.distributions` to the class.
        log: Whether it is the logarithm of a target that has the distribution. Defaults to `False`.
        shaped: Whether it has degrees of freedom. Defaults to `False`.
        convex: Whether -log f is convex for the standard density f. Defaults to `True`.
    """

    kind: Callable[[Any], Any]
    log: bool = False
    shaped: bool = False
    convex: bool = True

    def standard(self, df: float | None, dtype: str) -> Any:
        """Returns the distribution of location 0 and scale 1.

        Args:
            df: Degrees of freedom, or `None` for a family without them.
            dtype: Dtype of what it is asked for.
        """
        return self.made(df, np.zeros((), dtype), np.ones((), dtype), dtype)

    def made(self, df: float | None, location: Any, scale: Any, dtype: str) -> Any:
        """Returns a distribution of `tensorflow_probability`.

        Args:
            df: Degrees of freedom, or `None` for a family without them.
            location: Its location.
            scale: Its scale, in the shape of the location.
            dtype: Their dtype.
        """
        shape = {"df": np.asarray(df, dtype)} if self.shaped else {}
        return self.kind(distributions())(loc=location, scale=scale, **shape)

    def quantiles(self, df: float | None, levels: Sequence[float]) -> np.ndarray:
        """Returns quantiles of the standard distribution, in float64."""
        found = self.standard(df, "float64").quantile(np.asarray(levels, "float64"))
        return np.asarray(found)

    def deviation(self, df: float | None) -> float:
        """Returns the standard deviation of the standard distribution."""
        return float(self.standard(df, "float64").stddev())


FAMILIES = {
    "normal": Family(lambda known: known.Normal),
    "lognormal": Family(lambda known: known.Normal, log=True),
    "logistic": Family(lambda known: known.Logistic),
    "student_t": Family(lambda known: known.StudentT, shaped=True, convex=False),
}


def distributions() -> Any:
    """Returns `tensorflow_probability.distributions`.

    Raises:
        ImportError: It is not installed.
        ValueError: Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "heads.Distribution needs Keras' TensorFlow backend: set KERAS_BACKEND=tensorflow. "
            f"Received: {keras.backend.backend()!r}."
        )
    try:
        import tensorflow_probability as tfp

        # It loads its parts, and misses what these need, when one of them is used.
        _ = tfp.distributions.Normal
        return tfp.distributions
    except ImportError as error:
        reason = str(error).partition("\n")[0]
        raise ImportError(
            "heads.Distribution needs tensorflow-probability and tf-keras. Install both: "
            f"pip install 'adaptive-nets[probability]'. Received: {reason}."
        ) from error
