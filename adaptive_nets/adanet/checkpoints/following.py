"""A search's folder as workers see it that follow a chief."""

from collections.abc import Iterable

import keras
import numpy as np

from adaptive_nets.adanet.checkpoints.model_dir import ModelDir


class ReadOnlyModelDir(ModelDir):
    """Reads what the chief has written, and writes nothing."""

    def _probe(self):
        """A worker may read only."""

    def sweep(self) -> None:
        """Leaves it to the chief."""

    def write_state(self, state: dict) -> None:
        """Leaves it to the chief."""

    def save_model(self, model: keras.Model, name: str) -> str:
        return name

    def drop_members(self, keep: Iterable[str]) -> None:
        """Leaves it to the chief."""

    def write_checkpoint(self, step: int, header: dict, arrays: list[np.ndarray]) -> None:
        """Leaves it to the chief."""

    def drop_checkpoints(self) -> None:
        """Leaves it to the chief."""
