"""Keras callbacks of a search."""

import os
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import check_path
from adaptive_nets.adanet.monitoring.callback import SearchCallback
from adaptive_nets.adanet.monitoring.check_callbacks import (
    Training,
    check_callbacks,
    list_callbacks,
    metric_directions,
)
from adaptive_nets.adanet.monitoring.observers import with_observers
from adaptive_nets.adanet.monitoring.search_model import SearchModel

if TYPE_CHECKING:
    from adaptive_nets.adanet.candidates.stock.learning_rates import LearningRates
    from adaptive_nets.adanet.checkpoints.checkpointer import Checkpointer


class Hooks:
    """Calls the methods of callbacks; epochs are rounds, and a batch is one compiled call.

    As a context manager, it calls `on_train_begin`, and `on_train_end` however training ended.

    Args:
        callbacks: `keras.callbacks.Callback`s, or `None`.
        search: `AdaNet`. Its `stop_training` ends the search.

    Raises:
        TypeError: Something in `callbacks` is not a Keras callback.
    """

    def __init__(self, callbacks: Any, search: Any):
        self._search, self._given = search, with_observers(list_callbacks(callbacks))
        self._backups = [
            each for each in self._given if type(each) is keras.callbacks.BackupAndRestore
        ]

    @property
    def shows_progress(self) -> bool:
        """Whether a callback displays the progress instead of the search itself."""
        return any(isinstance(each, keras.callbacks.ProgbarLogger) for each in self._given)

    def model_dir(self, own: str | os.PathLike | None) -> str | os.PathLike | None:
        """Returns the folder to keep the state in: the search's own, or a callback's."""
        if own is not None or not self._backups:
            self._backups = []
            return own
        self._folder = check_path("backup_dir", self._backups[0].backup_dir)
        return self._folder

    def check(self, keeper: "Checkpointer", validated: bool, apart: str | None) -> "Hooks":
        """Checks the callbacks, and connects them to the search.

        Args:
            keeper: `Checkpointer` of this call of `fit`.
            validated: Whether there is validation data.
            apart: The name of the placement if other processes train the subnetworks.

        Raises:
            ValueError: A callback cannot do in a search what it is for.
            ImportError: A callback needs a package that is not installed.
        """
        directions = metric_directions(keeper.context.head) if self._given else {}
        check_callbacks(self._given, Training(directions, validated, apart))
        self._keeper, self._model = keeper, SearchModel(self._search, keeper, directions)
        playing = [c for c in self._given if not isinstance(c, keras.callbacks.BackupAndRestore)]
        settings = keeper.context.settings
        self._callbacks = keras.callbacks.CallbackList(
            playing,
            epochs=settings.rounds,
            # Unknown where it follows from the data and the time.
            steps=None if settings.steps_per_iteration == "auto" else settings.steps,
            verbose=1 if self._search.is_chief else 0,
        )
        for callback in playing:
            callback.set_model(self._search if _is_own(callback) else self._model)
        return self

    def __enter__(self) -> "Hooks":
        self._callbacks.on_train_begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After an error the search keeps what it has, such as the checkpoint of its last round.
        self._model.failed = error is not None
        self._callbacks.on_train_end()
        finished = error is None and self._keeper.state.partial is None
        delete = any(backup.delete_checkpoint for backup in self._backups[:1])
        if delete and finished and self._keeper.writer is not None:
            self._keeper.writer.remove()

    @property
    def stop_requested(self) -> bool:
        """Whether a callback has requested the search to stop."""
        return bool(self._search.stop_training)

    @property
    def steps_per_call(self) -> float:
        """The most steps that the callbacks allow between their calls."""
        own = [c for c in self._callbacks.callbacks if isinstance(c, SearchCallback)]
        return min((c.steps_per_call for c in own if c.steps_per_call), default=float("inf"))

    @property
    def rate_factor(self) -> float:
        """What callbacks have multiplied all learning rates by."""
        return self._model.optimizer.factor

    def round_begin(self, number: int, names: list[str], rates: "LearningRates | None") -> None:
        """Called before a round is trained.

        Args:
            number: The round, from 1.
            names: Names of its subnetworks.
            rates: Their learning rates, or `None` if other processes train them.
        """
        self._model.optimizer.begin_round(rates)
        if self._callbacks.params["steps"] is None:
            # `ProgbarLogger` takes the steps of one round for those of all.
            self._callbacks.set_params(self._callbacks.params)
        self._callbacks.on_epoch_begin(number - 1)
        self._call("on_round_begin", number, logs={"candidates": names})
        self._model.optimizer.begin_training(self._keeper.context.group.agree)

    def round_end(self, number: int, logs: dict[str, float]) -> None:
        """Called when a round is decided and saved."""
        # Callbacks of several processes decide by the same numbers, not by their own rounding.
        agreed = self._keeper.context.group.agree(*logs.values())
        logs = dict(zip(logs, agreed, strict=True))
        self._model.optimizer.end_training()
        self._callbacks.on_epoch_end(number - 1, logs=logs)
        self._call("on_round_end", number, logs=logs)

    def call_begin(self, step: int) -> None:
        """Called before a compiled call.

        Args:
            step: Steps taken so far.
        """
        self._callbacks.on_train_batch_begin(step)

    def call_end(
        self, step: int, names: Sequence[str], losses: np.ndarray, newest: np.ndarray
    ) -> None:
        """Called after a compiled call.

        Args:
            step: Steps taken so far.
            names: Names of the subnetworks.
            losses: Their running mean losses.
            newest: Losses whose mean over the subnetworks is `logs["loss"]`.
        """
        alive = newest[np.isfinite(newest)]
        logs = dict(zip(names, losses, strict=True))
        logs["loss"] = float(np.mean(alive)) if len(alive) else float("nan")
        self._callbacks.on_train_batch_end(step - 1, logs=logs)

    def _call(self, name, *args, **kwargs):
        # `CallbackList` calls only Keras' own hooks.
        for callback in self._callbacks.callbacks:
            if hasattr(callback, name):
                getattr(callback, name)(*args, **kwargs)


def _is_own(callback):
    """Whether a callback is written for searches, not also one of Keras' for models."""
    kinds = type(callback).__mro__
    stock = [k for k in kinds if k.__module__.partition(".")[0] == "keras"]
    return isinstance(callback, SearchCallback) and stock == [keras.callbacks.Callback]
