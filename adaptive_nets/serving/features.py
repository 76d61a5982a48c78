"""Features as a server receives them: by name, as a schema says."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.data.containers import unpack
from adaptive_nets.data.schema import Schema
from adaptive_nets.serving.signatures import tensor_signature


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


def assembled(schema: Schema | None, received: Any) -> Any:
    """Returns received tensors as the features that the model takes.

    Further tensors are left out. Numbers are cast to wider dtypes, and one value per row may come
    as `[rows]` or `[rows, 1]`.

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
        return _fitted(schema, schema.features[0], received, received)
    if not isinstance(received, dict):
        if len(schema.features) > 1:
            raise ValueError(_mismatch(schema, received))
        received = {schema.features[0].key: received}
    found = {}
    for feature in schema.features:
        tensor = received.get(feature.key, received.get(feature.name))
        if tensor is None:
            raise ValueError(_mismatch(schema, received))
        found[feature.key] = _fitted(schema, feature, tensor, received)
    return tf.concat(list(found.values()), axis=1) if schema.layout == "columns" else found


def _fitted(schema, feature, tensor, received):
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
    return tensor if given == wanted else tf.cast(tensor, wanted)


def _mismatch(schema, received):
    wanted = {f.key: f"{f.dtype}{[None, *f.shape]}" for f in schema.features}
    named = received if isinstance(received, dict) else {"features": received}
    given = {str(name): f"{t.dtype.name}{list(t.shape)}" for name, t in named.items()}
    text = f"which takes {wanted}. Received: features {given}.".replace("'", "")
    return f"The serving receiver does not match the model, {text}"


def rows_to_serve(rows: Any, schema: Schema) -> dict[str, np.ndarray]:
    """Returns rows of features as a server receives them, by name."""
    if schema.layout == "array":
        return {"features": schema.read(rows)}
    parts = unpack(rows).parts
    found = {}
    for feature in schema.features:
        name = feature.name if feature.name in parts else feature.key
        if name not in parts:
            raise ValueError(
                f"warmup must have the model's features {sorted(schema.names)}. "
                f"Received: {sorted(parts)}."
            )
        array = feature.read(parts[name])
        found[feature.key] = array.reshape(len(array), *feature.shape)
    return found
