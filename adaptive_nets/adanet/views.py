"""A data set as a search sees it: preprocessed rows and every frozen member's outputs on them."""

import functools
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.data import MEMORY_LIMIT, Batches, Rows
from adaptive_nets.adanet.storage import Spool
from adaptive_nets.adanet.subnetwork import Member
from adaptive_nets.adanet.trainer import OutputFunction, run_in_blocks


@functools.lru_cache(maxsize=1)
def _preprocessing_function(model):
    # Kept, because a stream's chunks all pass the same model.
    return tf.function(lambda x: model(x, training=False), reduce_retracing=True, autograph=False)


def preprocess(rows: Rows, model: keras.Model | None) -> Rows:
    """Rows with the preprocessing model applied once."""
    if model is None:
        return rows
    x = run_in_blocks(_preprocessing_function(model), rows.x, 8192, lambda: Spool(MEMORY_LIMIT))
    return Rows(x, rows.y, rows.w)


class View:
    """Rows with members' outputs, each computed once and kept while the member is in use.

    Args:
        rows: Preprocessed rows.
        keep_last_layer: Whether `last_layer` outputs are needed beside logits.
        cache_limit: Bytes of one member's outputs held in memory; above it they are on disk.
    """

    def __init__(self, rows: Rows, keep_last_layer: bool = False, cache_limit: int = MEMORY_LIMIT):
        self.rows, self.keep_last_layer, self.cache_limit = rows, keep_last_layer, cache_limit
        self.cache = {}

    def outputs(
        self, members: Sequence[Member], function: OutputFunction | None = None
    ) -> list[dict]:
        """Outputs of members, in order; missing ones are computed together.

        Args:
            members: `Member`s.
            function: An `OutputFunction` over exactly these members' models, if there is one.
        """
        missing = [m for m in members if m.name not in self.cache]
        if missing:
            if function is None or len(missing) != len(members):
                function = self.function(missing)
            found = function(self.rows.x, lambda: Spool(self.cache_limit))
            self.cache.update(zip([m.name for m in missing], found, strict=True))
        return [self.cache[m.name] for m in members]

    def function(self, members: Sequence[Member]) -> OutputFunction:
        width = sum(
            int(np.prod([d or 1 for d in layer.output.shape[1:]]))
            for layer in members[0].model.layers
            if isinstance(getattr(layer, "output", None), keras.KerasTensor)
        )
        block = int(np.clip((256 << 20) // (4 * max(width, 1)), 64, 8192))
        return OutputFunction([m.model for m in members], block, self.keep_last_layer)

    def keep_only(self, members: Iterable[Member]) -> None:
        """Forgets the outputs of all other members."""
        names = {m.name for m in members}
        self.cache = {k: v for k, v in self.cache.items() if k in names}


class FiniteFeed:
    """Chunks of steps over rows in a seeded order, with the previous ensemble's logits beside.

    Data in memory goes to the compiled function whole and is gathered there by index; data on
    disk is gathered chunk by chunk.

    Args:
        view: Training view.
        batches: `Batches`: which rows each step reads.
        base: float32 `[n, units]`, or `None`.
        chunk: Steps a chunk.
    """

    def __init__(self, view: View, batches: Batches, base: np.ndarray | None, chunk: int):
        self.batches, self.chunk = batches, chunk
        rows = view.rows
        self._source = {"x": rows.x, "y": rows.y}
        if rows.w is not None:
            self._source["w"] = rows.w
        if base is not None:
            self._source["base"] = np.asarray(base, "float32")
        self._resident = not rows.on_disk
        if self._resident:
            self._source = keras.tree.map_structure(tf.convert_to_tensor, self._source)

    def get(self, step: int) -> tuple[dict, tf.Tensor]:
        """`(source, indices)` of the chunk that begins at a step."""
        indices = self.batches.indices(step, self.chunk)
        if self._resident:
            return self._source, tf.constant(indices)
        flat = indices.reshape(-1)
        source = keras.tree.map_structure(
            lambda a: tf.convert_to_tensor(np.asarray(a[flat])), self._source
        )
        return source, tf.reshape(tf.range(len(flat)), indices.shape)
