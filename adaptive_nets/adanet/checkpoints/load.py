"""Reads a search from its folder."""

import dataclasses
import os
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_path, show
from adaptive_nets.adanet.checkpoints import probe
from adaptive_nets.adanet.checkpoints.files.manifest import PREPROCESSING_FILE
from adaptive_nets.adanet.checkpoints.files.sealing import DamagedError, digest_of
from adaptive_nets.adanet.checkpoints.files.state_file import describe_versions
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
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


def read_search(
    stored: dict[str, Any], folder: ModelDirReader, ensembler: Ensembler | None = None
) -> StoredSearch:
    """Restores the search that a stored state describes.

    Args:
        stored: A state, as returned by `ModelDirReader.read_state`.
        folder: The folder with its models.
        ensembler: The `Ensembler` that must give the outputs that are stored. Defaults to `None`:
            they are not compared.

    Raises:
        DamagedError: A member's weights are not finite, or the ensemble gives other outputs.
        ValueError: A model cannot be rebuilt.
    """
    members, known = {}, {field.name for field in dataclasses.fields(Member)}
    for name, fields in stored["members"].items():
        plain = {k: v for k, v in fields.items() if k in known}
        plain["parents"] = tuple(members[parent] for parent in fields["parents"])
        file = fields["file"]
        model = folder.load_model(file, stored)
        _check_finite(model, folder.path / file)
        digest = stored["files"][file] or digest_of(folder.path, file)
        members[name] = Member(**{**plain, "model": model, "stored": (file, *digest)})
    preprocessing = None
    if stored["preprocessed"]:
        preprocessing = folder.load_model(PREPROCESSING_FILE, stored)
    found = StoredSearch(
        SearchState.from_json(stored["record"], members),
        read_schema(stored),
        stored["fit"]["batch_size"],
        stored["seed"],
        stored["data"],
        preprocessing,
    )
    if ensembler is not None:
        _check_probe(stored, found, ensembler, folder)
    return found


def _check_finite(model, path):
    for weight in model.get_weights():
        if weight.dtype.kind == "f" and not np.isfinite(weight).all():
            raise DamagedError(path, "holds weights that are not finite")


def _check_probe(stored, found, ensembler, folder):
    ensemble = found.state.current.ensemble
    if ensemble is None:
        return
    ensembler = ensembler.for_head(restore_object(stored["adapted_head"], "head"))
    gap = probe.differs(stored, ensemble, ensembler, found.schema.spec, found.preprocessing)
    if gap:
        raise DamagedError(
            folder.path,
            f"holds an ensemble that does not reproduce the outputs stored with it: {gap}."
            f"{describe_versions(stored)}",
        )


def read_schema(stored: dict[str, Any]) -> Schema:
    """Returns the schema in a state; version 0.1 stored the feature spec only."""
    if "schema" in stored:
        return Schema.from_dict(stored["schema"])
    return Schema.from_spec(spec_from_json(stored["spec"]))


def open_folder(model_dir: str | os.PathLike) -> ModelDirReader:
    """Returns the reader of a folder that must be there.

    Raises:
        ValueError: There is no such folder.
    """
    model_dir = check_path("model_dir", model_dir)
    if not os.path.isdir(model_dir):
        raise ValueError(
            f"There is no search to load: no folder {show(model_dir)}. "
            f"Received: model_dir={show(model_dir)}."
        )
    return ModelDirReader(model_dir)


def same_ensembler(stored: dict[str, Any], given: dict[str, Any]) -> bool:
    """Returns whether a state's ensemble is weighed as some settings say.

    Args:
        stored: Values of the state.
        given: `SearchSettings.to_json()`.
    """
    return stored["settings"].get("mixture_weights") == given["mixture_weights"]


def restore_settings(state: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the constructor arguments in a state. `settings` take precedence over them."""
    rebuilt = {
        name: restore_object(value, name)
        for name, value in state["settings"].items()
        if name not in settings
    }
    return {**rebuilt, "seed": state["seed"], **settings}
