"""A data set as a search sees it: preprocessed rows and every frozen member's outputs on them."""

import copy
import functools
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.data import MEMORY_LIMIT, Batches, Rows
from adaptive_nets.adanet.member import Member, lineage
from adaptive_nets.adanet.storage import Spool, as_tensor
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
        cache_limit: Bytes of outputs held in memory; what is above it is on disk.

    Attributes:
        cache: float32 arrays by `"<member>.<output>"`.
        sample: The rows' `complexity.Sample`, once it was asked for.
    """

    def __init__(self, rows: Rows, keep_last_layer: bool = False, cache_limit: int = MEMORY_LIMIT):
        self.rows, self.keep_last_layer, self.cache_limit = rows, keep_last_layer, cache_limit
        self.cache, self.sample = {}, None

    def outputs(
        self, members: Sequence[Member], function: OutputFunction | None = None
    ) -> list[dict]:
        """`logits` (and `last_layer`) of members, in order; missing ones are computed together.

        Args:
            members: `Member`s.
            function: `View.function` of exactly these members, if there is one.
        """
        missing = [m for m in members if f"{m.name}.logits" not in self.cache]
        if missing:
            if function is None or len(missing) != len(members):
                function = self.function(missing)
            self._compute(function)
        return self.by_member(members, self.cache)

    def hidden(self, members: Iterable[Member]) -> dict[str, np.ndarray]:
        """What members read of frozen ones, by `"<member>.hidden_<k>"`."""
        members = list(members)
        parents = {p.name: p for m in members for p in m.parents}
        keys = {key: None for m in members for key in m.reads}
        missing = [key for key in keys if key not in self.cache]
        if missing:
            owners = {key.rpartition(".")[0]: None for key in missing}
            self._compute(self.function([parents[name] for name in owners], missing))
        return {key: self.cache[key] for key in keys}

    def function(
        self, members: Sequence[Member], keys: Sequence[str] | None = None, whole: bool = False
    ) -> OutputFunction:
        """What computes members' outputs over rows.

        Args:
            members: `Member`s.
            keys: Outputs by `"<member>.<output>"`; `logits` (and `last_layer`) by default.
            whole: Whether what they read of frozen members is to be computed too, not given.
        """
        keys = keys or self.keys(members)
        members = lineage(members) if whole else members
        width = sum(
            int(np.prod([d or 1 for d in layer.output.shape[1:]]))
            for layer in members[0].model.layers
            if isinstance(getattr(layer, "output", None), keras.KerasTensor)
        )
        block = int(np.clip((256 << 20) // (4 * max(width, 1)), 64, 8192))
        return OutputFunction(members, keys, block)

    @property
    def held_bytes(self) -> int:
        """Bytes of outputs that are in memory, not on disk."""
        return sum(a.nbytes for a in self.cache.values() if not isinstance(a, np.memmap))

    def keep_only(self, members: Iterable[Member]) -> None:
        """Forgets the outputs of all other members."""
        names = {m.name for m in members}
        self.cache = {k: v for k, v in self.cache.items() if k.rpartition(".")[0] in names}

    def keys(self, members: Sequence[Member]) -> list[str]:
        """Names of the members' `logits` (and `last_layer`)."""
        return [f"{m.name}.{kind}" for m in members for kind in self._kinds]

    def by_member(self, members: Sequence[Member], found: dict[str, np.ndarray]) -> list[dict]:
        """One dict a member of its `logits` (and `last_layer`), from outputs by key."""
        return [{kind: found[f"{m.name}.{kind}"] for kind in self._kinds} for m in members]

    @property
    def _kinds(self):
        return ("logits", "last_layer") if self.keep_last_layer else ("logits",)

    def _compute(self, function):
        known = self.hidden(function.members)
        share = max(0, self.cache_limit - self.held_bytes) // len(function.keys)
        self.cache |= function(self.rows.x, lambda: Spool(share), known)


class FiniteFeed:
    """Chunks of steps over rows in a seeded order, with frozen members' outputs beside.

    Data goes to the compiled function whole and is gathered there by index, on a CPU also that
    on disk; where there is an accelerator, data on disk is gathered chunk by chunk.

    Args:
        view: Training view.
        batches: `Batches`: which rows each step reads.
        base: float32 `[n, units]`, the previous ensemble's logits, or `None`.
        chunk: Steps a chunk.
        hidden: Frozen members' hidden layers by key, or `None`.
    """

    def __init__(
        self,
        view: View,
        batches: Batches,
        base: np.ndarray | None,
        chunk: int,
        hidden: dict[str, np.ndarray] | None = None,
    ):
        self.batches, self.chunk = batches, chunk
        rows = view.rows
        self._source = {"x": rows.x, "y": rows.y}
        if rows.w is not None:
            self._source["w"] = rows.w
        if base is not None:
            self._source["base"] = np.asarray(base, "float32")
        if hidden:
            self._source["hidden"] = hidden
        arrays = keras.tree.flatten(self._source)
        on_disk = any(isinstance(a, np.memmap) for a in arrays)
        self._resident = not (on_disk and tf.config.list_logical_devices("GPU"))
        if self._resident:
            self._source = keras.tree.map_structure(as_tensor, self._source)

    def get(self, step: int) -> tuple[list[dict], list[tf.Tensor]]:
        """`([source], [indices])` of the chunk that begins at a step."""
        indices = self.batches.indices(step, self.chunk)
        if self._resident:
            return [self._source], [tf.constant(indices)]
        flat = indices.reshape(-1)
        source = keras.tree.map_structure(
            lambda a: tf.convert_to_tensor(np.asarray(a[flat])), self._source
        )
        return [source], [tf.reshape(tf.range(len(flat)), indices.shape)]

    def variant(
        self, index: np.ndarray | None, weights: np.ndarray | None, seed: int
    ) -> "FiniteFeed":
        """The same rows in another order, of a sample or with other weights; none is copied.

        Args:
            index: Which rows, also repeatedly; `None` for all.
            weights: `[n]` in place of the rows' own, or `None` to keep them.
            seed: Of the order.
        """
        other = copy.copy(self)
        other.batches = Batches(self.batches.rows, self.batches.size, seed, index)
        if weights is not None:
            given = np.asarray(weights, "float64")
            given = (given / given.mean()).astype("float32")
            other._source = {**self._source, "w": tf.constant(given) if self._resident else given}
        return other


class JoinedFeed:
    """Several feeds side by side, for subnetworks that are trained on data of their own.

    Args:
        feeds: `FiniteFeed`s.
    """

    def __init__(self, feeds: Sequence[FiniteFeed]):
        self.feeds, self.chunk = list(feeds), min(feed.chunk for feed in feeds)
        for feed in self.feeds:
            feed.chunk = self.chunk

    def get(self, step: int) -> tuple[list[dict], list[tf.Tensor]]:
        """`(sources, indices)` of the chunk that begins at a step."""
        pieces = [feed.get(step) for feed in self.feeds]
        return [s for sources, _ in pieces for s in sources], [i for _, own in pieces for i in own]
