"""Predictions, with the names of tf.estimator's heads."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import check_list
from adaptive_nets.adanet import AdaNet
from adaptive_nets.data.weights import drop_weights
from adaptive_nets.heads import BinaryClass, MultiClass

if TYPE_CHECKING:
    import tensorflow as tf


def batches(
    search: AdaNet, dataset: "tf.data.Dataset", keys: str | Sequence[str] | None = None
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
    wanted = [keys] if isinstance(keys, str) else keys
    if wanted is not None:
        # An empty list means all predictions, as in tf.estimator.
        wanted = check_list("predict_keys", wanted, str, "names of predictions") or None

    @tf.function(reduce_retracing=True, autograph=False)
    def run(features):
        return named(head, model(features, training=False))

    for batch in dataset.as_numpy_iterator():
        features = keras.tree.map_structure(
            tf.convert_to_tensor, search.schema.read(drop_weights(head, batch))
        )
        found = {name: value.numpy() for name, value in run(features).items()}
        unknown = set(wanted or ()) - set(found)
        if unknown:
            raise ValueError(
                f"predict_keys must be among {', '.join(sorted(found))}. "
                f"Received: {', '.join(sorted(unknown))}."
            )
        yield found if wanted is None else {name: found[name] for name in wanted}


def single_examples(found: Iterator[dict[str, np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
    """Yields the rows of batches one by one."""
    for batch in found:
        for row in range(len(next(iter(batch.values())))):
            yield {name: value[row] for name, value in batch.items()}


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
