"""`tf.distribute` strategies by name."""

import contextlib
import os
from typing import TYPE_CHECKING, Any

from adaptive_nets._checks import check_integer, show
from adaptive_nets.distribute.cluster import TRAINING, task_from_environment
from adaptive_nets.distribute.lost import WorkersLostError
from adaptive_nets.distribute.meeting import met

if TYPE_CHECKING:
    import tensorflow as tf

NAMES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")


def make_strategy(distribute: Any = None) -> "tf.distribute.Strategy":
    """Returns a `tf.distribute` strategy by name.

    Args:
        distribute: One of the following. Defaults to `None`.

            - `None`: the strategy whose scope is active, or a single device;
            - `"auto"`: several workers if `TF_CONFIG` has several, otherwise a TPU if `TPU_NAME`
              is set, otherwise all GPUs of this machine if there are several, otherwise one
              device;
            - `"one_device"`: the first GPU, or the CPU;
            - `"mirrored"`: all GPUs of this machine, or all logical CPUs if there are no GPUs;
            - `"multi_worker"`: the workers of `TF_CONFIG`;
            - `"tpu"`: the TPU given by `TPU_NAME`, or that of this machine;
            - a `tf.distribute.Strategy`, which is returned unchanged.

    Returns:
        A `tf.distribute.Strategy`. The same name always returns the same object.

    Raises:
        ValueError: The name is unknown, `TF_CONFIG` is malformed or has no workers, or there is
            no TPU.
        RuntimeError: TensorFlow has already run something before `"multi_worker"` was requested.
        WorkersLostError: A process of the cluster has not come within 50 seconds, or as many as
            the environment variable `ADAPTIVE_NETS_CLUSTER_SECONDS` says.

    Example:

    ```python
    import adaptive_nets as an

    strategy = an.distribute.make_strategy("one_device")
    strategy.num_replicas_in_sync  # 1
    ```
    """
    import tensorflow as tf

    if distribute is None:
        return tf.distribute.get_strategy()
    if isinstance(distribute, tf.distribute.Strategy):
        return distribute
    check_strategy("distribute", distribute)
    if distribute == "auto":
        distribute = _best()
    if distribute not in _made:
        _made[distribute] = _MAKERS[distribute]()
    return _made[distribute]


def check_strategy(name: str, value: Any) -> None:
    """Raises a `ValueError` for what `make_strategy` does not take, without making anything.

    Args:
        name: Name of the argument.
        value: What was passed for it.
    """
    import tensorflow as tf

    named = isinstance(value, str) and value in NAMES
    if not named and value is not None and not isinstance(value, tf.distribute.Strategy):
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, NAMES))}, a tf.distribute.Strategy "
            f"or None. Received: {name}={show(value)}."
        )


def is_multi_worker(strategy: "tf.distribute.Strategy") -> bool:
    """Returns whether the replicas of a strategy are in several processes."""
    _check(strategy, "cluster_resolver")
    resolver = strategy.cluster_resolver
    if resolver is None or _is_tpu(strategy):
        return False
    cluster = resolver.cluster_spec().as_dict()
    return sum(len(cluster.get(kind, ())) for kind in TRAINING) > 1


def share_of(batch_size: int, strategy: "tf.distribute.Strategy") -> int:
    """Returns the number of rows of a global batch that each replica takes.

    Args:
        batch_size: Number of rows of the global batch.
        strategy: The `tf.distribute.Strategy` of the training.

    Raises:
        ValueError: The batch cannot be divided evenly among the replicas.
    """
    _check(strategy, "num_replicas_in_sync")
    batch_size = check_integer("batch_size", batch_size, 1)
    replicas = strategy.num_replicas_in_sync
    share, rest = divmod(batch_size, replicas)
    if rest:
        raise ValueError(
            f"A batch of {batch_size} rows cannot be divided among {replicas} replicas. Pass a "
            f"batch_size that is a multiple of {replicas}, such as {(share + 1) * replicas}, and "
            "at least as many rows of data."
        )
    return share


def _check(strategy, attribute):
    if isinstance(strategy, type) or not hasattr(strategy, attribute):
        raise TypeError(
            f"strategy must be a tf.distribute.Strategy. Received: strategy={show(strategy)}."
        )


# One per name and process: two strategies on the same devices would number their collective
# operations alike, and TensorFlow would mix them up.
_made: dict[str, "tf.distribute.Strategy"] = {}


def _best():
    import tensorflow as tf

    if task_from_environment().workers > 1:
        return "multi_worker"
    if os.environ.get("TPU_NAME"):
        return "tpu"
    # Physical devices: listing logical ones would initialize TensorFlow.
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one_device"


def _one_device():
    import tensorflow as tf

    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return tf.distribute.OneDeviceStrategy(f"/{kind.lower()}:0")


def _mirrored():
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _multi_worker():
    import tensorflow as tf

    task = task_from_environment()
    if not task.cluster:
        raise ValueError(
            "distribute='multi_worker' needs a cluster in the environment variable TF_CONFIG. "
            "Received: TF_CONFIG is unset or has no cluster."
        )
    if not task.trains:
        raise ValueError(
            f"Task {task.kind} {task.index} of TF_CONFIG does not train, so it cannot use "
            "distribute='multi_worker'. Expected a chief or a worker."
        )
    meeting = met(task) if task.workers > 1 else contextlib.nullcontext()
    try:
        with meeting:
            return tf.distribute.MultiWorkerMirroredStrategy()
    except WorkersLostError:
        raise
    except RuntimeError as error:
        raise RuntimeError(
            "'multi_worker' must be requested before TensorFlow runs anything. Call "
            "distribute.make_strategy('multi_worker') at the start of the script, before creating "
            f"generators, optimizers and data. TensorFlow says: {error}"
        ) from error


def _tpu():
    import tensorflow as tf

    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(
            os.environ.get("TPU_NAME", "local")
        )
    # The exception differs between TensorFlow's builds and kinds of machines.
    except Exception as error:
        raise ValueError(
            "distribute='tpu' found no TPU. Set the environment variable TPU_NAME, or use a "
            f"machine with a TPU. TensorFlow says: {str(error).splitlines()[0][:200]}"
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def _is_tpu(strategy):
    import tensorflow as tf

    return isinstance(strategy, tf.distribute.TPUStrategy)


_MAKERS = {
    "one_device": _one_device,
    "mirrored": _mirrored,
    "multi_worker": _multi_worker,
    "tpu": _tpu,
}
