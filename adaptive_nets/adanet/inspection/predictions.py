"""Computes logits of a search's models, and reads the head's predictions from them."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets._checks import check_instance, check_integer, show
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets.data.datasets import is_batched, read_features
from adaptive_nets.data.rows import Features
from adaptive_nets.data.schema import Schema
from adaptive_nets.heads import Head
from adaptive_nets.keras_internals import check_not_forked


def compute_logits(model: keras.Model, x: Any, schema: Schema, batch_size: int) -> np.ndarray:
    """Computes `[rows, units]` logits.

    Args:
        model: Model from features to logits.
        x: Features, or batches of them; labels and weights in batches are ignored.
        schema: The schema of the features.
        batch_size: Rows per batch.

    Raises:
        ValueError: The features do not match the schema.
    """
    if is_batched(x):
        x = read_features(x, len(schema.features) if schema.layout == "list" else None)
    return predict_rows(model, schema.read(x), batch_size)


def predict_rows(model: keras.Model, features: Features, batch_size: int) -> np.ndarray:
    """Computes the logits of features that were read by a schema."""
    check_not_forked("A prediction")
    check_instance("model", model, keras.Model, "a keras.Model")
    batch_size = check_integer("batch_size", batch_size, 1)
    rows = len(keras.tree.flatten(features)[0])
    if rows == 0:
        return np.zeros((0, *model.output_shape[1:]), model.compute_dtype)
    # Keras accepts text only as tensors.
    features = keras.tree.map_structure(
        lambda a: keras.ops.convert_to_tensor(a) if a.dtype == object else a, features
    )
    if keras.config.floatx() != whole_dtype():
        # Keras would cast arrays to half precision, but takes batches as they are.
        features, batch_size = tf.data.Dataset.from_tensor_slices(features).batch(batch_size), None
    return model.predict(features, batch_size=batch_size, verbose=0)


def read_output(
    head: Head, logits: np.ndarray, output: str | None
) -> np.ndarray | dict[str, np.ndarray]:
    """Returns one of the head's predictions, or its default output.

    Args:
        head: The head, which defines the predictions.
        logits: `[rows, units]` logits.
        output: Name of a prediction, or `None` for the head's default output.

    Raises:
        ValueError: The head has no such prediction.
    """
    predictions = head.predictions(keras.ops.convert_to_tensor(logits))
    given, output = output, head.default_output if output is None else output
    if given is not None and not isinstance(given, str):
        raise ValueError(
            f"output must be one of {', '.join(predictions)}. Received: output={show(output)}."
        )
    if isinstance(output, dict):
        return {name: _as_array(predictions[key]) for name, key in output.items()}
    if output not in predictions:
        raise ValueError(
            f"Unknown output: head '{head.name}' has {', '.join(predictions)}. "
            f"Received: output={show(output)}."
        )
    return _as_array(predictions[output])


def _as_array(tensor):
    values = np.asarray(tensor)
    if values.dtype != object:
        return values
    return np.array([v.decode() for v in values.flat]).reshape(values.shape)
