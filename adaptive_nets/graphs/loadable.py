"""Models as Keras needs them to load what it saves: without layers in common, and known to it.

A file holds a shared layer's weights once, at the first place where it stands, but reads them at
every place. So a model in which a layer stands at several places is saved, and cannot be loaded.
"""

import re
from collections.abc import Iterator
from typing import Any

import keras

from adaptive_nets.graphs.copy import Copier
from adaptive_nets.graphs.read import PLAIN_MODELS
from adaptive_nets.graphs.scope import names_in
from adaptive_nets.graphs.state import carry_state
from adaptive_nets.keras_internals import layers_in, own_trainable, seeded, set_own_trainable

# Packages whose layers Keras can load.
_KNOWN = ("keras", "keras_hub", "adaptive_nets")


class _Separator(Copier):
    """Copies a model so that no two models inside, nor two layers, hold one layer."""

    verb = "separate the layers of"

    def model(self, source: keras.Model, name: str | None = None) -> keras.Model:
        # Within one model a layer that is called twice stays one.
        outer, self.layers = self.layers, {}
        new = super().model(source, name)
        self.layers = outer
        return new


def separated(model: keras.Model, taken: set[int] | None = None) -> keras.Model:
    """Returns a model that computes the same and that Keras can save and load.

    Args:
        model: A Sequential or Functional model. It is not changed.
        taken: Ids of layers that stand elsewhere in what is saved. The ids of this model's layers
            are added. Defaults to `None`: no others.

    Returns:
        The model itself where it shares no layer; else a copy, not compiled. A model that cannot
        be copied is returned as it is: Keras says why when it is saved.
    """
    taken = set() if taken is None else taken
    own = {id(layer) for layer in layers_in(model)}
    shared = not own.isdisjoint(taken) or _shares(model)
    taken |= own
    if not shared:
        return model
    try:
        return copied_apart(model)
    except ValueError:
        return model


def copied_apart(model: keras.Model) -> keras.Model:
    """Returns a copy of a model that shares no layer with it, nor within itself; not compiled.

    Args:
        model: A Sequential or Functional model. It is not changed.

    Raises:
        ValueError: A layer cannot be made again from its configuration.
    """
    copier = _Separator()
    new = copier.model(model)
    for old, copy in copier.carried:
        carry_state(old, copy)
    set_own_trainable(new, own_trainable(model))
    return new


def _shares(model) -> bool:
    """Whether a layer stands at more than one place in a model."""
    found: dict[int, tuple[int, int]] = {}
    return any(found.setdefault(id(layer), place) != place for layer, place in _places(model))


def _places(model: Any) -> Iterator[tuple[keras.Layer, tuple[int, int]]]:
    """Layers with their places: the model inside that holds them, and the layer there."""
    models, seen = [model], set()
    while models:
        holder = models.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for layer in holder.layers:
            place = (id(holder), id(layer))
            yield layer, place
            if type(layer) in PLAIN_MODELS:
                models.append(layer)
            else:
                yield from ((inner, place) for inner in layers_in(layer, include_self=False))


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
                # Models are loaded without what they were compiled with.
                config.pop("compile_config", None)
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
    return any(each.__module__.partition(".")[0] not in _KNOWN for each in found)
