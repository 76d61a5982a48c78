"""TensorBoard scalars, one run per subnetwork."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf
from absl import logging

from adaptive_nets.files.names import for_tensorflow

if TYPE_CHECKING:
    from adaptive_nets.adanet.rounds.training_state import TrainingState

_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class=1,
)


def write_scalar(name: str, value: float) -> None:
    """Writes what `tf.summary.scalar` writes, without requiring the tensorboard package."""
    tf.summary.write(name, tf.constant(value, tf.float32), metadata=_SCALAR)


class Scalars:
    """Writes scalars into folders. Where that fails, it warns, and writes no more.

    Nothing depends on them: a disk that is full ends no search.

    Args:
        folders: One for each series, which is a run in TensorBoard.
    """

    def __init__(self, folders: Sequence[Path]):
        self._folders, self._writers = folders, []
        self.failed = False
        for folder in folders:
            self._try(lambda folder=folder: self._open(folder))

    def write(self, step: int, values: Sequence[dict[str, float]]) -> None:
        """Writes the values of each series at a step."""

        def work():
            for writer, named in zip(self._writers, values, strict=True):
                with writer.as_default(step=step):
                    for name, value in named.items():
                        write_scalar(name, value)

        if self._writers and not self.failed:
            self._try(work)

    def close(self) -> None:
        """Writes what is left, and closes the files."""
        for writer in self._writers:
            self._try(writer.close)

    def _open(self, folder):
        self._writers.append(tf.summary.create_file_writer(for_tensorflow(folder)))

    def _try(self, work):
        try:
            work()
        except (OSError, tf.errors.OpError) as error:
            if not self.failed:
                logging.warning(
                    "TensorBoard's scalars cannot be written to '%s' (%s): going on without them.",
                    self._folders[0], str(error).partition("\n")[0],
                )  # fmt: skip
            self.failed = True


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
        self._scalars = Scalars([] if folder is None else [folder / name for name in names])

    @property
    def failed(self) -> bool:
        """Whether something could not be written."""
        return self._scalars.failed

    def write(self, training: "TrainingState") -> None:
        if training.step < self._next:
            return
        self._next = training.step + self._every
        self._scalars.write(training.step, [{"loss": loss} for loss in training.losses])

    def close(self) -> None:
        self._scalars.close()
