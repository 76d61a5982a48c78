"""Reads a search from its folder."""

import dataclasses
import os
from typing import Any

import keras

from adaptive_nets._checks import check_path, show
from adaptive_nets.adanet.checkpoints.model_dir import PREPROCESSING_FILE, ModelDirReader
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.specs import spec_from_json
from adaptive_nets.serialization import restore_object


@dataclasses.dataclass(frozen=True)
class StoredSearch:
    """A search as stored in its folder.

    Args:
        state: `SearchState`.
        schema: `Schema` of the raw features.
        batch_size: Rows per step.
        seed: The seed in use.
        fingerprint: Fingerprint of the training rows.
        preprocessing: The preprocessing model, or `None`.
    """

    state: SearchState
    schema: Schema
    batch_size: int
    seed: int
    fingerprint: str
    preprocessing: keras.Model | None


def read_search(stored: dict[str, Any], folder: ModelDirReader) -> StoredSearch:
    """Restores the search that a stored state describes.

    Args:
        stored: A state, as returned by `ModelDirReader.read_state`.
        folder: The folder with its models.

    Raises:
        ValueError: A model cannot be rebuilt.
    """
    members = {}
    for name, fields in stored["members"].items():
        plain = {k: v for k, v in fields.items() if k != "file"}
        plain["parents"] = tuple(members[parent] for parent in fields["parents"])
        members[name] = Member(model=folder.load_model(fields["file"]), **plain)
    preprocessing = folder.load_model(PREPROCESSING_FILE) if stored["preprocessed"] else None
    return StoredSearch(
        SearchState.from_json(stored["record"], members),
        read_schema(stored),
        stored["fit"]["batch_size"],
        stored["seed"],
        stored["data"],
        preprocessing,
    )


def read_schema(stored: dict[str, Any]) -> Schema:
    """Returns the schema in a state; version 0.1 stored the feature spec only."""
    if "schema" in stored:
        return Schema.from_dict(stored["schema"])
    return Schema.from_spec(spec_from_json(stored["spec"]))


def find_state(
    model_dir: str | os.PathLike, state_file: str | os.PathLike | None = None
) -> tuple[dict[str, Any], ModelDirReader]:
    """Finds the stored state in a folder. Returns it with the folder's reader.

    Raises:
        ValueError: The folder holds no search.
    """
    model_dir = check_path("model_dir", model_dir)
    if not os.path.isdir(model_dir):
        raise ValueError(
            f"There is no search to load: no folder {show(model_dir)}. "
            f"Received: model_dir={show(model_dir)}."
        )
    folder = ModelDirReader(model_dir)
    state = folder.read_state(state_file)
    if state is None:
        raise ValueError(f"There is no search to load in '{model_dir}'.")
    return state, folder


def restore_settings(state: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the constructor arguments in a state. `settings` take precedence over them."""
    rebuilt = {
        name: restore_object(value, name)
        for name, value in state["settings"].items()
        if name not in settings
    }
    return {**rebuilt, "seed": state["seed"], **settings}
