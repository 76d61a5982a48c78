"""What the compiled training function is fed: chunks of steps, in a seeded order or streamed."""

import copy
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets.data.batches import Batches
from adaptive_nets.data.rows import LabelEncoder, Rows, make_rows
from adaptive_nets.data.spool import as_tensor

CHUNK_STEPS = 256

CHUNK_BYTES = 64 << 20


def chunk_steps(
    rows: Rows, batch_size: int, steps: int, hidden: dict[str, np.ndarray] | None = None
) -> int:
    """Steps a compiled call may cover without holding too many rows."""
    arrays = [*keras.tree.flatten(rows.x), rows.y, *(hidden or {}).values()]
    row = sum(a[:1].nbytes for a in arrays)
    return int(np.clip(CHUNK_BYTES // max(1, row * batch_size), 1, min(CHUNK_STEPS, steps)))


class StreamFeed:
    """Chunks of steps from an endless dataset, which goes on from round to round.

    Args:
        dataset: Batched, endless.
        head: Adapted head.
        batch_size: Rows a step.
        chunk: Steps a chunk.
        preprocess: Function from rows to preprocessed rows.
        skip: Chunks that an earlier process has used.
        class_weight: Weights by encoded class, or `None`.

    Attributes:
        frozen: From features to what frozen members give on them: `base` and `hidden` where
            they are used. `None` where nothing is.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        head: LabelEncoder,
        batch_size: int,
        chunk: int,
        preprocess: Callable[[Rows], Rows],
        skip: int = 0,
        class_weight: dict[int, float] | None = None,
    ):
        self.head, self.chunk, self.batch_size = head, chunk, batch_size
        self.class_weight = class_weight
        self.preprocess, self.used = preprocess, skip
        rows = dataset.rebatch(chunk * batch_size, drop_remainder=True)
        self._iterator = rows.skip(skip).as_numpy_iterator()
        self._first = skip
        self._indices = tf.reshape(tf.range(chunk * batch_size), (chunk, batch_size))
        self.frozen = None

    def begin_round(self) -> None:
        """Makes the next chunk the round's first."""
        self._first = self.used

    def rows(self) -> Rows:
        """The next chunk's rows, checked and preprocessed."""
        x, y, *w = next(self._iterator)
        self.used += 1
        rows = make_rows(x, y, self.head, w[0] if w else None, self.class_weight)
        return self.preprocess(rows)

    def get(self, step: int) -> tuple[list[dict], list[tf.Tensor]]:
        """`([source], [indices])` of the chunk that begins at a step; asked for in order."""
        # Chunks that an interrupted process has trained on are passed over.
        while self.used < self._first + step // self.chunk:
            next(self._iterator)
            self.used += 1
        rows = self.rows()
        source = {"x": rows.x, "y": rows.y}
        if rows.w is not None:
            source["w"] = rows.w
        if self.frozen is not None:
            source |= self.frozen(rows.x)
        return [keras.tree.map_structure(tf.convert_to_tensor, source)], [self._indices]


class FiniteFeed:
    """Chunks of steps over rows in a seeded order, with frozen members' outputs beside.

    Data goes to the compiled function whole and is gathered there by index, on a CPU also that
    on disk; where there is an accelerator, data on disk is gathered chunk by chunk.

    Args:
        rows: Preprocessed training rows.
        batches: `Batches`: which rows each step reads.
        base: float32 `[n, units]`, the previous ensemble's logits, or `None`.
        chunk: Steps a chunk.
        hidden: Frozen members' hidden layers by key, or `None`.
    """

    def __init__(
        self,
        rows: Rows,
        batches: Batches,
        base: np.ndarray | None,
        chunk: int,
        hidden: dict[str, np.ndarray] | None = None,
    ):
        self.batches, self.chunk = batches, chunk
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


def finite_feed(
    rows: Rows,
    batch_size: int,
    steps: int,
    base: np.ndarray | None,
    seed: int,
    hidden: dict[str, np.ndarray] | None = None,
) -> FiniteFeed:
    """The feed of one round over finite rows."""
    batches = Batches(len(rows), batch_size, seed)
    chunk = chunk_steps(rows, batch_size, steps, hidden)
    return FiniteFeed(rows, batches, base, chunk, hidden)
