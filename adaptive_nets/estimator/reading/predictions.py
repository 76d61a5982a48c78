"""Predictions, with the names of tf.estimator's heads."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets.adanet import AdaNet
from adaptive_nets.data.weights import drop_weights
from adaptive_nets.heads import BinaryClass, MultiClass

if TYPE_CHECKING:
    import tensorflow as tf


def batches(
    search: AdaNet, dataset: "tf.data.Dataset", keys: Sequence[str] | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the predictions of each batch of features.

    Args:
        search: A search with an ensemble.
        dataset: Dataset of batches of features.
        keys: Names of the predictions to return. Defaults to `None`: all.

    Raises:
        ValueError: A key is unknown. Raised at the first batch.
    """
    import tensorflow as tf

    model, head = search.model, search.head

    @tf.function(reduce_retracing=True, autograph=False)
    def run(features):
        return named(head, model(features, training=False))

    for batch in dataset.as_numpy_iterator():
        features = keras.tree.map_structure(
            tf.convert_to_tensor, search.schema.read(drop_weights(head, batch))
        )
        found = {name: value.numpy() for name, value in run(features).items()}
        yield chosen(found, keys)


def chosen(found: dict[str, Any], keys: Sequence[str] | None) -> dict[str, Any]:
    """Returns the predictions of some keys, or all.

    Raises:
        ValueError: A key is unknown.
    """
    unknown = sorted(set(keys or ()) - set(found))
    if unknown:
        raise ValueError(
            f"predict_keys must be among {', '.join(sorted(found))}. "
            f"Received: {', '.join(unknown)}."
        )
    return found if keys is None else {name: found[name] for name in keys}


def single_examples(found: Iterator[Any]) -> Iterator[Any]:
    """Yields the rows of batches, arrays or dicts of arrays, one by one."""
    for batch in found:
        for row in range(len(keras.tree.flatten(batch)[0])):
            yield keras.tree.map_structure(lambda each, row=row: each[row], batch)


def named(head: Any, logits: Any) -> dict[str, Any]:
    """Returns a head's predictions, with tf.estimator's `class_ids` and `classes` for classes."""
    import tensorflow as tf

    found = {k: tf.convert_to_tensor(v) for k, v in head.predictions(logits).items()}
    if not isinstance(head, BinaryClass | MultiClass):
        return found
    if isinstance(head, BinaryClass):
        found["logistic"] = found["probabilities"][:, 1:]
        ids = tf.cast(found["logits"] > 0, tf.int64)
    else:
        ids = tf.cast(keras.ops.argmax(found["logits"], axis=-1), tf.int64)[:, None]
    names = head.class_names
    listed = [str(n) for n in (range(max(2, head.units)) if names is None else names)]
    found["class_ids"], found["classes"] = ids, tf.gather(tf.constant(listed), ids)
    return found
