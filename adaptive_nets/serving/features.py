"""Features as a server receives them: by name, as a schema says."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.data.schema import Schema
from adaptive_nets.serving.signatures import tensor_signature

_NOT_FINITE = "'{}' must be finite. Received: NaN or infinity, first in row:"
_INEXACT = "'{}' must be exact. Received: a whole number that would be rounded, in row:"


def served_specs(model: keras.Model, schema: Schema | None) -> Any:
    """Returns the `tf.TensorSpec`s that a server takes: one, or a dict by name.

    A table's columns are received one by one. One value per row may come as `[rows]`, as tables and
    scalar columns hold it, or as `[rows, 1]`, so its rank is left open.
    """
    import tensorflow as tf

    if schema is None:
        return tensor_signature(model)
    if schema.layout == "array":
        spec = tensor_signature(model)
        scalar = schema.features[0].shape == ()
        return tf.TensorSpec(None, spec.dtype, name=spec.name) if scalar else spec
    specs = named_specs(schema)
    return {
        f.key: specs[f.key] if f.shape else tf.TensorSpec(None, f.dtype, name=f.key)
        for f in schema.features
    }


def named_specs(schema: Schema) -> dict[str, Any]:
    """Returns the `tf.TensorSpec` of each feature by name, with its shape in the data."""
    import tensorflow as tf

    return {f.key: tf.TensorSpec([None, *f.shape], f.dtype, name=f.key) for f in schema.features}


def missing_values(schema: Schema) -> dict[str, Any]:
    """Returns what stands for a missing value of each feature that may be missing, by key."""
    return {f.key: f.missing_value for f in schema.features if f.missing and f.shape == ()}


def assembled(schema: Schema | None, received: Any, check_values: bool = True) -> Any:
    """Returns received tensors as the features that the model takes.

    Further tensors are left out. Numbers are cast to wider dtypes, and one value per row may come
    as `[rows]` or `[rows, 1]`.

    Args:
        schema: The schema of the features, or `None` to return what is received.
        received: Tensor, or dict of tensors.
        check_values: Whether the served graph refuses what `Schema.read` refuses: NaN, infinity,
            and whole numbers that the feature's dtype would round. Defaults to `True`.

    Raises:
        ValueError: A tensor is missing, or has another shape or kind.
    """
    import tensorflow as tf

    if schema is None:
        return received
    if schema.layout == "array":
        if isinstance(received, dict):
            if len(received) != 1:
                raise ValueError(_mismatch(schema, received))
            received = next(iter(received.values()))
        return _fitted(schema, schema.features[0], received, received, check_values)
    if not isinstance(received, dict):
        if len(schema.features) > 1:
            raise ValueError(_mismatch(schema, received))
        received = {schema.features[0].key: received}
    found = {}
    for feature in schema.features:
        tensor = received.get(feature.key, received.get(feature.name))
        if tensor is None:
            raise ValueError(_mismatch(schema, received))
        found[feature.key] = _fitted(schema, feature, tensor, received, check_values)
    return tf.concat(list(found.values()), axis=1) if schema.layout == "columns" else found


def _fitted(schema, feature, tensor, received, check_values):
    import tensorflow as tf

    wanted, given = tf.as_dtype(feature.dtype), tensor.dtype
    shape = [None, *feature.spec.shape]
    if feature.spec.shape == (1,) and tensor.shape.rank in (None, 1):
        tensor = tf.reshape(tensor, [-1, 1])
    widens = given == wanted or (
        wanted.is_floating and (given.is_floating or given.is_integer or given.is_bool)
    ) or (wanted.is_integer and given.is_integer and given.max <= wanted.max)  # fmt: skip
    if not widens or not tensor.shape.is_compatible_with(shape):
        raise ValueError(_mismatch(schema, received))
    cast = tensor if given == wanted else tf.cast(tensor, wanted)
    if not check_values or not wanted.is_floating:
        return cast
    if given.is_integer:
        return _checked(cast, tf.cast(cast, given) != tensor, feature, _INEXACT)
    bad = tf.math.is_inf(cast) if feature.missing else ~tf.math.is_finite(cast)
    return _checked(cast, bad, feature, _NOT_FINITE)


def _checked(tensor, bad, feature, why):
    """Returns the tensor, in a graph that fails with a message where a value is bad."""
    import tensorflow as tf

    rows = tf.reduce_any(tf.reshape(bad, [tf.shape(bad)[0], -1]), axis=1)
    # TensorFlow's own op, which TF Serving has, and which runs before the tensor is read.
    first = tf.reshape(tf.where(rows)[:1], [-1])
    fine = tf.debugging.Assert(~tf.reduce_any(rows), [why.format(feature.name), first])
    with tf.control_dependencies([] if fine is None else [fine]):
        return tf.identity(tensor)


def _mismatch(schema, received):
    wanted = {f.key: f"{f.dtype}{[None, *f.shape]}" for f in schema.features}
    named = received if isinstance(received, dict) else {"features": received}
    given = {str(name): f"{t.dtype.name}{list(t.shape)}" for name, t in named.items()}
    text = f"which takes {wanted}. Received: features {given}.".replace("'", "")
    return f"The serving receiver does not match the model, {text}"


def rows_to_serve(rows: Any, schema: Schema) -> dict[str, np.ndarray]:
    """Returns rows of features as a server receives them, by name.

    Args:
        rows: Features in any form.
        schema: The schema that they are read by.

    Raises:
        ValueError: They do not fit the schema.
    """
    found = schema.read(rows)
    if schema.layout == "array":
        return {"features": found}
    if schema.layout == "columns":
        found = {f.key: found[:, [place]] for place, f in enumerate(schema.features)}
    return {f.key: found[f.key].reshape(len(found[f.key]), *f.shape) for f in schema.features}
