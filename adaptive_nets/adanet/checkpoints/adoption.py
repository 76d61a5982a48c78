"""What is whose in a folder: before a search writes there, and where no manifest says so."""

import os
from pathlib import Path
from typing import Any

from adaptive_nets.adanet.checkpoints.files.checkpoint_file import read_checkpoint
from adaptive_nets.adanet.checkpoints.files.manifest import (
    CHECKPOINT_NAME,
    FOLDERS,
    MANIFEST_FILE,
    MOST_BYTES,
    PREPROCESSING_FILE,
    STATE_NAME,
    Manifest,
)
from adaptive_nets.adanet.checkpoints.files.sealing import DamagedError, read_bytes
from adaptive_nets.adanet.checkpoints.files.state_file import number_of, read_state
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader


def adopted_manifest(folder: ModelDirReader) -> Manifest:
    """Returns a folder's manifest, or, if it has none that is whole, one of what its states name.

    Args:
        folder: The folder.
    """
    found = folder.manifest()
    if found is not None:
        return found
    states = {}
    for name in sorted(folder.there(STATE_NAME), key=number_of, reverse=True):
        # One that cannot be read stays as it is: nothing shows that it is the search's.
        if (state := readable_state(folder.path, name)) is not None:
            states[name] = state
    searches = [s["search"] for s in states.values() if "search" in s]
    search = searches[0] if searches else Manifest.begin().search
    own = {n: s for n, s in states.items() if s.get("search") in (None, search)}
    files = {*own, *(file for state in own.values() for file in state["files"])}
    for name in folder.there(CHECKPOINT_NAME) if own else ():
        try:
            header, _ = read_checkpoint(folder.path, name)
        except DamagedError:
            # Of versions that wrote no manifest.
            files |= set() if searches else {name}
        else:
            files |= {name} if header.get("search") in (None, search) else set()
    return Manifest(search, frozenset(files))


def readable_state(folder: Path, name: str) -> dict[str, Any] | None:
    """Returns the values of a state, or `None` if it cannot be read."""
    try:
        return read_state(folder, name)
    except ValueError:
        return None


def check_free(folder: ModelDirReader) -> None:
    """Refuses a folder in which files of others stand in the way of a search.

    Args:
        folder: The folder.

    Raises:
        ValueError: A name that the search needs is taken. The message names it.
    """
    known, strange = adopted_manifest(folder), []
    folders = ("members", "shares", *FOLDERS)
    for name in (MANIFEST_FILE, PREPROCESSING_FILE, *folders):
        path = folder.path / name
        if not os.path.lexists(path):
            continue
        if path.is_symlink():
            strange.append(f"'{name}' is a link")
        elif path.is_dir() != (name in folders):
            strange.append(f"'{name}' is {'a folder' if path.is_dir() else 'not a folder'}")
        elif not _is_known(name, known, folder):
            strange.append(f"'{name}' is of another origin")
    for name in sorted(folder.there(CHECKPOINT_NAME)):
        if (folder.path / name).is_dir():
            strange.append(f"'{name}' is a folder")
        elif name not in known.files:
            strange.append(f"'{name}' is of another origin")
    if strange:
        raise ValueError(
            f"model_dir '{folder.path}' has files that this search has not written, under names "
            f"that it needs: {', '.join(strange)}. Nothing was changed. Move them away, or use "
            "another model_dir."
        )


def _is_known(name, known, folder):
    """Returns whether a file, or the manifest though it may not be whole, is a search's."""
    if name != MANIFEST_FILE or folder.manifest() is not None:
        return name != PREPROCESSING_FILE or name in known.files
    states = [readable_state(folder.path, n) for n in known.files if STATE_NAME.fullmatch(n)]
    if any(state is not None and "search" in state for state in states):
        return True
    try:
        begin = read_bytes(folder.path, MANIFEST_FILE, MOST_BYTES)
    except DamagedError:
        return False
    return begin.startswith(b'{\n "manifest": ')


def check_place(folder: Path) -> None:
    """Raises an `OSError` if something that is not a folder stands in a folder's place."""
    above = folder.absolute()
    while not os.path.lexists(above) and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise _not_writable(folder, "Not a directory")


def check_writable(folder: Path) -> None:
    """Raises an `OSError` if a folder, or the one that it would be made in, is read-only."""
    above = folder.absolute()
    while not above.exists() and above != above.parent:
        above = above.parent
    if not os.access(above, os.W_OK | os.X_OK):
        raise _not_writable(folder, "Permission denied")


def _not_writable(folder, reason):
    return OSError(
        f"model_dir must be a folder that can be written to. Received: '{folder}' ({reason})."
    )
