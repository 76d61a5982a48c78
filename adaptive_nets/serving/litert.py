"""Exports models for LiteRT, which runs on phones and in browsers."""

import os
import tempfile
from pathlib import Path

import keras

from adaptive_nets._checks import check_instance, check_path
from adaptive_nets.graphs.read import check_model
from adaptive_nets.heads import Head
from adaptive_nets.serving.signatures import check_units, predicting, tensor_signature


def export_litert(model: keras.Model, head: Head, path: str | os.PathLike) -> str:
    """Writes a `.tflite` file that outputs the head's predictions, except string classes.

    Args:
        model: Model from raw features to logits.
        head: An adapted `heads.Head`.
        path: File to write.

    Returns:
        The absolute path as a string.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    an.serving.export_litert(model, an.heads.MultiClass(3), "model.tflite")
    ```
    """
    import tensorflow as tf

    path = Path(check_path("path", path))
    check_model("model", model)
    check_instance("head", head, Head, "a heads.Head")
    check_units(model, head)
    predict = predicting(model, head)

    def run(features):
        found = predict(features)
        return {name: value for name, value in found.items() if value.dtype != tf.string}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", run, input_signature=[tensor_signature(model)])
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        found = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(found)
    part.replace(path)
    return str(path)
