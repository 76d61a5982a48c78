"""Converts what an `input_fn` returns to what a search takes."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import check_function, show
from adaptive_nets._values import tried
from adaptive_nets.data.columns.alignment import check_aligned
from adaptive_nets.data.containers import unpack
from adaptive_nets.data.datasets import is_dataset, is_endless, plain_features, plain_labels
from adaptive_nets.data.schema import Schema
from adaptive_nets.estimator.mode_keys import ModeKeys

if TYPE_CHECKING:
    import tensorflow as tf

    from adaptive_nets.estimator.config import RunConfig


@dataclasses.dataclass
class Given:
    """Training data of an `input_fn`.

    Args:
        arguments: `x`, `y`, `sample_weight` and `batch_size` of `AdaNet.fit`.
        steps: Number of batches of a finite dataset, or `None`.
    """

    arguments: dict[str, Any]
    steps: int | None


def call(input_fn: Callable, mode: str, config: "RunConfig", params: Any) -> Any:
    """Calls an `input_fn` with those of `mode`, `config` and `params` that it takes.

    Raises:
        TypeError: `input_fn` is not callable.
    """
    check_function("input_fn", input_fn)
    known = {"mode": mode, "config": config, "params": params}
    signature = tried(lambda: inspect.signature(input_fn))
    # Built-in functions need not say what they take.
    names = signature.parameters if signature else ()
    given = {name: value for name, value in known.items() if name in names}
    try:
        inspect.signature(input_fn).bind(**given)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "input_fn must be a function that needs no arguments but mode, config and params. "
            f"Received: input_fn={show(input_fn)}, {error}."
        ) from error
    return input_fn(**given)


def for_training(
    input_fn: Callable, config: "RunConfig", params: Any, most: int | None = None
) -> Given:
    """Returns the training data of an `input_fn`.

    Training ends when a finite dataset ends, as in tf.estimator. A batch of tensors is used in
    every step.

    Args:
        input_fn: The function.
        config: The `RunConfig`.
        params: Hyperparameters for `input_fn`.
        most: Number of batches of which no more are needed. Defaults to `None`: no limit.

    Raises:
        ValueError: It returns neither a batched dataset nor tensors of features and labels.
    """
    found = call(input_fn, ModeKeys.TRAIN, config, params)
    if is_dataset(found):
        _check_labelled(found)
        return Given({"x": found}, None if is_endless(found) else _length(found, most))
    features, labels, *weight = _pair(found)
    rows = len(keras.tree.flatten(features)[0])
    if unpack(found[0], rows).layout == "columns":
        features = found[0]
    given = {"x": features, "y": labels, "batch_size": rows}
    if weight:
        given["sample_weight"] = weight[0]
    return Given(given, None)


def for_evaluation(
    input_fn: Callable, steps: int | None, config: "RunConfig", params: Any
) -> "tf.data.Dataset":
    """Returns a finite dataset of features and labels.

    Raises:
        ValueError: The dataset is infinite and `steps` is `None`, or it has another structure.
    """
    import tensorflow as tf

    found = call(input_fn, ModeKeys.EVAL, config, params)
    if not is_dataset(found):
        found = tf.data.Dataset.from_tensors(tuple(_pair(found)))
        return found if steps is None else found.repeat(steps)
    _check_labelled(found)
    if steps is not None:
        return found.take(steps)
    if is_endless(found):
        raise ValueError("The dataset of input_fn is infinite: pass steps to evaluate.")
    return found


def for_prediction(input_fn: Callable, config: "RunConfig", params: Any) -> "tf.data.Dataset":
    """Returns a dataset of batches of features without labels."""
    import tensorflow as tf

    found = call(input_fn, ModeKeys.PREDICT, config, params)
    if not is_dataset(found):
        # A list is one of rows or of inputs.
        features = found[0] if isinstance(found, tuple) else found
        return tf.data.Dataset.from_tensors(plain_features(features))
    if isinstance(found.element_spec, tuple):
        return found.map(lambda features, *rest: features)
    return found


def check_features(dataset: "tf.data.Dataset", schema: Schema) -> None:
    """Checks names, shapes and kinds of features before any are read.

    Args:
        dataset: Dataset of features, or of tuples that begin with features.
        schema: The schema of the search. There may be more features than it has.

    Raises:
        ValueError: A feature is missing, or has another shape or kind.
    """
    given = dataset.element_spec
    given = given[0] if isinstance(given, tuple) else given
    found = given if isinstance(given, dict) else {"features": given}
    if isinstance(given, dict) != (schema.layout != "array") or not all(
        _fits(found.get(f.name, found.get(f.key)), f) for f in schema.features
    ):
        shown = {n: f"{t.dtype.name}{list(t.shape[1:])}" for n, t in found.items()}
        wanted = {f.name: str(f.spec) for f in schema.features}
        raise ValueError(
            f"input_fn must return the features of the training: {wanted}. Received: {shown}."
        )


def _fits(spec, feature):
    if spec is None or (spec.dtype.name == "string") != (feature.dtype == "string"):
        return False
    if spec.shape.rank is None:
        return True
    given = spec.shape[1:]
    return any(given.is_compatible_with(shape) for shape in {feature.shape, feature.spec.shape})


def _check_labelled(dataset):
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise ValueError(
            "The dataset of input_fn must yield (features, labels) or (features, labels, weights). "
            f"Received: {spec}."
        )


def _pair(found):
    if not isinstance(found, tuple | list) or len(found) not in (2, 3):
        raise ValueError(
            "input_fn must return a tf.data.Dataset or (features, labels). "
            f"Received: {type(found).__name__}."
        )
    check_aligned(*found)
    parts = [plain_features(found[0]), *map(plain_labels, found[1:])]
    lengths = {len(a) for part in parts for a in keras.tree.flatten(part) if np.ndim(a)}
    if len(lengths) != 1:
        raise ValueError(
            "The features and labels of input_fn must have the same number of rows. "
            f"Received: {sorted(lengths)} rows."
        )
    return parts


def _length(dataset, most):
    known = int(dataset.cardinality())
    if known >= 0:
        return known
    # To count them is to read them: not more than needed.
    return sum(1 for _ in (dataset if most is None else dataset.take(most)))
