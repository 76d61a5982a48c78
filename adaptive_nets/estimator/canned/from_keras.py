"""`from_keras`: an estimator of a compiled Keras model, as `model_to_estimator` made one."""

import os
from collections.abc import Mapping
from typing import Any

import keras

from adaptive_nets._arguments import Ignored, takes
from adaptive_nets._checks import check_instance, check_path, or_none, show
from adaptive_nets.adanet.rounds.timing.budget import ENDLESS_STEPS
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.estimator import Estimator
from adaptive_nets.files.models import load_model
from adaptive_nets.generators import Pool
from adaptive_nets.graphs.copy import copy_model
from adaptive_nets.heads import BinaryClass, Head, MultiClass, MultiLabel, Regression
from adaptive_nets.keras_internals import origin

# What the last layer of a model does that the head does itself, by the name of the loss.
_LINKS = {
    "sparse_categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
    "mean_squared_error": "linear",
}
_SHORT = {
    "mse": "mean_squared_error",
    "MSE": "mean_squared_error",
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
    "BinaryCrossentropy": "binary_crossentropy",
    "MeanSquaredError": "mean_squared_error",
}
_IDLE = {
    "checkpoint_format": Ignored("states have one format"),
    "metric_names_map": Ignored("metrics are the head's"),
    "export_outputs": Ignored("outputs are the head's"),
    "use_v2_estimator": Ignored("there is one kind of estimator"),
    "save_object_ckpt": Ignored("states have one format"),
}


@takes(_IDLE)
def from_keras(
    keras_model: keras.Model | None = None,
    keras_model_path: str | os.PathLike | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    model_dir: str | os.PathLike | None = None,
    config: RunConfig | None = None,
    head: Head | None = None,
    optimizer: Any = None,
    **kwargs: Any,
) -> Estimator:
    """Returns an estimator that trains a Keras model, as `tf.keras.estimator.model_to_estimator`.

    The model is copied with its weights. Its loss says which head it has: sparse categorical or
    binary cross-entropy, or the mean squared error. A softmax or sigmoid at its end becomes the
    head's. Predictions and metrics have the head's names.

    Args:
        keras_model: A built model with one output, compiled, or with `head` and `optimizer`.
        keras_model_path: A `.keras` file, instead of `keras_model`. How it was compiled is not
            read: pass `head` and `optimizer`. Defaults to `None`.
        custom_objects: Classes of the file by name. Defaults to `None`.
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        head: A `heads.Head`, for a model that returns logits. Defaults to `None`: by the loss.
        optimizer: Name, config or optimizer. Defaults to `None`: that of the compilation.
        **kwargs: `checkpoint_format`, `metric_names_map` and `export_outputs` are accepted but
            ignored, with a warning.

    Raises:
        TypeError: An argument is unknown or of the wrong type.
        ValueError: The model is not compiled, has several outputs, or a loss that no head has.

    Example:

    ```python
    import keras
    from adaptive_nets import estimator as est

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    estimator = est.from_keras(model)
    ```
    """
    if (keras_model is None) == (keras_model_path is None):
        raise ValueError(
            "Pass one of keras_model and keras_model_path. "
            f"Received: keras_model={show(keras_model)}, keras_model_path={show(keras_model_path)}."
        )
    if keras_model is None:
        path = check_path("keras_model_path", keras_model_path)
        keras_model = load_model(path, custom_objects=custom_objects)
    model = check_instance("keras_model", keras_model, keras.Model, "a keras.Model")
    or_none(check_instance, "head", head, Head, "a heads.Head, or None")
    if not model.built or len(getattr(model, "outputs", None) or ()) != 1:
        raise ValueError(
            "keras_model must be a Sequential or Functional model with one output, which is built: "
            f"start it with an Input. Received: {show(model)}."
        )
    optimizer = getattr(model, "optimizer", None) if optimizer is None else optimizer
    if optimizer is None:
        raise ValueError("keras_model must be compiled: no optimizer is known. Pass optimizer.")
    copied = copy_model(model)
    if head is None:
        head, link = _head(model)
        copied = _logits(copied, link)
    return Estimator(
        head,
        Pool({"keras": copied}, optimizer),
        ENDLESS_STEPS,
        model_dir=model_dir,
        config=config,
        max_iterations=1,
        mixture_weight_type="uniform",
        preprocessing=None,
    )


def _head(model):
    """Returns the head for the compiled loss, and the activation to take off, or `None`."""
    loss = getattr(model, "loss", None)
    name = loss if isinstance(loss, str) else getattr(loss, "name", None)
    name = getattr(loss, "__name__", None) if name is None else name
    name = _SHORT.get(name, name)
    units = model.outputs[0].shape[-1]
    if name not in _LINKS or len(model.outputs[0].shape) != 2:
        hint = " Labels must be integers: use sparse_categorical_crossentropy."
        raise ValueError(
            "keras_model must be compiled with sparse_categorical_crossentropy, "
            "binary_crossentropy or mean_squared_error and have outputs (batch, units), or be "
            f"passed with a head.{hint if name == 'categorical_crossentropy' else ''} "
            f"Received: loss={show(loss)}, outputs {tuple(model.outputs[0].shape)}."
        )
    setting = loss.get_config() if hasattr(loss, "get_config") else {}
    if setting.get("label_smoothing"):
        raise ValueError(
            "label_smoothing is a setting of the head: pass head=heads.BinaryClass("
            f"label_smoothing=...) and a model that returns logits. Received: loss={show(loss)}."
        )
    if name == "mean_squared_error":
        return Regression(units), None
    heads = {"softmax": MultiClass, "sigmoid": MultiLabel}
    link = _LINKS[name]
    head = BinaryClass() if link == "sigmoid" and units == 1 else heads[link](units)
    return head, None if setting.get("from_logits") else link


def _logits(model, link):
    """Returns a model without the activation at its end."""
    if link is None:
        return model
    last = origin(model.outputs[0])[0]
    wanted = {"softmax": keras.activations.softmax, "sigmoid": keras.activations.sigmoid}[link]
    if isinstance(last, keras.layers.Softmax) and link == "softmax" and last.axis == -1:
        return keras.Model(model.inputs, last.input)
    if getattr(last, "activation", None) is wanted:
        last.activation = keras.activations.linear
        return model
    raise ValueError(
        f"keras_model must end with a {link}, as its loss takes probabilities, or its loss must "
        f"have from_logits=True. Received: a model that ends with {show(last)}."
    )
