"""Computes logits of a search's models, and reads the head's predictions from them."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.data.datasets import is_dataset
from adaptive_nets.data.rows import as_features
from adaptive_nets.data.schema import FeatureSpec, Spec, describe_spec
from adaptive_nets.heads import Head


def compute_logits(model: keras.Model, x: Any, spec: Spec, batch_size: int) -> np.ndarray:
    """Computes `[rows, units]` logits.

    Args:
        model: Model from features to logits.
        x: Features, or a batched dataset of them.
        spec: Feature spec of the model.
        batch_size: Rows per batch.

    Raises:
        ValueError: The features do not have the shapes of the spec.
    """
    if is_dataset(x):
        return model.predict(x, verbose=0)
    features = as_features(x)
    given = keras.tree.map_structure(
        lambda a: FeatureSpec(tuple(a.shape[1:]), str(a.dtype)), features
    )
    if _shapes(given) != _shapes(spec):
        raise ValueError(
            f"The model expects features {describe_spec(spec)}. Received: {describe_spec(given)}."
        )
    # Keras accepts text only as tensors.
    features = keras.tree.map_structure(
        lambda a: keras.ops.convert_to_tensor(a) if a.dtype == object else a, features
    )
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
    output = output or head.default_output
    if isinstance(output, dict):
        return {name: _as_array(predictions[key]) for name, key in output.items()}
    if output not in predictions:
        raise ValueError(
            f"Unknown output: head '{head.name}' has {', '.join(predictions)}. "
            f"Received: output={output!r}."
        )
    return _as_array(predictions[output])


def _as_array(tensor):
    values = np.asarray(tensor)
    if values.dtype != object:
        return values
    return np.array([v.decode() for v in values.flat]).reshape(values.shape)


def _shapes(spec):
    return keras.tree.map_structure(lambda feature: feature.shape, spec)
