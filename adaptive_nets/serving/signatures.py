"""SavedModel signatures for TF Serving's Predict, Classify and Regress APIs."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets.heads import Head
from adaptive_nets.serving.receivers import Receiver

if TYPE_CHECKING:
    import tensorflow as tf

DEFAULT, PREDICT, CLASSIFY, REGRESS = "serving_default", "predict", "classify", "regress"
METHODS = {
    CLASSIFY: "tensorflow/serving/classify",
    REGRESS: "tensorflow/serving/regress",
}


def tensor_signature(model: keras.Model) -> Any:
    """Returns `tf.TensorSpec`s of a model's inputs, in the same structure."""
    import tensorflow as tf

    return keras.tree.map_structure(
        lambda t: tf.TensorSpec(t.shape, t.dtype, name=t.name), model_inputs(model)
    )


def model_inputs(model: keras.Model) -> Any:
    """Returns the inputs of a model; a Sequential has no `input` before it is called."""
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def check_units(model: keras.Model, head: Head) -> None:
    """Refuses a model whose outputs are not the logits of a head.

    Raises:
        ValueError: It has another number of outputs than the head has logits.
    """
    shape = model.output_shape
    if not isinstance(shape, tuple) or shape[-1] != head.units:
        raise ValueError(
            f"model must output the logits of head '{head.name}', of shape (None, {head.units}). "
            f"Received: a model with outputs of shape {shape}."
        )


def predicting(
    model: keras.Model, head: Head, subnetworks: keras.Model | None = None
) -> Callable[[Any], dict[str, Any]]:
    """Returns a function from features to predictions, optionally with subnetworks' outputs."""

    def predictions(features):
        found = dict(head.predictions(model(features, training=False)))
        if subnetworks is not None:
            found |= subnetworks(features, training=False)
        return found

    return predictions


def scoring(model: keras.Model, head: Head) -> tuple[str, Callable[[Any], dict[str, Any]]] | None:
    """Returns the name and the function of a head's Classify or Regress signature, or `None`.

    Classify outputs `scores` `(rows, classes)` and `classes`, their names as strings. Regress
    outputs `outputs` `(rows,)`.
    """
    import tensorflow as tf

    names = class_names(head)
    if names is not None:
        listed = tf.constant([names])

        def classify(features):
            scores = head.predictions(model(features, training=False))["probabilities"]
            scores = tf.cast(scores, tf.float32)
            return {"scores": scores, "classes": tf.tile(listed, [tf.shape(scores)[0], 1])}

        return CLASSIFY, classify
    if head.default_output == "predictions" and head.units == 1:

        def regress(features):
            found = head.predictions(model(features, training=False))["predictions"]
            return {"outputs": tf.reshape(tf.cast(found, tf.float32), [-1])}

        return REGRESS, regress
    return None


def class_names(head: Head) -> list[str] | None:
    """Returns the class names of a classification head in order, or `None` for other heads."""
    if head.default_output != "classes":
        return None
    known = getattr(head, "class_names", None)
    return [str(name) for name in (range(max(2, head.units)) if known is None else known)]


def received(receiver: Receiver, function: Callable[[Any], dict]) -> Callable[..., dict]:
    """Returns a function of received tensors."""

    def run(inputs):
        return function(receiver.features(**inputs))

    return run


def set_methods(path: str | os.PathLike, functions: dict[str, str]) -> None:
    """Writes the method names that TF Serving's Classify and Regress APIs require.

    TensorFlow 2 writes that of Predict for all signatures.

    Args:
        path: SavedModel folder.
        functions: `"classify"` or `"regress"`, by signature name.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    file = os.path.join(path, "saved_model.pb")
    saved = saved_model_pb2.SavedModel()
    with open(file, "rb") as opened:
        saved.ParseFromString(opened.read())
    for name, kind in functions.items():
        saved.meta_graphs[0].signature_def[name].method_name = METHODS[kind]
    with open(file, "wb") as opened:
        opened.write(saved.SerializeToString(deterministic=True))


def example_of(row: int, arrays: dict[str, np.ndarray]) -> "tf.train.Example":
    """Converts one row of features to a `tf.Example`."""
    import tensorflow as tf

    feature = {}
    for name, values in arrays.items():
        value = np.asarray(values[row]).reshape(-1)
        if value.dtype.kind in "OSU":
            found = [v if isinstance(v, bytes) else str(v).encode() for v in value.tolist()]
            feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=found))
        elif value.dtype.kind in "iub":
            feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=value.tolist()))
        else:
            feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=value.tolist()))
    return tf.train.Example(features=tf.train.Features(feature=feature))
