"""Decisions that the processes of a training take together."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adaptive_nets.distribute.cluster import TRAINING
from adaptive_nets.distribute.lost import WorkersLostError
from adaptive_nets.distribute.strategies import is_multi_worker

if TYPE_CHECKING:
    import tensorflow as tf


# So many numbers of eight bytes are sent at a time.
GATHERED_WORDS = 1 << 20


class Group:
    """The processes that train together, or just this one with a single-process strategy.

    Each process runs the whole search. Whatever depends on a process's clock or on rounding is
    decided by the chief and sent to all; otherwise they would wait for each other forever.

    Args:
        strategy: The `tf.distribute.Strategy` of the training.

    Attributes:
        alone: Whether there is only one process.
        is_chief: Whether this process writes and decides.
        rank: Number of this process; the chief is 0.
        count: Number of processes.
        names: What to call each process, such as "worker 1".
    """

    def __init__(self, strategy: "tf.distribute.Strategy"):
        self.strategy = strategy
        self.alone = not is_multi_worker(strategy)
        self.rank = 0 if self.alone else _rank(strategy)
        self.is_chief = self.rank == 0
        self.names = ["chief 0"] if self.alone else _names(strategy)
        self.count = len(self.names)
        self._functions = {}

    def agree(self, *values: float) -> tuple[float, ...]:
        """Returns the chief's values in all processes, and waits for all of them.

        Args:
            *values: Numbers, the same count in each process.
        """
        if self.alone:
            return values
        return tuple(self._sum(np.array(values, "float64"), 1).tolist())

    def _sum(self, own, processes):
        """Returns the sum of the arrays of the first processes."""
        import tensorflow as tf

        name = own.dtype.name
        if name not in self._functions:
            # A sum over replicas, to which the first one of each process contributes.
            each = self.strategy.num_replicas_in_sync // self.count

            def received(own, processes):
                def one():
                    number = tf.distribute.get_replica_context().replica_id_in_sync_group
                    counts = (number % each == 0) & (number // each < processes)
                    return tf.where(counts, own, tf.zeros_like(own))

                return self.strategy.reduce("SUM", self.strategy.run(one), axis=None)

            signature = [tf.TensorSpec([None], name), tf.TensorSpec([], tf.int32)]
            self._functions[name] = tf.function(received, signature, autograph=False)
        with self.together():
            return self._functions[name](own, np.int32(processes)).numpy()

    def gather(self, own: bytes) -> list[bytes]:
        """Returns the bytes of all processes, in the order of their ranks, and waits for all.

        Args:
            own: This process's bytes.
        """
        if self.alone:
            return [own]
        lengths = np.zeros(self.count, "int64")
        lengths[self.rank] = len(own)
        lengths = self._sum(lengths, self.count)
        words = -(-int(lengths.max()) // 8)
        mine = np.frombuffer(own.ljust(8 * words, b"\0"), "int64")
        found = []
        for first in range(0, words, GATHERED_WORDS):
            part = mine[first : first + GATHERED_WORDS]
            table = np.zeros((self.count, len(part)), "int64")
            table[self.rank] = part
            found.append(self._sum(table.reshape(-1), self.count).reshape(table.shape))
        parts = np.concatenate(found, axis=1) if found else np.zeros((self.count, 0), "int64")
        return [row.tobytes()[:size] for row, size in zip(parts, lengths, strict=True)]

    def each(self, work: Callable[[], bytes]) -> list[bytes]:
        """Returns what all processes have made, or raises in all if one of them has failed.

        Args:
            work: Makes this process's bytes. What it raises is raised here.

        Raises:
            ValueError: Another process has failed. The message says which one, and why.
        """
        if self.alone:
            return [work()]
        made, error = b"", None
        # The others wait for this process, whatever it has failed with.
        try:
            made = work()
        except Exception as raised:
            error = raised
        told = b"-" + _told(error).encode() if error is not None else b"+" + made
        found = self.gather(told)
        if error is not None:
            raise error
        for name, part in zip(self.names, found, strict=True):
            if part[:1] == b"-":
                raise ValueError(f"In {name} of the cluster: {part[1:].decode()}")
        return [part[1:] for part in found]

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


def _told(error):
    """Returns what an error says, in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}"


def _names(strategy):
    """Returns the processes that train, in the order of their ranks."""
    cluster = strategy.cluster_resolver.cluster_spec().as_dict()
    return [f"{kind} {place}" for kind in TRAINING for place in range(len(cluster.get(kind, ())))]


def _reason(text):
    """Returns the line of TensorFlow's message that gives the reason."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "aborted" in line), lines[-1])[:300]


def _rank(strategy):
    resolver, before = strategy.cluster_resolver, 0
    if resolver.task_type == "worker":
        before = len(resolver.cluster_spec().as_dict().get("chief", ()))
    return before + resolver.task_id
