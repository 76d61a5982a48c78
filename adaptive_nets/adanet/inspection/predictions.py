"""What a model of a search gives for features, and what the head makes of it."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.data.datasets import is_dataset
from adaptive_nets.data.rows import as_features
from adaptive_nets.data.schema import FeatureSpec, Spec, describe_spec
from adaptive_nets.heads import Head


def compute_logits(model: keras.Model, x: Any, spec: Spec, batch_size: int) -> np.ndarray:
    """`[rows, units]` logits.

    Args:
        model: Takes features to logits.
        x: Features, or a batched dataset of them.
        spec: The features that the model takes.
        batch_size: Rows at a time.

    Raises:
        ValueError: The features are of other shapes than the model's.
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
    """One of the head's predictions, or those of its default.

    Args:
        head: Names the predictions.
        logits: `[rows, units]`.
        output: The name of a prediction; `None` for the head's own choice.

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
