"""Converts what an `input_fn` returns to what a search takes."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import check_function, show
from adaptive_nets._values import tried
from adaptive_nets.adanet.fit_data import SAMPLE_ROWS
from adaptive_nets.data.columns.alignment import check_aligned
from adaptive_nets.data.containers import unpack
from adaptive_nets.data.datasets import (
    count_batches,
    is_dataset,
    is_endless,
    plain_features,
    plain_labels,
    stream_repetitions,
)
from adaptive_nets.data.schema import Schema
from adaptive_nets.estimator.compat.arrays import numpy_input_fn, pandas_input_fn
from adaptive_nets.estimator.mode_keys import ModeKeys

if TYPE_CHECKING:
    import tensorflow as tf

    from adaptive_nets.estimator.config import RunConfig

__all__ = ["numpy_input_fn", "pandas_input_fn"]

ONE_SHOT = (
    "input_fn must return the tf.data.Dataset itself, not tensors or an iterator: outside a graph "
    "get_next() gives one batch, which would be used in every step. Leave out "
    "make_one_shot_iterator().get_next(), or return arrays for a single batch."
)


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
        ValueError: It returns the tensors of one batch, or an iterator.
    """
    try:
        found = call_named("input_fn", input_fn, mode=mode, config=config, params=params)
    except AttributeError as error:
        if "_iterator" not in str(error):
            raise
        raise ValueError(f"{ONE_SHOT} Received: {error}.") from error
    parts = found if isinstance(found, tuple | list | dict) else [found]
    for part in [] if is_dataset(found) else keras.tree.flatten(parts):
        if is_dataset(part):
            raise ValueError(
                "input_fn must return one tf.data.Dataset of (features, labels), as "
                "tf.data.Dataset.zip((features, labels)) makes of two. Received: "
                f"{type(found).__name__} with a dataset in it."
            )
        if keras.ops.is_tensor(part) or hasattr(part, "get_next"):
            raise ValueError(f"{ONE_SHOT} Received: {show(part)}.")
    return found


def call_named(name: str, function: Callable, **known: Any) -> Any:
    """Calls a user's function with those of the known arguments that it takes.

    Args:
        name: Name of the function in messages.
        function: The function.
        **known: What it may ask for.

    Raises:
        TypeError: It is not callable, or needs other arguments.
    """
    check_function(name, function)
    signature = tried(lambda: inspect.signature(function))
    # Built-in functions need not say what they take.
    names = signature.parameters if signature else ()
    given = {key: value for key, value in known.items() if key in names}
    try:
        inspect.signature(function).bind(**given)
    except (TypeError, ValueError) as error:
        *most, last = known
        raise TypeError(
            f"{name} must be a function that needs no arguments but {', '.join(most)} and {last}. "
            f"Received: {name}={show(function)}, {error}."
        ) from error
    return function(**given)


def for_training(
    input_fn: Callable,
    config: "RunConfig",
    params: Any,
    most: int | None = None,
    finite: Callable[[], bool] | None = None,
) -> Given:
    """Returns the training data of an `input_fn`.

    Training ends when a finite dataset ends, as in tf.estimator. A pair of arrays is one batch,
    used in every step. Rows that a dataset repeats are read as training goes on, up to its end.

    Args:
        input_fn: The function.
        config: The `RunConfig`.
        params: Hyperparameters for `input_fn`.
        most: Number of batches of which no more are needed. Defaults to `None`: no limit.
        finite: Function that returns whether a dataset must stay finite, to be read as a whole.
            Defaults to `None`: it need not.

    Raises:
        ValueError: It returns neither a batched dataset nor tensors of features and labels.
    """
    found = call(input_fn, ModeKeys.TRAIN, config, params)
    if is_dataset(found):
        _check_labelled(found)
        if is_endless(found):
            return Given({"x": found}, None)
        steps = count_batches(found, most)
        found = stream_repetitions(found, SAMPLE_ROWS, finite or (lambda: False))
        return Given({"x": found}, steps)
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
