"""What `fit` was given, checked and laid out before any training starts."""

import dataclasses
from typing import Any

import numpy as np

from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.data.datasets import (
    check_batched,
    dataset_batch_size,
    is_dataset,
    is_endless,
    read_dataset,
)
from adaptive_nets.data.rows import Rows, make_rows, split_rows
from adaptive_nets.data.schema import Spec, describe_spec
from adaptive_nets.data.training_data import TrainingData
from adaptive_nets.heads import Head, Multi

SAMPLE_ROWS = 4096


@dataclasses.dataclass
class FitData:
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
    if is_dataset(x):
        if y is not None:
            raise ValueError(f"{what}: y must not be given beside a dataset that yields labels.")
        if is_endless(x):
            raise ValueError(f"{what}: the dataset never ends; add .take(n).")
        x, y, w = read_dataset(x)
        sample_weight = w if sample_weight is None else sample_weight
    return make_rows(x, y, head, sample_weight, class_weight)


def read_fit_data(
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
) -> FitData:
    """Checks everything that `fit` was given, and adapts the head to the labels."""
    stream = None
    if is_dataset(x):
        check_batched(x)
        if y is not None:
            raise ValueError("y must not be given beside a dataset, which yields its own labels.")
        if is_endless(x):
            if validation_split:
                raise ValueError(
                    "validation_split needs finite data. Pass validation_data instead."
                )
            stream = x
            batch_size = dataset_batch_size(x)
            sample = x.take(-(-SAMPLE_ROWS // batch_size))
            x, y, w = read_dataset(sample)
        else:
            batch_size = dataset_batch_size(x)
            x, y, w = read_dataset(x)
        sample_weight = w if sample_weight is None else sample_weight
    if y is None:
        raise ValueError("Labels are missing: pass y, or a tf.data.Dataset of (features, labels).")
    # A dict holds the labels of several heads, which are counted by head.adapt.
    if not isinstance(y, dict) and len(y) == 0:
        raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")
    head.adapt(y)
    class_weight = encode_classes(head, class_weight)
    train = make_rows(x, y, head, sample_weight, class_weight)
    valid = None
    if validation_data is not None:
        valid = _held_out_rows(validation_data, head, "validation_data")
    elif validation_split:
        train, valid = split_rows(train, validation_split, derive_seed(seed, "split"))
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
                f"{what} must have the training features' form {describe_spec(train.spec)}. "
                f"Received: {describe_spec(rows.spec)}."
            )
    size = min(batch_size, len(train))
    return FitData(train, valid, judged, reported, stream, size, class_weight)


def own_rows(given: TrainingData, head: Head, spec: Spec, builder: str) -> Rows:
    """The rows that a candidate brings, checked against those of `fit`."""
    what = f"The training data of builder '{builder}'"
    rows = labelled_rows(given.x, given.y, head, what, given.sample_weight)
    if rows.spec != spec:
        raise ValueError(
            f"{what} must have the training features' form {describe_spec(spec)}. "
            f"Received: {describe_spec(rows.spec)}."
        )
    return rows


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


def _held_out_rows(given, head, what):
    if is_dataset(given):
        return labelled_rows(given, None, head, what)
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise ValueError(
            f"{what} must be (x, y), (x, y, sample_weight) or a tf.data.Dataset. "
            f"Received: {type(given).__name__}."
        )
    return labelled_rows(given[0], given[1], head, what, *given[2:])
