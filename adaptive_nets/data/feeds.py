"""Feeds of the compiled training function: chunks of steps in a seeded order or from a stream."""

import copy
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets._pieces import gather
from adaptive_nets.data.batches import Batches
from adaptive_nets.data.rows import LabelEncoder, Rows, make_rows
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.spool import as_tensor
from adaptive_nets.data.tables.row_stream import RowStream
from adaptive_nets.data.weights import ClassWeight
from adaptive_nets.machine import clock

CHUNK_STEPS = 256

CHUNK_BYTES = 64 << 20
# Up to this many bytes, rows are handed to the compiled function as a whole, as a copy in the
# machine's memory or in that of an accelerator.
RESIDENT_BYTES, ACCELERATOR_BYTES = 1 << 28, 1 << 30


def chunk_steps(rows: Rows, batch_size: int, steps: int, frozen: Sequence[np.ndarray] = ()) -> int:
    """Returns how many steps a compiled call may cover without holding too many rows."""
    arrays = [*keras.tree.flatten(rows.x), rows.y, *frozen]
    row = sum(a[:1].nbytes for a in arrays)
    return int(np.clip(CHUNK_BYTES // max(1, row * batch_size), 1, min(CHUNK_STEPS, steps)))


class StreamFeed:
    """Chunks of steps from an endless dataset, which continues from round to round.

    Args:
        dataset: Batched, endless dataset, or a `RowStream`.
        head: Adapted head.
        batch_size: Rows per step.
        chunk: Steps per chunk.
        preprocess: Function from rows to preprocessed rows.
        skip: Chunks that an earlier process has used. Defaults to 0.
        class_weight: Weights by encoded class, for several heads by head, or `None`.
        schema: The schema of the features. Defaults to `None`: each chunk's own.

    Attributes:
        frozen: Function from features to the outputs of frozen members that are used, `base` and
            `hidden`; or `None` if none are.
        row_seconds: Seconds to read a row, from the newest chunk.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset | RowStream,
        head: LabelEncoder,
        batch_size: int,
        chunk: int,
        preprocess: Callable[[Rows], Rows],
        skip: int = 0,
        class_weight: ClassWeight | None = None,
        schema: Schema | None = None,
    ):
        self.schema = schema
        self.head, self.chunk, self.batch_size = head, chunk, batch_size
        self.class_weight = class_weight
        self.preprocess, self.used = preprocess, skip
        rows = dataset.rebatch(chunk * batch_size, drop_remainder=True)
        self._iterator = rows.skip(skip).as_numpy_iterator()
        self._first = skip
        places = np.arange(chunk * batch_size, dtype="int32").reshape(chunk, batch_size)
        self._whole = not isinstance(dataset, RowStream)
        self._indices = tf.constant(places if self._whole else dataset.places(chunk))
        self.frozen = None
        self.row_seconds = 0.0

    def begin_round(self) -> None:
        """Starts a round with the next chunk."""
        self._first = self.used

    def rows(self) -> Rows:
        """Returns the next chunk's rows, checked and preprocessed."""
        began = clock.now()
        x, y, *w = next(self._iterator)
        self.row_seconds = (clock.now() - began) / (self.chunk * self.batch_size)
        self.used += 1
        given = w[0] if w else None
        if self._whole or given is None:
            rows = make_rows(x, y, self.head, given, self.class_weight, self.schema)
        else:
            # The mean of weights is 1 over all rows of the stream, and not over these.
            rows = make_rows(x, y, self.head, None, None, self.schema)
            rows.w = np.asarray(given, "float32")
        return self.preprocess(rows)

    def get(self, step: int) -> tuple[list[dict], list[tf.Tensor]]:
        """Returns `([source], [indices])` of the chunk that starts at a step, in order."""
        # Skips chunks that an interrupted process has trained on.
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
    """Chunks of steps over rows in a seeded order, with the outputs of frozen members.

    The compiled function receives all data and gathers rows by index, on a CPU even from disk.
    Data that is large, or on disk beside an accelerator, is gathered chunk by chunk: TensorFlow
    would hold a copy of it.

    Args:
        rows: Preprocessed training rows.
        batches: `Batches`, the rows that each step reads.
        base: float32 `[n, units]` logits of the previous ensemble, or `None`.
        chunk: Steps per chunk.
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
        accelerated = bool(tf.config.list_logical_devices("GPU"))
        large = sum(a.nbytes for a in arrays) > (
            ACCELERATOR_BYTES if accelerated else RESIDENT_BYTES
        )
        self._resident = not (large or (on_disk and accelerated))
        if self._resident:
            self._source = keras.tree.map_structure(as_tensor, self._source)

    def get(self, step: int) -> tuple[list[dict], list[tf.Tensor]]:
        """Returns `([source], [indices])` of the chunk that starts at a step."""
        indices = self.batches.indices(step, self.chunk)
        if self._resident:
            return [self._source], [tf.constant(indices)]
        flat = indices.reshape(-1)
        source = keras.tree.map_structure(
            lambda a: tf.convert_to_tensor(gather(a, flat)), self._source
        )
        return [source], [tf.reshape(tf.range(len(flat)), indices.shape)]

    def variant(
        self, index: np.ndarray | None, weights: np.ndarray | None, seed: int
    ) -> "FiniteFeed":
        """Returns a feed of the same rows in another order, sampled or with other weights.

        No rows are copied.

        Args:
            index: Row numbers, possibly with repetitions, or `None` for all rows.
            weights: `[n]` weights that replace those of the rows, or `None` to keep them.
            seed: Seed of the row order.
        """
        other = copy.copy(self)
        other.batches = Batches(self.batches.rows, self.batches.size, seed, index)
        if weights is not None:
            given = np.asarray(weights, "float64")
            given = (given / given.mean()).astype("float32")
            other._source = {**self._source, "w": tf.constant(given) if self._resident else given}
        return other


class JoinedFeed:
    """Several feeds side by side, for subnetworks that are trained on their own data.

    Args:
        feeds: `FiniteFeed`s.
    """

    def __init__(self, feeds: Sequence[FiniteFeed]):
        self.feeds, self.chunk = list(feeds), min(feed.chunk for feed in feeds)
        for feed in self.feeds:
            feed.chunk = self.chunk

    def get(self, step: int) -> tuple[list[dict], list[tf.Tensor]]:
        """Returns `(sources, indices)` of the chunk that starts at a step."""
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
    """Returns the feed of one round over finite rows."""
    batches = Batches(len(rows), batch_size, seed)
    frozen = [*(() if base is None else (base,)), *(hidden or {}).values()]
    chunk = chunk_steps(rows, batch_size, steps, frozen)
    return FiniteFeed(rows, batches, base, chunk, hidden)
