"""What a server receives, and how it becomes features."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import keras

if TYPE_CHECKING:
    import tensorflow as tf

EXAMPLES = "examples"


class ServingInputReceiver(NamedTuple):
    """What a `serving_input_receiver_fn` returns, as of `tf.estimator.export`.

    Attributes:
        features: Tensor, or dict of tensors: what the model takes.
        receiver_tensors: Placeholder, or dict of placeholders: what a request brings.
        receiver_tensors_alternatives: Not supported: must be `None`.
    """

    features: Any
    receiver_tensors: Any
    receiver_tensors_alternatives: Any = None


@dataclasses.dataclass(frozen=True)
class Receiver:
    """A function from what is received to features, and its signature.

    Attributes:
        specs: A `tf.TensorSpec` for each received tensor, by name.
        features: From tensors by these names to features.
        is_examples: Whether what is received is one vector of serialized `tf.Example`s.
    """

    specs: dict[str, "tf.TensorSpec"]
    features: Callable[..., Any]
    is_examples: bool


def build_parsing_serving_input_receiver_fn(
    feature_spec: dict[str, Any], default_batch_size: int | None = None
) -> Callable[[], ServingInputReceiver]:
    """A `serving_input_receiver_fn` that parses serialized `tf.Example`s.

    Args:
        feature_spec: Dict from feature to `tf.io.FixedLenFeature` or another kind of
            `tf.io.parse_example`.
        default_batch_size: Rows of a request. Defaults to `None`: any number.

    Example:

    ```python
    import tensorflow as tf
    import adaptive_nets as an

    receive = an.serving.build_parsing_serving_input_receiver_fn(
        {"features": tf.io.FixedLenFeature([4], tf.float32)}
    )
    ```
    """

    def serving_input_receiver_fn():
        import tensorflow as tf

        examples = tf.compat.v1.placeholder(
            tf.string, [default_batch_size], name="input_example_tensor"
        )
        features = tf.io.parse_example(examples, feature_spec)
        return ServingInputReceiver(features, {EXAMPLES: examples})

    return serving_input_receiver_fn


def build_raw_serving_input_receiver_fn(
    features: dict[str, Any] | Any, default_batch_size: int | None = None
) -> Callable[[], ServingInputReceiver]:
    """A `serving_input_receiver_fn` that receives the features themselves.

    Args:
        features: Tensor or array, or dict of them; shapes and types count, the rows do not.
        default_batch_size: Rows of a request. Defaults to `None`: any number.
    """

    def serving_input_receiver_fn():
        import tensorflow as tf

        def placeholder(name, value):
            value = tf.convert_to_tensor(value) if not hasattr(value, "shape") else value
            shape = [default_batch_size, *value.shape[1:]]
            return tf.compat.v1.placeholder(tf.as_dtype(value.dtype), shape, name=name)

        if not isinstance(features, dict):
            only = placeholder("features", features)
            return ServingInputReceiver(only, {"features": only})
        received = {name: placeholder(name, value) for name, value in features.items()}
        return ServingInputReceiver(received, dict(received))

    return serving_input_receiver_fn


def receiver_of(serving_input_receiver_fn: Callable[[], Any]) -> Receiver:
    """A receiver from a function in tf.estimator's form, placeholders and all.

    Args:
        serving_input_receiver_fn: Returns an object with `features` and `receiver_tensors`.

    Raises:
        ValueError: It returns something else, or its features do not follow from what it receives.
    """
    import tensorflow as tf

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
                "receiver_tensors_alternatives are not supported. Export once for each receiver."
            )
        received = found.receiver_tensors
        named = received if isinstance(received, dict) else {EXAMPLES: received}
        kept.update(named=named, features=found.features)

    wrapped = tf.compat.v1.wrap_function(traced, [])
    named = {str(name): tensor for name, tensor in kept["named"].items()}
    flat = keras.tree.flatten(kept["features"])
    eager = [t for t in [*named.values(), *flat] if getattr(t, "graph", None) is not wrapped.graph]
    if eager:
        raise ValueError(
            "serving_input_receiver_fn must make its receiver tensors with "
            "tf.compat.v1.placeholder, or be one that serving.build_..._fn returns. Received: "
            f"{eager[0]!r}."
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


def example_receiver(inputs: Any, example_spec: dict[str, Any] | None = None) -> Receiver:
    """What parses serialized `tf.Example`s to a model's inputs.

    Args:
        inputs: The model's inputs, a `KerasTensor` or a dict of them.
        example_spec: As of `tf.io.parse_example`. Defaults to one feature for each input, of its
            shape, and named as it is.

    Raises:
        ValueError: An input has a shape or type that a `tf.Example` has no place for.
    """
    import tensorflow as tf

    named = inputs if isinstance(inputs, dict) else {inputs.name: inputs}
    if example_spec is None:
        example_spec = {name: _feature(name, tensor) for name, tensor in named.items()}
    elif set(example_spec) != set(named):
        raise ValueError(
            f"example_spec must name the model's inputs {sorted(named)}. "
            f"Received: {sorted(example_spec)}."
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


def _feature(name, tensor):
    import tensorflow as tf

    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise ValueError(
            f"Input '{name}' has no fixed shape: {shape}. Pass example_spec, with a "
            "tf.io.FixedLenSequenceFeature for it."
        )
    kind = tf.as_dtype(tensor.dtype)
    if kind.is_integer or kind.is_bool:
        kind = tf.int64
    elif kind.is_floating:
        kind = tf.float32
    elif kind != tf.string:
        raise ValueError(f"Input '{name}' has a type that tf.Example does not: {kind.name}.")
    return tf.io.FixedLenFeature(shape, kind)
