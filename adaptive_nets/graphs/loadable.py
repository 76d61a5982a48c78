"""Whether Keras can load what it saves of a model, known without saving it."""

import re
from typing import Any

import keras

from adaptive_nets.graphs.read import PLAIN_MODELS
from adaptive_nets.graphs.scope import names_in
from adaptive_nets.keras_internals import layers_in, seeded


def why_not_loaded(model: keras.Model) -> str | None:
    """Returns why a saved model could not be loaded, or `None` if it could.

    Only layers, and functions in layers, that are not Keras' own are tried.

    Args:
        model: A built model.
    """
    for layer in layers_in(model):
        if type(layer) in PLAIN_MODELS or not _is_own(layer):
            continue
        try:
            with seeded(0):
                config = keras.saving.serialize_keras_object(layer)
                keras.saving.deserialize_keras_object(config)
        except Exception as error:
            # Keras' own words go on for lines.
            reason = re.split(r"(?<=\.)\s|\n", str(error).strip())[0] or type(error).__name__
            return f"its layer '{layer.name}' ({type(layer).__name__}) cannot be. {reason}"
    return None


def _is_own(layer: Any) -> bool:
    """Whether a layer is the user's own, or holds a class or function that is."""
    if isinstance(layer, keras.layers.Lambda):
        return True
    found = names_in(layer).values()
    return any(each.__module__.partition(".")[0] != "keras" for each in found)
