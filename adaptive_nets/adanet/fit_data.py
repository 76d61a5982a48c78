"""The data of `fit`, checked before training starts."""

import dataclasses
import functools
import math
from typing import Any

import numpy as np

from adaptive_nets._checks import check_integer, check_number, or_none, show
from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.objective.defined import check_defined
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.data.columns.alignment import check_aligned
from adaptive_nets.data.columns.feature import MismatchError
from adaptive_nets.data.datasets import (
    ReadLimits,
    check_batched,
    dataset_batch_size,
    is_batched,
    is_dataset,
    is_endless,
    read_batches,
    read_dataset,
)
from adaptive_nets.data.folds import read_groups
from adaptive_nets.data.preprocessing import schema_of, wanted_names
from adaptive_nets.data.rows import Rows, make_rows, split_rows
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.tables.row_stream import RowStream
from adaptive_nets.data.training_data import TrainingData
from adaptive_nets.data.weights import ClassWeight, scale_head_weights, take_weights
from adaptive_nets.heads import Head
from adaptive_nets.heads.class_weights import read_class_weight

SAMPLE_ROWS = 4096


@dataclasses.dataclass
class FitData:
    """Checked data.

    Args:
        train: Training rows; for an endless dataset, the sample that ensembles are judged on.
        valid: Validation rows, or `None`.
        judged: The evaluator's own rows, or `None`.
        reported: Rows for the metrics that the generator is told, or `None`.
        stream: The endless dataset or `RowStream`, or `None`.
        batch_size: Rows per step.
        schema: The schema of the features.
        class_weight: Weights by encoded class, for several heads by head, for the rows of the
            stream; or `None`.
        groups: `[rows]` number of each training row's group, or `None`.
    """

    train: Rows
    valid: Rows | None
    judged: Rows | None
    reported: Rows | None
    stream: object
    batch_size: int
    schema: Schema
    class_weight: ClassWeight | None = None
    groups: np.ndarray | None = None

    @property
    def epoch_steps(self) -> float:
        """Steps that read all rows once; infinity for an endless dataset."""
        if self.stream is None:
            return len(self.train) / self.batch_size
        return getattr(self.stream, "rows", math.inf) / self.batch_size


def labelled_rows(
    x: Any,
    y: Any,
    head: Head,
    what: str,
    sample_weight: Any = None,
    class_weight: ClassWeight | None = None,
    schema: Schema | None = None,
    limits: ReadLimits | None = None,
) -> Rows:
    """Returns finite rows from arrays or batches, read by a schema and encoded by a head."""
    if is_batched(x):
        if y is not None:
            raise ValueError(
                f"{what}: y must not be passed with a dataset x, which yields labels. "
                f"Received: x={show(x)}, y={show(y)}."
            )
        if is_endless(x):
            raise ValueError(f"{what}: the dataset must be finite. Add .take(n).")
        read = read_dataset if is_dataset(x) else read_batches
        x, y, w = read(x, limits=limits)[:3]
        sample_weight = w if sample_weight is None else sample_weight
    try:
        return make_rows(x, y, head, sample_weight, class_weight, schema)
    except MismatchError as error:
        if not what.lower().endswith("data") and "builder" not in what:
            raise
        if "missing" in str(error):
            raise ValueError(f"{what}: {error}") from error
        named = what.replace("_", " ")
        raise ValueError(
            f"{named[0].upper() + named[1:]} must have the same features as the training data: "
            f"{error.expected}. Received: {error.received}."
        ) from error
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


@dataclasses.dataclass(frozen=True)
class FitArguments:
    """The arguments of `AdaNet.fit` on data and limits, which are documented there.

    Raises:
        ValueError: A number is out of range.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None
    class_weight: Any = None
    validation_data: Any = None
    validation_split: float = 0.0
    report_data: Any = None
    batch_size: int = 32
    time_limit: float | None = None
    max_steps: int | None = None
    groups: Any = None

    def __post_init__(self):
        keep = functools.partial(object.__setattr__, self)
        endless = isinstance(self.time_limit, float) and self.time_limit == math.inf
        if self.time_limit is not None and not endless:
            keep("time_limit", check_number("time_limit", self.time_limit, 0, inclusive=False))
        keep("batch_size", check_integer("batch_size", self.batch_size, 1))
        keep("max_steps", or_none(check_integer, "max_steps", self.max_steps, 1))
        if self.validation_split is not None:
            split = check_number("validation_split", self.validation_split, 0, 1, "low")
            keep("validation_split", split)


def read_fit_data(
    head: Head,
    given: FitArguments,
    evaluator: Evaluator | None,
    seed: int,
    schema: Schema | None = None,
    preprocessing: Any = None,
    limits: ReadLimits | None = None,
) -> FitData:
    """Checks all data of `fit`, and adapts the head to the labels.

    Args:
        head: The head. It is changed.
        given: The arguments of `fit`.
        evaluator: The search's evaluator, or `None`.
        seed: The search's seed.
        schema: The schema of the features. Defaults to `None`: it is learnt from `x`.
        preprocessing: The search's preprocessing, which says whether columns stay separate.
        limits: How much of a dataset to read. Defaults to `None`: all of it.

    Raises:
        ValueError: The data is invalid.
    """
    x, y, sample_weight, stream, batch_size = _read_training_data(given, limits)
    if y is None:
        raise ValueError("Labels are missing. Pass y, or a tf.data.Dataset of (features, labels).")
    # What is learnt of the features is learnt without the weights among them.
    x, sample_weight = take_weights(head, x, sample_weight)
    # A dict holds the labels of several heads, which head.adapt counts.
    if not isinstance(y, dict) and row_count(y) == 0:
        raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")
    head.adapt(y)
    class_weight = given.class_weight
    if class_weight is not None:
        known = head.encode(y) if stream is None else None
        class_weight = read_class_weight(head, class_weight, known, sample_weight)
    if schema is None:
        schema = schema_of(preprocessing)
    if schema is None:
        separate, only = wanted_names(preprocessing)
        schema = Schema.infer(x, row_count(y), separate, only)
    train = make_rows(x, y, head, sample_weight, class_weight, schema)
    valid = reported = None
    if given.validation_data is not None:
        valid = _held_out_rows(given.validation_data, head, "validation_data", schema, limits)
    elif given.validation_split:
        sides = split_rows(
            train, given.validation_split, derive_seed(seed, "split"), head.strata(train.y)
        )
        train, valid = (scale_head_weights(head, side) for side in sides)
    judged = _evaluator_rows(evaluator, head, valid, schema)
    if evaluator is not None:
        check_defined(head, evaluator.metric, judged or valid)
    if given.report_data is not None:
        reported = _held_out_rows(given.report_data, head, "report_data", schema, limits)
    size = min(batch_size, len(train))
    if given.groups is not None:
        check_aligned(x, groups=given.groups)
    groups = None if given.groups is None else read_groups(given.groups, len(train))
    return FitData(train, valid, judged, reported, stream, size, schema, class_weight, groups)


def _read_training_data(given, limits):
    """Returns features, labels, weights, the stream or `None`, and the batch size."""
    x, y, stream, batch_size = given.x, given.y, None, given.batch_size
    if isinstance(x, RowStream):
        return *x.sample, x, x.batch_size
    if not is_batched(x):
        return x, y, given.sample_weight, stream, batch_size
    if y is not None:
        raise ValueError(
            "y must not be passed with a dataset x, which yields its own labels. "
            f"Received: x={show(x)}, y={show(y)}."
        )
    if not is_dataset(x):
        x, y, w, batch_size = read_batches(x, limits=limits)
        return x, y, w if given.sample_weight is None else given.sample_weight, None, batch_size
    check_batched(x)
    if is_endless(x):
        if given.validation_split:
            raise ValueError("validation_split requires finite data. Pass validation_data instead.")
        stream = x
        batch_size = dataset_batch_size(x)
        x = x.take(-(-SAMPLE_ROWS // batch_size))
        limits = None
    else:
        batch_size = dataset_batch_size(x)
    x, y, w = read_dataset(x, limits=limits)
    return x, y, w if given.sample_weight is None else given.sample_weight, stream, batch_size


def _evaluator_rows(evaluator, head, valid, schema):
    """Returns the evaluator's own rows, or `None`."""
    if evaluator is None:
        return None
    evaluator.check(head)
    if evaluator.x is not None:
        return labelled_rows(
            evaluator.x, evaluator.y, head, "Evaluator data", evaluator.sample_weight, schema=schema
        )
    if valid is None:
        raise ValueError(
            "The Evaluator has no data. Pass validation_data or validation_split to fit, or "
            "x and y to the Evaluator."
        )
    return None


def own_rows(given: TrainingData, head: Head, schema: Schema, builder: str) -> Rows:
    """Returns a builder's own training rows, checked against those of `fit`."""
    what = f"The training data of builder '{builder}'"
    return labelled_rows(given.x, given.y, head, what, given.sample_weight, schema=schema)


def row_count(labels: Any) -> int:
    """Returns the number of rows of labels, which several heads take as a dict; -1 if none."""
    while isinstance(labels, dict) and labels:
        labels = next(iter(labels.values()))
    shape = np.shape(labels) if hasattr(labels, "shape") else None
    if shape is None:
        return len(labels) if hasattr(labels, "__len__") else -1
    return int(shape[0]) if len(shape) else -1


def _held_out_rows(given, head, what, schema, limits):
    if is_batched(given):
        if limits is not None:
            seconds = limits.seconds and limits.seconds / 3
            limits = ReadLimits(seconds=seconds, what=what)
        return labelled_rows(given, None, head, what, schema=schema, limits=limits)
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise ValueError(
            f"{what} must be (x, y), (x, y, sample_weight) or a tf.data.Dataset. "
            f"Received: {type(given).__name__}."
        )
    return labelled_rows(given[0], given[1], head, what, *given[2:], schema=schema)
