"""What `fit` was given, checked and laid out before any training starts."""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets.adanet import data
from adaptive_nets.adanet.data import Batches, Rows, Spec
from adaptive_nets.adanet.evaluator import Evaluator
from adaptive_nets.adanet.member import derive_seed
from adaptive_nets.adanet.subnetwork import TrainingData
from adaptive_nets.adanet.views import FiniteFeed, View, preprocess
from adaptive_nets.heads import Head, Multi

CHUNK_STEPS = 256
CHUNK_BYTES = 64 << 20
SAMPLE_ROWS = 4096


@dataclasses.dataclass
class Inputs:
    """Checked data.

    Attributes:
        train: Training rows; of an endless dataset, the sample that candidates are judged on.
        valid: Validation rows, or `None`.
        judged: The evaluator's own rows, or `None`.
        reported: Rows whose metrics reach the generator, or `None`.
        stream: The endless dataset, or `None`.
        batch_size: Rows a step.
        class_weight: Weights by encoded class, for the rows of the stream, or `None`.
    """

    train: Rows
    valid: Rows | None
    judged: Rows | None
    reported: Rows | None
    stream: object
    batch_size: int
    class_weight: dict | None = None

    @property
    def spec(self) -> Spec:
        return self.train.spec


def labelled_rows(
    x: Any,
    y: Any,
    head: Head,
    what: str,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
) -> Rows:
    """Finite rows from arrays or a dataset, with an adapted head."""
    if data.is_dataset(x):
        if y is not None:
            raise ValueError(f"{what}: y must not be given beside a dataset that yields labels.")
        if data.is_endless(x):
            raise ValueError(f"{what}: the dataset never ends; add .take(n).")
        x, y, w = data.read_dataset(x)
        sample_weight = w if sample_weight is None else sample_weight
    return data.make_rows(x, y, head, sample_weight, class_weight)


def read(
    head: Head,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: dict | None,
    validation_data: Any,
    validation_split: float,
    batch_size: int,
    evaluator: Evaluator | None,
    seed: int,
    report_data: Any = None,
) -> Inputs:
    """Checks everything that `fit` was given, and adapts the head to the labels."""
    stream = None
    if data.is_dataset(x):
        data.check_batched(x)
        if y is not None:
            raise ValueError("y must not be given beside a dataset, which yields its own labels.")
        if data.is_endless(x):
            if validation_split:
                raise ValueError(
                    "validation_split needs finite data. Pass validation_data instead."
                )
            stream = x
            batch_size = _batch_size(x)
            sample = x.take(-(-SAMPLE_ROWS // batch_size))
            x, y, w = data.read_dataset(sample)
        else:
            batch_size = _batch_size(x)
            x, y, w = data.read_dataset(x)
        sample_weight = w if sample_weight is None else sample_weight
    if y is None:
        raise ValueError("Labels are missing: pass y, or a tf.data.Dataset of (features, labels).")
    # A dict holds the labels of several heads, which are counted by head.adapt.
    if not isinstance(y, dict) and len(y) == 0:
        raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")
    head.adapt(y)
    class_weight = encode_classes(head, class_weight)
    train = data.make_rows(x, y, head, sample_weight, class_weight)
    valid = None
    if validation_data is not None:
        valid = _held_out_rows(validation_data, head, "validation_data")
    elif validation_split:
        train, valid = data.split_rows(train, validation_split, derive_seed(seed, "split"))
    judged = None
    if evaluator is not None:
        evaluator.check(head)
        if evaluator.x is not None:
            judged = labelled_rows(
                evaluator.x, evaluator.y, head, "Evaluator", evaluator.sample_weight
            )
        elif valid is None:
            raise ValueError(
                "The Evaluator has no data: pass validation_data or validation_split to fit, or "
                "x and y to the Evaluator."
            )
    reported = None
    if report_data is not None:
        reported = _held_out_rows(report_data, head, "report_data")
    held_out = {"Validation data": valid, "Evaluator data": judged, "Report data": reported}
    for what, rows in held_out.items():
        if rows is not None and rows.spec != train.spec:
            raise ValueError(
                f"{what} must have the training features' form {describe(train.spec)}. "
                f"Received: {describe(rows.spec)}."
            )
    size = min(batch_size, len(train))
    return Inputs(train, valid, judged, reported, stream, size, class_weight)


def own_rows(given: TrainingData, head: Head, spec: Spec, builder: str) -> Rows:
    """The rows that a candidate brings, checked against those of `fit`."""
    what = f"The training data of builder '{builder}'"
    rows = labelled_rows(given.x, given.y, head, what, given.sample_weight)
    if rows.spec != spec:
        raise ValueError(
            f"{what} must have the training features' form {describe(spec)}. "
            f"Received: {describe(rows.spec)}."
        )
    return rows


def describe(spec: Spec) -> str:
    """A feature spec in words."""
    if isinstance(spec, dict):
        return "{" + ", ".join(f"{k}: {v}" for k, v in spec.items()) + "}"
    return str(spec)


def encode_classes(head: Head, class_weight: dict | None) -> dict[int, float] | None:
    """Class weights by encoded class."""
    if not class_weight:
        return None
    if isinstance(head, Multi):
        raise ValueError(
            f"class_weight needs one class a row, and head '{head.name}' has several labels; use "
            f"sample_weight instead. Received: class_weight={class_weight!r}."
        )
    encoded = {}
    for label, weight in class_weight.items():
        try:
            encoded[int(np.ravel(head.encode([label]))[0])] = weight
        except (ValueError, TypeError) as error:
            raise ValueError(f"class_weight names an unknown class {label!r}: {error}") from error
    return encoded


def _batch_size(dataset):
    static = keras.tree.flatten(dataset.element_spec)[0].shape[0]
    if static is not None:
        return int(static)
    for element in dataset.take(1):
        return int(keras.tree.flatten(element)[0].shape[0])
    raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")


def _held_out_rows(given, head, what):
    if data.is_dataset(given):
        return labelled_rows(given, None, head, what)
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise ValueError(
            f"{what} must be (x, y), (x, y, sample_weight) or a tf.data.Dataset. "
            f"Received: {type(given).__name__}."
        )
    return labelled_rows(given[0], given[1], head, what, *given[2:])


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
        preprocessing: Model, or `None`.
        skip: Chunks that an earlier process has used.
        class_weight: Weights by encoded class, or `None`.

    Attributes:
        frozen: From features to what frozen members give on them: `base` and `hidden` where
            they are used. `None` where nothing is.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        head: Head,
        batch_size: int,
        chunk: int,
        preprocessing: keras.Model | None,
        skip: int = 0,
        class_weight: dict[int, float] | None = None,
    ):
        self.head, self.chunk, self.batch_size = head, chunk, batch_size
        self.class_weight = class_weight
        self.preprocessing, self.used = preprocessing, skip
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
        rows = data.make_rows(x, y, self.head, w[0] if w else None, self.class_weight)
        return preprocess(rows, self.preprocessing)

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


def finite_feed(
    view: View,
    batch_size: int,
    steps: int,
    base: np.ndarray | None,
    seed: int,
    hidden: dict[str, np.ndarray] | None = None,
) -> FiniteFeed:
    """The feed of one round over finite rows."""
    batches = Batches(len(view.rows), batch_size, seed)
    chunk = chunk_steps(view.rows, batch_size, steps, hidden)
    return FiniteFeed(view, batches, base, chunk, hidden)
