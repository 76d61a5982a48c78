"""The state files of a search: written sealed, read only if they are whole."""

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from adaptive_nets._version import __version__
from adaptive_nets.adanet.checkpoints.codec import decode_nonfinite, encode_nonfinite
from adaptive_nets.adanet.checkpoints.files.manifest import STATE_NAME
from adaptive_nets.adanet.checkpoints.files.sealed_json import (
    NotWholeError,
    check_seal,
    is_sealed,
    parse,
    seal,
)
from adaptive_nets.adanet.checkpoints.files.sealing import DamagedError, Digest, read_bytes
from adaptive_nets.adanet.checkpoints.files.state_schema import check_state
from adaptive_nets.files.atomic import atomic_write
from adaptive_nets.serialization import normalize

# The format that is written; version 2, which was not sealed, is read too.
VERSION, OLDEST = 3, 2

_MOST_BYTES = 512 << 20

# What is written again, or stands in a state no longer.
_REPLACED = frozenset(("spec", "sha256", "version", "search", "number", "written_by"))


def state_name(number: int) -> str:
    """Returns the name of a state file."""
    return f"state-{number:06d}.json"


def number_of(name: str) -> int:
    """Returns the number of a state file."""
    return int(STATE_NAME.fullmatch(name)[1])


def versions() -> dict[str, Any]:
    """Returns what the numbers of this process depend on: versions and devices."""
    devices = sorted({device.device_type for device in tf.config.list_logical_devices()})
    return {
        "adaptive_nets": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "machine": platform.machine(),
        "devices": devices,
    }


def describe_versions(stored: Mapping[str, Any]) -> str:
    """Returns a sentence that names what wrote a state, if it was not the same as this process."""
    written, here = stored.get("written_by"), versions()
    if written is None or written == here:
        return ""
    then, now = (
        ", ".join(f"{name} {found.get(name, '?')}" for name in here if name != "devices")
        for found in (written, here)
    )
    return f" It was written with {then}; this process has {now}."


def write_state(
    path: Path, state: dict[str, Any], search: str, confirm: Callable[[], None]
) -> None:
    """Writes a state.

    Args:
        path: The file, whose name has the state's number.
        state: Its values, without those that this function adds.
        search: What tells the search from all others.
        confirm: As for `atomic_write`.
    """
    added = {"search": search, "number": number_of(path.name), "written_by": versions()}
    text = seal(encode_nonfinite({"version": VERSION, **added, **state}))
    with atomic_write(path, ".json", confirm) as name:
        Path(name).write_bytes(text)


def read_state(folder: Path, name: str) -> dict[str, Any]:
    """Reads a state file.

    Args:
        folder: The search's folder.
        name: The file's name.

    Returns:
        Its values, with objects described as this version does it. `"files"` is a dict of a
        `Digest` by name, or of `None` where the state has no digests.

    Raises:
        DamagedError: It is not as a search writes it.
        ValueError: It was written by a version whose states this one does not read.
    """
    text = read_bytes(folder, name, _MOST_BYTES)
    try:
        if is_sealed(text):
            check_seal(text)
        state = decode_nonfinite(parse(text))
        _check_version(state, text, folder / name)
        check_state(state)
    except NotWholeError as error:
        raise DamagedError(folder / name, str(error)) from None
    if state.setdefault("number", number_of(name)) != number_of(name):
        raise DamagedError(folder / name, f"is a copy of {state_name(state['number'])}")
    files = state["files"]
    if isinstance(files, list):
        # Before there were digests.
        state["files"] = dict.fromkeys(files)
        if state["preprocessed"]:
            state["files"]["preprocessing.keras"] = None
    else:
        state["files"] = {n: Digest(d["sha256"], d["bytes"]) for n, d in files.items()}
    described = ("settings", "adapted_head")
    return {k: normalize(v) if k in described else v for k, v in state.items()}


def has_ensemble(state: dict[str, Any]) -> bool:
    """Returns whether a state has something to predict with."""
    record = state["record"]
    return bool(record["ensemble"] or record["partial"])


def with_unknown(new: dict[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of a state with those of an older one that this version does not know.

    A later version may have written them, and reads them again.

    Args:
        new: The values to write.
        old: The values that were read.
    """
    kept = {k: v for k, v in old.items() if k not in new and k not in _REPLACED}
    record = _with_rows(new["record"], old["record"])
    if record["partial"] and old["record"]["partial"]:
        record["partial"] = _with_rows(record["partial"], old["record"]["partial"])
    before = old["members"]
    members = {k: {**before.get(k, {}), **v} for k, v in new["members"].items()}
    return {**new, **kept, "record": record, "members": members}


def _with_rows(new, old):
    """Returns a record with the unknown keys of an older one, and of its rows."""
    found = {**{k: v for k, v in old.items() if k not in new}, **new}
    for name in ("entries", "reports", "curves"):
        # Rows are only ever added.
        pairs = zip(found[name], old[name], strict=False)
        known = [{**before, **row} for row, before in pairs]
        found[name] = [*known, *found[name][len(known) :]]
    return found


def _check_version(state, text, path):
    version = state.get("version")
    if type(version) is not int:
        raise NotWholeError("lacks the number of its version")
    if version > VERSION or version < OLDEST:
        age, cure = ("a newer", "Upgrade adaptive_nets.")
        if version < OLDEST:
            age, cure = ("an older", "Use another model_dir, or that version.")
        raise ValueError(
            f"'{path}' was written by {age} version of adaptive_nets (format {version}; this "
            f"version reads {OLDEST} to {VERSION}). {cure}"
        )
    if (version >= 3 or "sha256" in state) and not is_sealed(text):
        check_seal(text)
