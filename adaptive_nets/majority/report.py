"""What collapsing changed."""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class CollapseReport:
    """What collapsed; `str(report)` is a table.

    Attributes:
        rows: Layer, its class now, k, and its parameters before and after.
        parameters_before: Of the majority model.
        bytes_before: Of its weights.
        parameters: Of the stock model.
        bytes: Of its weights.
        gap: Largest difference of outputs on the sample, relative to their scale; None without one.
        flops_before: Of one row of the sample at inference, where the majority model takes means
            at each call; None without a sample.
        flops: Of the stock model.
    """

    rows: tuple[tuple[str, str, int, int, int], ...]
    parameters_before: int
    bytes_before: int
    parameters: int
    bytes: int
    gap: float | None = None
    flops_before: int | None = None
    flops: int | None = None

    def table(self) -> "pd.DataFrame":
        """The layers as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(
            self.rows, columns=["layer", "class", "kernels", "parameters before", "parameters"]
        )

    def __str__(self) -> str:
        gap = "" if self.gap is None else f", outputs differ by {self.gap:.1e}"
        if self.flops is not None:
            gap = f", {self.flops_before:,} -> {self.flops:,} FLOPs a row{gap}"
        return (
            f"{self.table().to_string(index=False)}\n"
            f"{self.parameters_before:,} -> {self.parameters:,} parameters, "
            f"{self.bytes_before:,} -> {self.bytes:,} bytes{gap}; the optimizer's state is dropped."
        )


def flops(model: keras.Model, sample: Any) -> int | None:
    """Floating-point operations of a model's call on one row, as its backend counts them.

    TensorFlow counts the body of a loop, such as a recurrent layer's over time, once.

    Args:
        model: A built model.
        sample: Inputs; the first row is taken.

    Returns:
        The number; None where the backend does not count.
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
    """Without what TensorFlow says of its own profiler's age."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
