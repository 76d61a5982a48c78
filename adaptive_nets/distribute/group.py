"""Decisions that the processes of a training take together."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adaptive_nets.distribute.lost import WorkersLostError
from adaptive_nets.distribute.strategies import is_multi_worker

if TYPE_CHECKING:
    import tensorflow as tf


class Group:
    """The processes that train together, or just this one with a single-process strategy.

    Each process runs the whole search. Whatever depends on a process's clock or on rounding is
    decided by the chief and sent to all; otherwise they would wait for each other forever.

    Args:
        strategy: The `tf.distribute.Strategy` of the training.

    Attributes:
        alone: Whether there is only one process.
        is_chief: Whether this process writes and decides.
    """

    def __init__(self, strategy: "tf.distribute.Strategy"):
        self.strategy = strategy
        self.alone = not is_multi_worker(strategy)
        self.is_chief = self.alone or _rank(strategy) == 0
        self._function = None

    def agree(self, *values: float) -> tuple[float, ...]:
        """Returns the chief's values in all processes, and waits for all of them.

        Args:
            *values: Numbers, the same count in each process.
        """
        if self.alone:
            return values
        import tensorflow as tf

        if self._function is None:
            # A sum over replicas, to which only the chief's first one contributes.
            def received(own):
                def one():
                    number = tf.distribute.get_replica_context().replica_id_in_sync_group
                    return tf.where(tf.equal(number, 0), own, tf.zeros_like(own))

                return self.strategy.reduce("SUM", self.strategy.run(one), axis=None)

            signature = [tf.TensorSpec([None], tf.float64)]
            self._function = tf.function(received, signature, autograph=False)
        return tuple(self._function(np.array(values, "float64")).numpy().tolist())

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Explains what to do if another process is lost while this one trains.

        Raises:
            WorkersLostError: TensorFlow has lost a process of the cluster.
        """
        import tensorflow as tf

        try:
            yield
        except tf.errors.OpError as error:
            lost = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
            text = str(error)
            if self.alone or not (isinstance(error, lost) or "ollective op" in text):
                raise
            raise WorkersLostError(
                "Another process of the cluster was lost, and TensorFlow cannot continue in this "
                "one. Restart all tasks: model_dir is intact, and training resumes from its last "
                f"checkpoint. TensorFlow says: {_reason(text)}"
            ) from error

    def tell(self, text: str) -> str:
        """Returns the chief's text in all processes, and waits for all of them.

        Args:
            text: This process's text.
        """
        if self.alone:
            return text
        own = text.encode()
        (length,) = map(int, self.agree(len(own)))
        # Only the chief's bytes count.
        found = self.agree(*own[:length].ljust(length, b" "))
        return bytes(map(int, found)).decode()

    def check_same(self, what: str, values: Sequence[float]) -> None:
        """Checks that this process's values equal the chief's.

        Args:
            what: Name of the values, for the error message.
            values: Numbers to compare.

        Raises:
            RuntimeError: The values differ.
        """
        found = self.agree(*values)
        if tuple(found) != tuple(float(v) for v in values):
            raise RuntimeError(
                f"This worker and the chief disagree: {what} is {list(values)} here and "
                f"{list(found)} there. All workers need the same data, settings and model_dir."
            )


def _reason(text):
    """Returns the line of TensorFlow's message that gives the reason."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "aborted" in line), lines[-1])[:300]


def _rank(strategy):
    resolver, before = strategy.cluster_resolver, 0
    if resolver.task_type == "worker":
        before = len(resolver.cluster_spec().as_dict().get("chief", ()))
    return before + resolver.task_id
