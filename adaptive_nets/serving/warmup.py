"""Warm-up requests, which TF Serving runs before it serves a model."""

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from adaptive_nets.files.names import for_tensorflow
from adaptive_nets.graphs.read import check_inputs
from adaptive_nets.serving.signatures import CLASSIFY, REGRESS, example_of

PLACE = os.path.join("assets.extra", "tf_serving_warmup_requests")
# The limit of TF Serving.
MOST_ROWS = 1000


def write_warmup(
    path: str | os.PathLike,
    arrays: dict[str, np.ndarray],
    tensor_signatures: Iterable[str],
    example_signatures: dict[str, str],
) -> str:
    """Writes one request per row and signature into a SavedModel folder.

    Args:
        path: SavedModel folder.
        arrays: Features by name; the first axis is the rows.
        tensor_signatures: Names of the signatures that take features as tensors.
        example_signatures: `"classify"` or `"regress"` by the names of the signatures that take
            `tf.Example`s.

    Returns:
        Path of the file.

    Raises:
        ImportError: `tensorflow-serving-api` is not installed.
        ValueError: There are no rows, or more than TF Serving accepts.
    """
    import tensorflow as tf

    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError as error:
        raise ImportError(
            "Warm-up requests need the package tensorflow-serving-api: "
            "pip install 'adaptive-nets[serving]'."
        ) from error
    counts = {len(value) for value in arrays.values()}
    if len(counts) != 1 or not 1 <= next(iter(counts)) <= MOST_ROWS:
        raise ValueError(
            f"warmup must have 1 to {MOST_ROWS} rows of features. "
            f"Received: features with {sorted(counts)} rows."
        )
    file = os.path.join(path, PLACE)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with tf.io.TFRecordWriter(for_tensorflow(file)) as writer:
        for row in range(next(iter(counts))):
            for name in tensor_signatures:
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.signature_name = name
                for key, values in arrays.items():
                    proto = tf.make_tensor_proto(np.asarray(values[row : row + 1]))
                    request.inputs[key].CopyFrom(proto)
                writer.write(log.SerializeToString())
            for name, kind in example_signatures.items():
                log = prediction_log_pb2.PredictionLog()
                chosen = {CLASSIFY: log.classify_log, REGRESS: log.regress_log}[kind]
                chosen.request.model_spec.signature_name = name
                examples = chosen.request.input.example_list.examples
                examples.append(example_of(row, arrays))
                writer.write(log.SerializeToString())
    return file


def named_rows(rows: Any, names: list[str]) -> dict[str, np.ndarray]:
    """Returns rows of features by the names of a model's inputs."""
    check_inputs("warmup", rows)
    if isinstance(rows, dict):
        found = {str(name): np.asarray(value) for name, value in rows.items()}
    else:
        found = {names[0]: np.asarray(rows)}
    if sorted(found) != sorted(names):
        raise ValueError(
            f"warmup must have the model's features {sorted(names)}. Received: {sorted(found)}."
        )
    return found
