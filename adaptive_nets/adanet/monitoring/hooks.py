"""Keras callbacks of a search."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_list, or_none


class Hooks:
    """Calls the methods of callbacks; epochs are rounds, and a batch is one compiled call.

    Args:
        callbacks: `keras.callbacks.Callback`s, or `None`.
        search: The callbacks' `self.model`. Its `stop_training` ends the search.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback] | None, search: Any):
        kinds = "a list of keras.callbacks.Callback objects, or None"
        or_none(check_list, "callbacks", callbacks, keras.callbacks.Callback, kinds)
        self._callbacks = keras.callbacks.CallbackList(callbacks, model=search)
        self._search = search

    @property
    def stop_requested(self) -> bool:
        """Whether a callback has requested the search to stop."""
        return bool(self._search is not None and self._search.stop_training)

    def train_begin(self) -> None:
        """Called once before the first round."""
        self._callbacks.on_train_begin()

    def train_end(self) -> None:
        """Called once after the last round, however it ended."""
        self._callbacks.on_train_end()

    def round_begin(self, number: int, names: list[str]) -> None:
        """Called before a round is trained.

        Args:
            number: The round, from 1.
            names: Names of its subnetworks.
        """
        self._callbacks.on_epoch_begin(number - 1)
        self._call("on_round_begin", number, logs={"candidates": names})

    def round_end(self, number: int, logs: dict[str, float]) -> None:
        """Called when a round is decided and saved."""
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
