"""A search as one value that `copy.deepcopy` and `pickle` take."""

import copy
import dataclasses
import io
import os
import pickle
import tempfile
from typing import Any

import keras

from adaptive_nets.adanet.checkpoints.codec import member_to_json
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.data.preprocessing import Preprocessor
from adaptive_nets.distribute import Group
from adaptive_nets.graphs.loadable import copied_apart, separated
from adaptive_nets.keras_internals import seeded


class _Pickler(pickle.Pickler):
    """Pickles Keras layers and models as the files that Keras writes."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, keras.Layer):
            return read_model, (write_model(obj),)
        return NotImplemented


@seeded(0)
def write_model(model: keras.Layer) -> bytes:
    """Returns a model, or a layer, as a `.keras` file that can be read."""
    if isinstance(model, keras.Model) and hasattr(model, "inputs"):
        model = separated(model)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        keras.saving.save_model(model, path)
        with open(path, "rb") as file:
            written = file.read()
    # Keras writes what it cannot read, such as classes that are defined in a function.
    read_model(written)
    return written


def read_model(written: bytes) -> keras.Layer:
    """Returns the model, or layer, that `write_model` wrote; not compiled."""
    with tempfile.TemporaryDirectory() as folder, seeded(0):
        path = os.path.join(folder, "model.keras")
        with open(path, "wb") as file:
            file.write(written)
        # Whoever unpickles trusts what was pickled, lambdas too.
        return keras.saving.load_model(path, compile=False, safe_mode=False)


def pack(value: Any, what: str) -> bytes:
    """Pickles a value.

    Args:
        value: The value.
        what: What it is, for the error.

    Raises:
        ValueError: It cannot be pickled.
    """
    buffer = io.BytesIO()
    try:
        _Pickler(buffer).dump(value)
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"The search cannot be pickled, because {what} cannot: {reason[0]} Expected functions "
            "and classes of a module, and Keras layers that can be saved. Use model_dir and "
            "AdaNet.load instead."
        ) from error
    return buffer.getvalue()


def pack_settings(settings: SearchSettings) -> dict[str, bytes]:
    """Returns the settings, pickled one by one.

    Raises:
        ValueError: One cannot be pickled. The message names it.
    """
    return {name: pack(value, f"its {name}") for name, value in settings.as_arguments().items()}


def unpack_settings(packed: dict[str, bytes]) -> SearchSettings:
    """Returns the settings that `pack_settings` packed."""
    return SearchSettings(**{name: pickle.loads(value) for name, value in packed.items()})


def copy_settings(settings: SearchSettings) -> SearchSettings:
    """Returns settings that share no object that a search changes.

    Raises:
        ValueError: One cannot be copied. The message names it.
    """
    copied = {}
    for name, value in settings.as_arguments().items():
        # A strategy is a part of the process, and layers are never changed.
        shared = name == "distribute" or isinstance(value, keras.Layer)
        try:
            copied[name] = value if shared else copy.deepcopy(value)
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise ValueError(
                f"The search cannot be copied, because its {name} cannot: {reason[0]}"
            ) from error
    return SearchSettings(**copied)


def pack_context(context: SearchContext | None, settings: SearchSettings) -> dict[str, Any] | None:
    """Returns what a search has learnt about its data, pickled.

    Args:
        context: The context, or `None`.
        settings: The search's settings, which may be newer than the context's.
    """
    if context is None:
        return None
    kept = ("head", "schema", "batch_size", "seed", "fingerprint", "loss_scale", "preprocessing",
            "loaded")  # fmt: skip
    packed: dict[str, Any] = {name: pack(getattr(context, name), f"its {name}") for name in kept}
    own = None if settings.same_arguments(context.settings) else pack_settings(context.settings)
    return {**packed, "settings": own, "defaults": context.settings.defaults}


def unpack_context(
    packed: dict[str, Any] | None, settings: SearchSettings, group: Group
) -> SearchContext | None:
    """Returns the context that `pack_context` packed."""
    if packed is None:
        return None
    if packed["settings"] is not None:
        settings = unpack_settings(packed["settings"])
    settings = dataclasses.replace(settings, defaults=packed["defaults"])
    apart = ("settings", "defaults")
    found = {name: pickle.loads(value) for name, value in packed.items() if name not in apart}
    preprocessor = Preprocessor(found.pop("preprocessing"))
    return SearchContext(settings, preprocessor=preprocessor, group=group, **found)


@seeded(0)
def copy_context(
    context: SearchContext | None, settings: SearchSettings, copied: SearchSettings, group: Group
) -> SearchContext | None:
    """Returns a context that shares nothing that a search changes.

    Args:
        context: The context, or `None`.
        settings: The search's settings, which may be newer than the context's.
        copied: Their copy.
        group: The copy's group.
    """
    if context is None:
        return None
    if not settings.same_arguments(context.settings):
        copied = copy_settings(context.settings)
    copied = dataclasses.replace(copied, defaults=context.settings.defaults)
    model = context.preprocessing and copied_apart(context.preprocessing)
    return dataclasses.replace(
        context, settings=copied, head=copy.deepcopy(context.head), group=group,
        preprocessor=Preprocessor(model),
    )  # fmt: skip


def pack_state(state: SearchState) -> dict[str, Any]:
    """Returns what a search has found, as values that can be pickled."""
    return {
        "record": state.to_json(),
        "paused": state.paused,
        "members": {
            name: {**_described(member), "model": pack(member.model, f"its member '{name}'")}
            for name, member in state.members().items()
        },
    }


def unpack_state(packed: dict[str, Any]) -> SearchState:
    """Returns the state that `pack_state` packed."""
    models = {name: pickle.loads(each["model"]) for name, each in packed["members"].items()}
    return _restored(packed["record"], packed["paused"], packed["members"], models)


@seeded(0)
def copy_state(state: SearchState) -> SearchState:
    """Returns a state whose members are copies."""
    members = state.members()
    described = {name: _described(member) for name, member in members.items()}
    models = {name: copied_apart(member.model) for name, member in members.items()}
    record = copy.deepcopy(state.to_json())
    return _restored(record, copy.deepcopy(state.paused), described, models)


def _described(member):
    return {**member_to_json(member), "stored": member.stored}


def _restored(record, paused, described, models):
    members = {}
    for name, fields in described.items():
        parents = tuple(members[parent] for parent in fields["parents"])
        members[name] = Member(**{**fields, "model": models[name], "parents": parents})
    return dataclasses.replace(SearchState.from_json(record, members), paused=paused)
