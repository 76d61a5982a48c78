"""Models for LiteRT, which runs on phones and in browsers."""

import os
from pathlib import Path

import keras

from adaptive_nets.heads import Head
from adaptive_nets.serving.signatures import predicting, tensor_signature


def export_litert(model: keras.Model, head: Head, path: str | os.PathLike) -> str:
    """Writes a `.tflite` file of the head's predictions, without string classes.

    Args:
        model: Raw features to logits.
        head: An adapted `heads.Head`.
        path: The file.

    Returns:
        The path as a string.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    an.serving.export_litert(model, an.heads.MultiClass(3), "model.tflite")
    ```
    """
    import tensorflow as tf

    predict, module = predicting(model, head), tf.Module()
    module.model = model

    @tf.function(input_signature=[tensor_signature(model)], autograph=False)
    def run(features):
        return {k: v for k, v in predict(features).items() if v.dtype != tf.string}

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [run.get_concrete_function()], module
    )
    found, path = converter.convert(), Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(found)
    part.replace(path)
    return str(path)
