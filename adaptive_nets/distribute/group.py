"""What the processes of a training decide together."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adaptive_nets.distribute.strategies import is_multi_worker

if TYPE_CHECKING:
    import tensorflow as tf


class WorkersLostError(RuntimeError):
    """A process of the cluster is gone, so that the others cannot go on."""


class Group:
    """The processes that train together; of a single-process strategy this one alone.

    Each of them runs the whole search. What depends on a process's clock, or on rounding, is the
    chief's word, which all receive; without it they would wait for each other for ever.

    Args:
        strategy: That of the training.

    Attributes:
        alone: Whether there is one process only.
        is_chief: Whether this process writes, and its word counts.
    """

    def __init__(self, strategy: "tf.distribute.Strategy"):
        self.strategy = strategy
        self.alone = not is_multi_worker(strategy)
        self.is_chief = self.alone or _rank(strategy) == 0
        self._function = None

    def agree(self, *values: float) -> tuple[float, ...]:
        """The chief's values, in all processes; it waits for all of them.

        Args:
            *values: Numbers, as many in each process.
        """
        if self.alone:
            return values
        import tensorflow as tf

        if self._function is None:
            # A sum over replicas of which only the chief's first one says something.
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
        """Says what to do where another process is lost while this one trains.

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
                "Another process of the cluster is lost, and TensorFlow cannot go on in this one. "
                "Start all tasks again: what is in model_dir is whole, and training goes on from "
                f"its last checkpoint. TensorFlow says: {_reason(text)}"
            ) from error

    def check_same(self, what: str, values: Sequence[float]) -> None:
        """Refuses to go on where this process's values are not the chief's.

        Raises:
            RuntimeError: They are not.
        """
        found = self.agree(*values)
        if tuple(found) != tuple(float(v) for v in values):
            raise RuntimeError(
                f"This worker does not see what the chief sees: {what} is {list(values)} here and "
                f"{list(found)} there. All workers need the same data, settings and model_dir."
            )


def _reason(text):
    """The line of TensorFlow's message that says why."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "aborted" in line), lines[-1])[:300]


def _rank(strategy):
    resolver, before = strategy.cluster_resolver, 0
    if resolver.task_type == "worker":
        before = len(resolver.cluster_spec().as_dict().get("chief", ()))
    return before + resolver.task_id
