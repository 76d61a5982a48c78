"""TensorBoard scalars, one run per subnetwork."""

from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from adaptive_nets.adanet.rounds.training_state import TrainingState

_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class=1,
)


def write_scalar(name: str, value: float) -> None:
    """Writes what `tf.summary.scalar` writes, without requiring the tensorboard package."""
    tf.summary.write(name, tf.constant(value, tf.float32), metadata=_SCALAR)


class CandidateScalars:
    """Writes the training losses of a round's subnetworks.

    Args:
        folder: `model_dir/tensorboard/round_n`, or `None` to write nothing.
        names: Names of the subnetworks.
        steps: Steps of the round.
        points: Maximum number of scalars per subnetwork and round. Defaults to 100.
    """

    def __init__(self, folder: Path | None, names: list[str], steps: int, points: int = 100):
        self._every = max(1, steps // points)
        self._next = 0
        self._writers = []
        if folder is not None:
            self._writers = [tf.summary.create_file_writer(str(folder / n)) for n in names]

    def write(self, training: "TrainingState") -> None:
        if not self._writers or training.step < self._next:
            return
        self._next = training.step + self._every
        for writer, loss in zip(self._writers, training.losses, strict=True):
            with writer.as_default(step=training.step):
                write_scalar("loss", loss)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()
