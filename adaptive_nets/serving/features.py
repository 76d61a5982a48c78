"""Features as a server receives them: by name, as a schema says."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.data.schema import Schema
from adaptive_nets.serving.signatures import tensor_signature

_NOT_FINITE = "'{}' must be finite. Received: NaN or infinity, first in row:"
_INEXACT = "'{}' must be exact. Received: a whole number that would be rounded, in row:"
_OUTSIDE = "'{}' must fit in {}. Received: a number beyond it, in row:"


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

    Further tensors are left out. Numbers are cast to wider dtypes, integers also to narrower ones
    that hold them (a `tf.Example` has int64 alone), and one value per row may come as `[rows]` or
    `[rows, 1]`.

    Args:
        schema: The schema of the features, or `None` to return what is received.
        received: Tensor, or dict of tensors.
        check_values: Whether the served graph refuses what `Schema.read` refuses: NaN, infinity,
            and whole numbers that the feature's dtype would round or cannot hold. Defaults to
            `True`.

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
        given = {schema.features[0].key: received}
    else:
        if not isinstance(received, dict):
            if len(schema.features) > 1:
                raise ValueError(_mismatch(schema, received))
            received = {schema.features[0].key: received}
        given = {f.key: received.get(f.name, received.get(f.key)) for f in schema.features}
        if any(tensor is None for tensor in given.values()):
            raise ValueError(_mismatch(schema, received))
    found, bad = {}, {}
    for feature in schema.features:
        found[feature.key], wrong = _fitted(schema, feature, given[feature.key], received)
        if wrong is not None:
            bad |= wrong
    if check_values and bad:
        found = _checked(found, bad)
    if schema.layout == "array":
        return found[schema.features[0].key]
    return tf.concat(list(found.values()), axis=1) if schema.layout == "columns" else found


def _fitted(schema, feature, tensor, received):
    """Returns a tensor as a feature, and which of its rows are bad by what is said of them."""
    import tensorflow as tf

    wanted, given = tf.as_dtype(feature.dtype), tensor.dtype
    shape = [None, *feature.spec.shape]
    if feature.spec.shape == (1,) and tensor.shape.rank in (None, 1):
        tensor = tf.reshape(tensor, [-1, 1])
    widens = given == wanted or (
        wanted.is_floating and (given.is_floating or given.is_integer or given.is_bool)
    )  # fmt: skip
    whole = (wanted.is_integer or wanted.is_bool) and given.is_integer
    if not (widens or whole) or not tensor.shape.is_compatible_with(shape):
        raise ValueError(_mismatch(schema, received))
    cast = tensor if given == wanted else tf.cast(tensor, wanted)
    if not wanted.is_floating and (given == wanted or _holds(wanted, given)):
        return cast, None
    if whole:
        bad, why = tf.cast(cast, given) != tensor, _OUTSIDE
        if wanted.is_integer:
            # Between signed and unsigned integers of one size, the way back wraps again.
            bad |= (cast < 0) != (tensor < 0)
    elif given.is_integer:
        bad, why = tf.cast(cast, given) != tensor, _INEXACT
    else:
        bad = tf.math.is_inf(cast) if feature.missing else ~tf.math.is_finite(cast)
        why = _NOT_FINITE
    if bad.shape.rank is None:
        bad = tf.reshape(bad, [tf.shape(bad)[0], -1])
    if bad.shape.rank != 2:
        bad = tf.reduce_any(bad, axis=list(range(1, bad.shape.rank)))[:, None]
    elif bad.shape[1] != 1:
        bad = tf.reduce_any(bad, axis=1, keepdims=True)
    return cast, {why.format(feature.name, wanted.name): bad}


def _holds(wanted, given):
    """Returns whether a dtype holds all integers of another."""
    return wanted.is_integer and wanted.min <= given.min and given.max <= wanted.max


def _checked(found, bad):
    """Returns tensors, in a graph that fails with a message where a row of one is bad.

    One check is made of all features, of few operations: each takes a request's time.
    """
    import tensorflow as tf

    flags, why = next(iter(bad.values())), tf.constant(next(iter(bad)))
    if len(bad) > 1:
        several = tf.concat(list(bad.values()), axis=1)
        # The first feature that has a bad row.
        feature = tf.argmax(tf.reduce_any(several, axis=0))
        flags = tf.gather(several, feature, axis=1)
        why = tf.gather(tf.constant(list(bad)), feature)
    first = tf.where(flags)[:1, 0]
    # The op itself, which TF Serving has, without the branch that tf.debugging.Assert puts around
    # it. It runs before the tensors are read.
    fine = tf.raw_ops.Assert(condition=~tf.reduce_any(flags), data=[why, first])
    with tf.control_dependencies([] if fine is None else [fine]):
        return {key: tf.identity(tensor) for key, tensor in found.items()}


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
