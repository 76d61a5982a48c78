"""`Tracker`: what callbacks that log to a tracking tool have in common."""

from typing import Any

import keras
from absl import logging

from adaptive_nets._checks import show

# Arguments of a search that say how it runs, not what it looks for.
_HOW = frozenset(("model_dir", "checkpoint_seconds", "cache_bytes", "verbose"))


class Tracker(keras.callbacks.Callback):
    """Follows a search, an `AutoClassifier` or `AutoRegressor`, or `keras.Model.fit`.

    Derived classes say where things are written: `start`, `log` and `finish`. What cannot be
    written once training has begun is a warning, and training goes on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._estimator = None

    def start(self, parameters: dict[str, Any]) -> None:
        """Called once before training.

        Args:
            parameters: The arguments of the estimator or of the search, by name: numbers, text,
                booleans or `None`.
        """

    def log(self, metrics: dict[str, float], step: int) -> None:
        """Called after each round, or after each epoch of `keras.Model.fit`.

        Args:
            metrics: The metrics of the round; `val_...` were measured on held-out rows.
            step: The round or epoch, from 1.
        """

    def finish(self, found: Any, failed: bool) -> None:
        """Called once after training.

        Args:
            found: The estimator, the search or the Keras model.
            failed: Whether training ended with an error.
        """

    def on_fit_begin(self, estimator: Any) -> None:
        """Called by `AutoClassifier.fit` and `AutoRegressor.fit`, which run a search."""
        self._estimator = estimator
        self.start(parameters_of(estimator))

    def on_fit_end(self, estimator: Any, failed: bool) -> None:
        """Called by them when they end, or fail."""
        self._estimator = None
        self._try(lambda: self.finish(estimator, failed))

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self._estimator is None and self._writes:
            self.start(parameters_of(self.followed))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self._writes:
            found = {name: float(value) for name, value in (logs or {}).items()}
            self._try(lambda: self.log(found, epoch + 1))

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._estimator is None and self._writes:
            failed = bool(getattr(self.model, "failed", False))
            self._try(lambda: self.finish(self.followed, failed))

    @property
    def followed(self) -> Any:
        """The `AdaNet` that is trained, or the Keras model."""
        return getattr(self.model, "search", self.model)

    @property
    def _writes(self) -> bool:
        """Whether this process is the one of several that writes."""
        return getattr(self.followed, "is_chief", True)

    def _try(self, work):
        try:
            work()
        except Exception as error:
            # Trackers raise errors of their own kinds, for servers that do not answer.
            logging.warning(
                "%s could not write (%s: %s): training goes on without it.",
                type(self).__name__, type(error).__name__, str(error).partition("\n")[0],
            )  # fmt: skip


def parameters_of(followed: Any) -> dict[str, Any]:
    """Returns the arguments of an estimator or a search as plain values.

    Args:
        followed: An estimator of scikit-learn's kind, an `AdaNet`, or a Keras model.
    """
    if isinstance(followed, keras.Model):
        return {"model": followed.name, "parameters": followed.count_params()}
    if hasattr(followed, "settings"):
        given = followed.settings.as_arguments()
        given["seed"] = followed.seed
    else:
        given = followed.get_params(deep=False)
    return {name: plain(value) for name, value in given.items() if name not in _HOW}


def plain(value: Any) -> Any:
    """Returns a number, a boolean, text or `None` as it is, and a short text for anything else."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return show(value)
