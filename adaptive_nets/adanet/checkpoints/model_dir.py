"""The folder of a search. Every file is written atomically, and none is pickled.

model_dir/
  manifest.json              names of all these files; others in the folder are left alone
  state-000003.json          configuration, ensemble, leaderboard, reports; newest whole one wins
  members/1_dense_2.keras    weights of subnetworks that a state file names
  preprocessing.keras
  checkpoint-0000500.npz     weights and optimizer slots in the middle of a round
  tensorboard/round_1/...    scalars of each subnetwork
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from adaptive_nets.adanet.checkpoints.adoption import (
    adopted_manifest,
    check_free,
    check_place,
    check_writable,
    readable_state,
)
from adaptive_nets.adanet.checkpoints.files.checkpoint_file import write_checkpoint
from adaptive_nets.adanet.checkpoints.files.manifest import (
    FOLDERS,
    MANIFEST_FILE,
    MODEL_NAME,
    PREPROCESSING_FILE,
    STATE_NAME,
    Manifest,
)
from adaptive_nets.adanet.checkpoints.files.sealing import (
    Digest,
    digest_of,
    is_intact,
)
from adaptive_nets.adanet.checkpoints.files.state_file import (
    number_of,
    state_name,
    with_unknown,
    write_state,
)
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.checkpoints.writer_lease import ModelDirInUseError, WriterLease
from adaptive_nets.files.atomic import atomic_write, sweep
from adaptive_nets.graphs.loadable import separated

# The newest states are kept, of this many rounds at least.
KEPT = 3


class ModelDir(ModelDirReader):
    """The folder of a search, for the one process that writes to it.

    Args:
        path: The folder. If it is missing, the first write creates it.

    Attributes:
        lease: The `WriterLease` that is confirmed before each change, or `None`, the default.
        take_lease: Function that takes the lease before the first change, or `None`, the default.
        opened_at: The number of the newest state when the folder was opened, before it was read.

    Raises:
        OSError: The folder cannot be written to.
        ValueError: A name that the search needs is taken by a file that is not the search's.
    """

    def __init__(self, path: str | os.PathLike):
        super().__init__(path)
        self.lease: WriterLease | None = None
        self.take_lease: Callable[[], WriterLease] | None = None
        self.opened_at = self.newest
        self._own: Manifest | None = None
        self._states: dict[str, dict | None] = {}
        self._removed = False
        check_place(self.path)
        if not self.has_state():
            check_writable(self.path)
        check_free(self)

    # What is whose -------------------------------------------------------------------------------

    def check_names(self, names: Iterable[str]) -> None:
        """Checks that files can be written under some names.

        Args:
            names: Names of model files.

        Raises:
            ValueError: One is taken by a file that is not the search's.
        """
        known = self._own or adopted_manifest(self)
        for name in names:
            path = self.path / name
            if name in known.files or not os.path.lexists(path):
                continue
            raise ValueError(
                f"'{path}' has not been written by this search, which needs the name. Nothing was "
                "changed. Move the file away, or use another model_dir."
            )

    def confirm(self) -> None:
        """Raises an error if another process writes to the folder, or has taken it over."""
        if self.lease is None and self.take_lease is not None:
            self.lease = self.take_lease()
            if self.newest != self.opened_at:
                text = "has been written to by another fit meanwhile. Call fit again."
                raise ModelDirInUseError(f"model_dir '{self.path}' {text}")
        if self.lease is not None:
            self.lease.confirm()

    def _open(self) -> Manifest:
        """Begins to write: finds out what is the search's, and sweeps what was left half written.

        Returns:
            The manifest.
        """
        if self._own is None:
            check_writable(self.path)
            self.confirm()
            self._own = adopted_manifest(self)
            sweep(self.path)
            sweep(self.path / "members")
            names = [n for n in self._own.files if STATE_NAME.fullmatch(n)]
            self._states = {name: readable_state(self.path, name) for name in names}
        return self._own

    def _reserve(self, new, going=()):
        """Writes the manifest before files are written and removed."""
        self._own = self._open().with_names(new, going, self.path)
        self._own.write(self.path, self.confirm)

    def _remove(self, names):
        self.confirm()
        for name in names:
            self._states.pop(name, None)
            # A search writes no folders under these names.
            if not _is_folder(self.path / name):
                (self.path / name).unlink(missing_ok=True)

    def settle(self) -> None:
        """Makes the manifest say exactly what is there, once nothing more will be written."""
        unsettled = self._own or self.manifest()
        if unsettled is not None and unsettled.unsure:
            self._open().settled(self.path).write(self.path, self.confirm)
        self._own = None

    def subfolder(self, name: str) -> Path:
        """Returns a folder in this one for files that are not listed.

        Args:
            name: `"tensorboard"` or `"generator"`.
        """
        if not os.path.lexists(self.path / name):
            self._reserve([name])
            (self.path / name).mkdir(exist_ok=True)
        return self.path / name

    def remove(self) -> None:
        """Removes all files of the search."""
        own = self._open()
        self._remove(own.files - set(FOLDERS))
        for name in own.files & set(FOLDERS):
            shutil.rmtree(self.path / name, ignore_errors=True)
        (self.path / MANIFEST_FILE).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (self.path / "members").rmdir()
        self._removed = True

    def leave(self) -> None:
        """Removes the folder if `remove` has left it empty."""
        if self._removed:
            with contextlib.suppress(OSError):
                self.path.rmdir()

    # States --------------------------------------------------------------------------------------

    def commit(
        self,
        round_: int,
        describe: Callable[[dict[str, tuple[str, Digest]]], dict[str, Any]],
        models: dict[str, tuple[keras.Model, Digest | None]],
        drop_checkpoints: bool = False,
    ) -> None:
        """Writes the next state with the models that it needs, then removes what is out of date.

        Args:
            round_: Number of the last finished round.
            describe: Function from the name and digest of each model's file to the state's values.
            models: Each model by the name for its file, with the digest of the file of this name
                that holds it already, or `None`.
            drop_checkpoints: Whether to remove all checkpoints then. Defaults to `False`.
        """
        self._open()
        held = {key for key, (_, known) in models.items() if is_intact(self.path, key, known)}
        names = _file_names(models, held, self._is_taken)
        number = _next_number(self._open(), self.path)
        stale = _stale_states(self._states, round_)
        dropped = self.checkpoint_names() if drop_checkpoints else []
        fresh = [names[key] for key in models if key not in held]
        self._reserve([*fresh, state_name(number)], [*stale, *dropped])
        found = {
            key: (names[key], known if key in held else self._save(model, names[key]))
            for key, (model, known) in models.items()
        }
        state = describe(found)
        before = max((n for n in self._states if self._states[n]), key=number_of, default=None)
        if before is not None:
            state = with_unknown(state, self._states[before])
        self._write(number, state)
        self._remove([*stale, *dropped])
        self._drop_models()

    def begin_from(self, other: str | os.PathLike) -> None:
        """Copies the newest whole state of another search, for this one to start from.

        Raises:
            ValueError: The other folder holds no search, or none that is whole.
        """
        source = ModelDirReader(other)
        state = source.read_state()
        if state is None:
            raise ValueError(f"There is no search to start from in '{other}'.")
        number = _next_number(self._open(), self.path)
        self.check_names(state["files"])
        self._reserve([*state["files"], state_name(number)])
        for name, digest in state["files"].items():
            with atomic_write(self.path / name, ".keras", self.confirm) as written:
                shutil.copyfile(source.path / name, written)
            copied = digest_of(self.path, name)
            if digest not in (None, copied):
                raise ValueError(f"'{source.path / name}' changed while it was copied.")
            state["files"][name] = copied
        own = ("version", "search", "number", "written_by", "sha256")
        self._write(number, {k: v for k, v in state.items() if k not in own})
        self.settle()

    def _write(self, number, state):
        name = state_name(number)
        files = {
            n: {"sha256": digest.sha256, "bytes": digest.bytes}
            for n, digest in state["files"].items()
        }
        write_state(self.path / name, {**state, "files": files}, self._own.search, self.confirm)
        self._states[name] = state

    # Models --------------------------------------------------------------------------------------

    def preprocessing_digest(self) -> Digest | None:
        """Returns the digest of the search's preprocessing as the newest state has it."""
        self._open()
        for name in sorted(self._states, key=number_of, reverse=True):
            if self._states[name] is not None:
                found = self._states[name]["files"].get(PREPROCESSING_FILE)
                # Before there were digests.
                there = self._states[name]["preprocessed"] and found is None
                return digest_of(self.path, PREPROCESSING_FILE) if there else found
        return None

    def _is_taken(self, name):
        if name not in self._own.files or not os.path.lexists(self.path / name):
            return os.path.lexists(self.path / name)
        if _is_folder(self.path / name):
            return True
        needed = [s["files"].get(name) for s in self._states.values() if s and name in s["files"]]
        return any(digest is None or is_intact(self.path, name, digest) for digest in needed)

    def _save(self, model, name) -> Digest:
        """Saves a model as one of the folder's files, and returns the file's digest."""
        with atomic_write(self.path / name, ".keras", self.confirm) as temporary:
            separated(model).save(temporary)
            written = Path(temporary)
            return digest_of(written.parent, written.name)

    def _drop_models(self):
        """Removes models that no state needs, unless a state cannot be read at present."""
        if not all(self._states.values()):
            return
        needed = {name for state in self._states.values() for name in state["files"]}
        models = {name for name in self._own.files if MODEL_NAME.fullmatch(name)}
        self._remove(models - needed)

    # Checkpoints ---------------------------------------------------------------------------------

    def write_checkpoint(self, step: int, header: dict, arrays: list[np.ndarray]) -> None:
        """Writes all arrays of a round at a step, then deletes older checkpoints."""
        name = f"checkpoint-{step:09d}.npz"
        there = [n for n in self.checkpoint_names() if n != name]
        self._reserve([name], there[:-1])
        header = {**header, "search": self._own.search}
        write_checkpoint(self.path / name, header, arrays, self.confirm)
        self._remove(there[:-1])

    def drop_checkpoints(self) -> None:
        """Removes all checkpoints of the search."""
        if there := self.checkpoint_names():
            self._reserve([], there)
            self._remove(there)


def _stale_states(states, round_):
    """Returns the states that are out of date once the next one, of a round, is written."""
    listed = sorted(states, key=number_of, reverse=True)
    kept, newest = set(listed[: KEPT - 1]), {}
    for name in listed:
        if states[name] is not None:
            newest.setdefault(states[name]["record"]["iteration"], name)
    others = [name for known, name in newest.items() if known not in (0, round_)]
    kept |= set(others[: KEPT - 1])
    oldest = min((number_of(n) for n in kept if states[n] is not None), default=0)
    # One that cannot be read now may be read later, as long as it is not older than all others.
    kept |= {n for n in listed if states[n] is None and number_of(n) > oldest}
    return [name for name in listed if name not in kept]


def _file_names(models, held, is_taken):
    """Returns the name of each model's file. What a state needs is never overwritten."""
    names, used = {}, set(held)
    for key in models:
        name, count = key, 1
        while key not in held and (
            name in used or (name != key and name in models) or is_taken(name)
        ):
            count += 1
            name = f"{key.removesuffix('.keras')}.{count}.keras"
        names[key] = name
        used.add(name)
    return names


def _is_folder(path):
    return path.is_dir() and not path.is_symlink()


def _next_number(manifest, folder):
    """Returns the number of the next state; names that others have taken are left out."""
    own = [number_of(name) for name in manifest.files if STATE_NAME.fullmatch(name)]
    number = max(own, default=0) + 1
    while os.path.lexists(folder / state_name(number)):
        number += 1
    return number
