"""The report of `collapse`."""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._shown import Shown
from adaptive_nets.growth.core.compare import Verification

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class CollapseReport(Shown):
    """What `collapse` changed. `str(report)` is a table.

    Args:
        rows: Per layer: its name, its new class, k, and its parameters before and after.
        parameters_before: Number of parameters of the majority model.
        bytes_before: Size of the majority model's weights, in bytes.
        parameters: Number of parameters of the stock model.
        bytes: Size of the stock model's weights, in bytes.
        gap: Largest difference of outputs on the sample, relative to their scale. Defaults to
            `None`: there was no sample.
        flops_before: FLOPs of the majority model on one row at inference, where it computes means
            at each call. Defaults to `None`: there was no sample.
        flops: FLOPs of the stock model on one row. Defaults to `None`: there was no sample.
        verified: How outputs were compared without a sample. Defaults to `None`: there was one.
    """

    rows: tuple[tuple[str, str, int, int, int], ...]
    parameters_before: int
    bytes_before: int
    parameters: int
    bytes: int
    gap: float | None = None
    flops_before: int | None = None
    flops: int | None = None
    verified: Verification | None = None

    def table(self) -> "pd.DataFrame":
        """Returns the layers as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(
            self.rows, columns=["layer", "class", "kernels", "parameters before", "parameters"]
        )

    def _parts(self) -> list[Any]:
        gap = "" if self.verified is None else f", {self.verified}"
        gap = gap if self.gap is None else f", outputs differ by {self.gap:.1e}"
        if self.flops is not None:
            gap = f", {self.flops_before:,} -> {self.flops:,} FLOPs per row{gap}"
        return [
            self.table(),
            f"{self.parameters_before:,} -> {self.parameters:,} parameters, "
            f"{self.bytes_before:,} -> {self.bytes:,} bytes{gap}; the optimizer state is dropped.",
        ]


def flops(model: keras.Model, sample: Any) -> int | None:
    """Counts the floating-point operations of a model on one row, as its backend reports them.

    TensorFlow counts the body of a loop, such as a recurrent layer's loop over time, only once.

    Args:
        model: A built model.
        sample: Inputs, of which the first row is used.

    Returns:
        The number of operations, or `None` if the backend does not count them.
    """
    backend = keras.backend.backend()
    row = keras.tree.map_structure(lambda x: keras.ops.convert_to_tensor(x)[:1], sample)
    if backend == "tensorflow":
        import tensorflow as tf

        graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(row).graph
        profiler = tf.compat.v1.profiler
        options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
        with _quiet(tf.get_logger()):
            found = profiler.profile(graph, options=options.with_empty_output().build())
        return int(found.total_float_ops)
    if backend == "jax":
        import jax

        call = jax.jit(lambda x: model(x, training=False))
        counts = call.lower(row).cost_analysis() or {}
        return int(counts["flops"]) if "flops" in counts else None
    return None


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Hides TensorFlow's warning that its own profiler is old."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def sizes(model: keras.Model) -> tuple[int, int]:
    """The number of a model's parameters, and of their bytes."""
    counts = [(int(np.prod(v.shape)), np.dtype(_numpy(v.dtype)).itemsize) for v in model.weights]
    return sum(n for n, _ in counts), sum(n * size for n, size in counts)


def _numpy(dtype: str) -> str:
    return "float16" if dtype == "bfloat16" else dtype
