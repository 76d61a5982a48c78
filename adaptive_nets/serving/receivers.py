"""Serving receivers: what a server receives and how it becomes features."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
from absl import logging

from adaptive_nets._checks import (
    check_array,
    check_dict,
    check_function,
    check_integer,
    or_none,
    show,
)
from adaptive_nets.data.columns.naming import safe_keys

if TYPE_CHECKING:
    import tensorflow as tf

EXAMPLES = "examples"


class ServingInputReceiver(NamedTuple):
    """The return value of a `serving_input_receiver_fn`, as in `tf.estimator.export`.

    Attributes:
        features: Tensor or dict of tensors that the model takes.
        receiver_tensors: Placeholder or dict of placeholders for the content of a request.
        receiver_tensors_alternatives: Not supported. Must be `None`.
    """

    features: Any
    receiver_tensors: Any
    receiver_tensors_alternatives: Any = None


@dataclasses.dataclass(frozen=True)
class Receiver:
    """A function from received tensors to features, with its signature.

    Args:
        specs: The `tf.TensorSpec` of each received tensor, by name.
        features: Function from received tensors, by name, to features.
        is_examples: Whether one vector of serialized `tf.Example`s is received.
    """

    specs: dict[str, "tf.TensorSpec"]
    features: Callable[..., Any]
    is_examples: bool


def build_parsing_serving_input_receiver_fn(
    feature_spec: dict[str, Any], default_batch_size: int | None = None
) -> Callable[[], ServingInputReceiver]:
    """Returns a `serving_input_receiver_fn` that parses serialized `tf.Example`s.

    Args:
        feature_spec: Dict from feature name to `tf.io.FixedLenFeature` or another feature of
            `tf.io.parse_example`.
        default_batch_size: Number of rows per request. Defaults to `None`: any number.

    Example:

    ```python
    import tensorflow as tf
    import adaptive_nets as an

    receive = an.serving.build_parsing_serving_input_receiver_fn(
        {"features": tf.io.FixedLenFeature([4], tf.float32)}
    )
    ```
    """
    import tensorflow as tf

    kinds = (
        tf.io.FixedLenFeature, tf.io.FixedLenSequenceFeature, tf.io.VarLenFeature,
        tf.io.RaggedFeature, tf.io.SparseFeature,
    )  # fmt: skip
    words = "a dict of tf.io.FixedLenFeature or other features by name"
    check_dict("feature_spec", feature_spec, kinds, words, 1)
    or_none(check_integer, "default_batch_size", default_batch_size, 1)

    def serving_input_receiver_fn():
        examples = tf.compat.v1.placeholder(
            tf.string, [default_batch_size], name="input_example_tensor"
        )
        features = tf.io.parse_example(examples, feature_spec)
        return ServingInputReceiver(features, {EXAMPLES: examples})

    return serving_input_receiver_fn


def build_raw_serving_input_receiver_fn(
    features: dict[str, Any] | Any, default_batch_size: int | None = None
) -> Callable[[], ServingInputReceiver]:
    """Returns a `serving_input_receiver_fn` that receives the features themselves.

    Args:
        features: Tensor or array, or dict of them. Only shapes and dtypes matter, not the values
            or the number of rows.
        default_batch_size: Number of rows per request. Defaults to `None`: any number.
    """
    or_none(check_integer, "default_batch_size", default_batch_size, 1)
    named = features if isinstance(features, dict) else {"features": features}
    words = "a tensor or array of rows, or a dict of them by name"
    check_dict("features", named, object, words, 1)
    for value in named.values():
        shape = getattr(value, "shape", None)
        if shape is None or not hasattr(value, "dtype"):
            read = check_array("features", value, words)
            shape = read.shape
            if not read.size:
                raise ValueError(f"features must be {words}. Received: {show(value)}, no values.")
        if len(shape) < 1 or 0 in shape[1:] or _dtype_of(value) is None:
            raise ValueError(f"features must be {words}. Received: features={show(features)}.")

    def serving_input_receiver_fn():
        import tensorflow as tf

        def placeholder(name, value):
            value = tf.convert_to_tensor(value) if not hasattr(value, "shape") else value
            shape = [default_batch_size, *value.shape[1:]]
            return tf.compat.v1.placeholder(tf.as_dtype(value.dtype), shape, name=name)

        if not isinstance(features, dict):
            only = placeholder("features", features)
            return ServingInputReceiver(only, {"features": only})
        keys = safe_keys(map(str, features))
        received = {
            name: placeholder(key, value)
            for key, (name, value) in zip(keys, features.items(), strict=True)
        }
        return ServingInputReceiver(received, dict(received))

    return serving_input_receiver_fn


def _dtype_of(value):
    """Returns TensorFlow's dtype of a tensor or array, or `None` where it has none."""
    import tensorflow as tf

    try:
        return tf.as_dtype(value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype)
    except Exception:
        return None


def receiver_of(serving_input_receiver_fn: Callable[[], Any]) -> Receiver:
    """Converts a `serving_input_receiver_fn` of tf.estimator, with placeholders, to a receiver.

    Args:
        serving_input_receiver_fn: Function that returns an object with `features` and
            `receiver_tensors`.

    Raises:
        ValueError: It returns something else, or its features do not depend on its placeholders.
    """
    import tensorflow as tf

    check_function("serving_input_receiver_fn", serving_input_receiver_fn)
    try:
        inspect.signature(serving_input_receiver_fn).bind()
    except Exception as error:  # Objects may run code of their own.
        raise TypeError(
            f"serving_input_receiver_fn must be callable without arguments. Received: {error}."
        ) from error
    kept = {}

    def traced():
        found = serving_input_receiver_fn()
        if not hasattr(found, "features") or not hasattr(found, "receiver_tensors"):
            raise ValueError(
                "serving_input_receiver_fn must return a ServingInputReceiver. Received: "
                f"{type(found).__name__}."
            )
        if getattr(found, "receiver_tensors_alternatives", None):
            raise ValueError(
                "serving_input_receiver_fn must return a ServingInputReceiver without "
                "receiver_tensors_alternatives, which are not supported. Export once per receiver."
            )
        received = found.receiver_tensors
        named = received if isinstance(received, dict) else {EXAMPLES: received}
        kept.update(named=named, features=found.features)

    try:
        wrapped = tf.compat.v1.wrap_function(traced, [])
    except Exception as error:
        if str(error).startswith("serving_input_receiver_fn"):
            raise
        raise ValueError(
            "serving_input_receiver_fn must return a ServingInputReceiver. Received: it raised "
            f"{type(error).__name__}, {show(str(error))}."
        ) from error
    named = _served_names({str(name): tensor for name, tensor in kept["named"].items()})
    flat = keras.tree.flatten(kept["features"])
    eager = [t for t in [*named.values(), *flat] if getattr(t, "graph", None) is not wrapped.graph]
    if eager:
        raise ValueError(
            "serving_input_receiver_fn must create its receiver tensors with "
            "tf.compat.v1.placeholder, or be made by a serving.build_..._fn. Received: "
            f"{show(eager[0])}."
        )
    pruned = wrapped.prune(feeds=list(named.values()), fetches=flat)
    structure = keras.tree.map_structure(lambda _: None, kept["features"])
    specs = {name: tf.TensorSpec(t.shape, t.dtype, name) for name, t in named.items()}

    def features(**received):
        found = pruned(*(received[name] for name in named))
        return keras.tree.pack_sequence_as(structure, list(found))

    only = next(iter(specs.values()))
    is_examples = len(specs) == 1 and only.dtype == tf.string and only.shape.rank == 1
    return Receiver(specs, features, is_examples)


def _served_names(named):
    """Returns received tensors by names that TensorFlow's signatures take."""
    keys = dict(zip(named, safe_keys(named), strict=True))
    renamed = ", ".join(f"'{name}' as '{key}'" for name, key in keys.items() if name != key)
    if renamed:
        logging.warning("Serving signatures name the received tensors: %s.", renamed)
    return {keys[name]: tensor for name, tensor in named.items()}


def example_receiver(
    inputs: Any,
    example_spec: dict[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Receiver:
    """Returns a receiver that parses serialized `tf.Example`s to a model's inputs.

    Args:
        inputs: The model's inputs, a `KerasTensor` or a dict of them.
        example_spec: Feature spec, as in `tf.io.parse_example`. Defaults to `None`: one feature
            per input, with its name and shape.
        defaults: Values of inputs that an example may lack, by name. Defaults to `None`: it must
            have them all.

    Raises:
        ValueError: An input has a shape or dtype that a `tf.Example` cannot hold.
    """
    import tensorflow as tf

    named = inputs if isinstance(inputs, dict) else {inputs.name: inputs}
    if example_spec is None:
        defaults = defaults or {}
        example_spec = {name: _feature(name, t, defaults.get(name)) for name, t in named.items()}
    elif not isinstance(example_spec, dict) or set(example_spec) != set(named):
        raise ValueError(
            f"example_spec must name the model's inputs {sorted(named)}. "
            f"Received: example_spec={show(example_spec)}."
        )

    def features(**received):
        parsed = tf.io.parse_example(received["inputs"], example_spec)
        parsed = {
            name: tf.reshape(
                tf.cast(value, named[name].dtype), [-1, *named[name].shape[1:]]
            ) if named[name].dtype != "string" else value
            for name, value in ((n, _dense(v)) for n, v in parsed.items())
        }  # fmt: skip
        return parsed if isinstance(inputs, dict) else next(iter(parsed.values()))

    return Receiver({"inputs": tf.TensorSpec([None], tf.string, "inputs")}, features, True)


def _dense(value):
    import tensorflow as tf

    return tf.sparse.to_dense(value) if isinstance(value, tf.sparse.SparseTensor) else value


def _feature(name, tensor, default):
    import tensorflow as tf

    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise ValueError(
            f"Input '{name}' has a variable shape: {shape}. Pass example_spec with a "
            "tf.io.FixedLenSequenceFeature for it."
        )
    kind = tf.as_dtype(tensor.dtype)
    if kind.is_integer or kind.is_bool:
        kind = tf.int64
    elif kind.is_floating:
        kind = tf.float32
    elif kind != tf.string:
        raise ValueError(f"Input '{name}' has a dtype that tf.Example cannot hold: {kind.name}.")
    return tf.io.FixedLenFeature(shape, kind, default)
