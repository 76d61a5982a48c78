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

from adaptive_nets.adanet.checkpoints.files.checkpoint_file import (
    read_checkpoint,
    write_checkpoint,
)
from adaptive_nets.adanet.checkpoints.files.manifest import (
    CHECKPOINT_NAME,
    FOLDERS,
    MANIFEST_FILE,
    MODEL_NAME,
    MOST_BYTES,
    PREPROCESSING_FILE,
    STATE_NAME,
    Manifest,
)
from adaptive_nets.adanet.checkpoints.files.sealing import (
    DamagedError,
    Digest,
    digest_of,
    is_intact,
    read_bytes,
)
from adaptive_nets.adanet.checkpoints.files.state_file import (
    number_of,
    read_state,
    state_name,
    with_unknown,
    write_state,
)
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.atomic_files import atomic_write, temporary_name
from adaptive_nets.graphs.loadable import separated

# The newest states are kept, of this many rounds at least.
KEPT = 3


class ModelDir(ModelDirReader):
    """The folder of a search, for the one process that writes to it.

    Args:
        path: The folder. If it is missing, the first write creates it.

    Raises:
        OSError: The folder cannot be written to.
        ValueError: A name that the search needs is taken by a file that is not the search's.
    """

    def __init__(self, path: str | os.PathLike):
        super().__init__(path)
        self._own: Manifest | None = None
        self._states: dict[str, dict | None] = {}
        _check_path(self.path)
        if not self.has_state():
            _check_writable(self.path)
        self._check_strange()

    # What is whose -------------------------------------------------------------------------------

    def _check_strange(self):
        """Refuses a folder in which files of others stand in the way."""
        known, strange = self._adopted(), []
        for name in (MANIFEST_FILE, PREPROCESSING_FILE, "members"):
            path = self.path / name
            if not os.path.lexists(path):
                continue
            if path.is_symlink():
                strange.append(f"'{name}' is a link")
            elif path.is_dir() != (name == "members"):
                strange.append(f"'{name}' is {'a folder' if path.is_dir() else 'no folder'}")
            elif not self._is_known(name, known):
                strange.append(f"'{name}' is of another origin")
        taken = set(self._there(CHECKPOINT_NAME)) - known.files
        strange += [f"'{name}' is of another origin" for name in sorted(taken)]
        if strange:
            raise ValueError(
                f"model_dir '{self.path}' has files that this search has not written, under names "
                f"that it needs: {', '.join(strange)}. Nothing was changed. Move them away, or use "
                "another model_dir."
            )

    def _is_known(self, name, known):
        """Returns whether a file, or the manifest though it may not be whole, is a search's."""
        if name != MANIFEST_FILE or self.manifest() is not None:
            return name != PREPROCESSING_FILE or name in known.files
        states = [self._readable(name) for name in known.files if STATE_NAME.fullmatch(name)]
        if any(state is not None and "search" in state for state in states):
            return True
        try:
            begin = read_bytes(self.path, MANIFEST_FILE, MOST_BYTES)
        except DamagedError:
            return False
        return begin.startswith(b'{\n "manifest": ')

    def _adopted(self):
        """Returns the folder's manifest, or one of what the states there name."""
        found = self.manifest()
        if found is not None:
            return found
        states = {}
        for name in sorted(self._there(STATE_NAME), key=number_of, reverse=True):
            # One that cannot be read stays as it is: nothing shows that it is the search's.
            if (state := self._readable(name)) is not None:
                states[name] = state
        searches = [s["search"] for s in states.values() if "search" in s]
        search = searches[0] if searches else Manifest.begin().search
        own = {n: s for n, s in states.items() if s.get("search") in (None, search)}
        files = {*own, *(file for state in own.values() for file in state["files"])}
        for name in self._there(CHECKPOINT_NAME) if own else ():
            try:
                header, _ = read_checkpoint(self.path, name)
            except DamagedError:
                # Of versions that wrote no manifest.
                files |= set() if searches else {name}
            else:
                files |= {name} if header.get("search") in (None, search) else set()
        return Manifest(search, frozenset(files))

    def check_names(self, names: Iterable[str]) -> None:
        """Checks that files can be written under some names.

        Args:
            names: Names of model files.

        Raises:
            ValueError: One is taken by a file that is not the search's.
        """
        known = self._own or self._adopted()
        for name in names:
            path = self.path / name
            if name in known.files or not os.path.lexists(path):
                continue
            raise ValueError(
                f"'{path}' has not been written by this search, which needs the name. Nothing was "
                "changed. Move the file away, or use another model_dir."
            )

    def _open(self) -> Manifest:
        """Begins to write: finds out what is the search's, and sweeps what was left half written.

        Returns:
            The manifest.
        """
        if self._own is None:
            _check_writable(self.path)
            self._own = self._adopted()
            for name in self._own.files:
                temporary_name(self.path / name).unlink(missing_ok=True)
            names = [n for n in self._own.files if STATE_NAME.fullmatch(n)]
            self._states = {name: self._readable(name) for name in names}
        return self._own

    def _readable(self, name):
        try:
            return read_state(self.path, name)
        except ValueError:
            return None

    def _reserve(self, new, going=()):
        """Writes the manifest before files are written and removed."""
        self._own = self._open().with_names(new, going, self.path)
        self._own.write(self.path)

    def _remove(self, names):
        for name in names:
            self._states.pop(name, None)
            (self.path / name).unlink(missing_ok=True)

    def settle(self) -> None:
        """Makes the manifest say exactly what is there, once nothing more will be written."""
        unsettled = self._own or self.manifest()
        if unsettled is not None and unsettled.unsure:
            self._open().settled(self.path).write(self.path)
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
        """Removes all files of the search, and the folder if nothing else is in it."""
        own = self._open()
        self._remove(own.files - set(FOLDERS))
        for name in own.files & set(FOLDERS):
            shutil.rmtree(self.path / name, ignore_errors=True)
        (self.path / MANIFEST_FILE).unlink(missing_ok=True)
        for folder in (self.path / "members", self.path):
            with contextlib.suppress(OSError):
                folder.rmdir()

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
        names = self._file_names(models, held)
        number = self._next_number()
        stale = self._stale_states(round_)
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
        number = self._next_number()
        self.check_names(state["files"])
        self._reserve([*state["files"], state_name(number)])
        for name, digest in state["files"].items():
            path = self.path / name
            with atomic_write(path, temporary=temporary_name(path)) as written:
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
        files = {n: digest._asdict() for n, digest in state["files"].items()}
        write_state(self.path / name, {**state, "files": files}, self._own.search)
        self._states[name] = state

    def _next_number(self):
        """Returns the number of the next state; names that others have taken are left out."""
        names = [*self._open().files, *self._there(STATE_NAME)]
        return max((number_of(n) for n in names if STATE_NAME.fullmatch(n)), default=0) + 1

    def _stale_states(self, round_):
        """Returns the states that are out of date once the next one, of a round, is written."""
        listed = sorted(self._states, key=number_of, reverse=True)
        kept, newest = set(listed[: KEPT - 1]), {}
        for name in listed:
            if self._states[name] is not None:
                newest.setdefault(self._states[name]["record"]["iteration"], name)
        others = [name for known, name in newest.items() if known not in (0, round_)]
        kept |= set(others[: KEPT - 1])
        oldest = min((number_of(n) for n in kept if self._states[n] is not None), default=0)
        # One that cannot be read now may be read later, as long as it is not older than all others.
        kept |= {n for n in listed if self._states[n] is None and number_of(n) > oldest}
        return [name for name in listed if name not in kept]

    # Models --------------------------------------------------------------------------------------

    def _file_names(self, models, held):
        """Returns the name of each model's file. What a state needs is never overwritten."""
        names, used = {}, set(held)
        for key in models:
            name, count = key, 1
            while key not in held and (
                name in used or (name != key and name in models) or self._is_taken(name)
            ):
                count += 1
                name = f"{key.removesuffix('.keras')}.{count}.keras"
            names[key] = name
            used.add(name)
        return names

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
        needed = [s["files"].get(name) for s in self._states.values() if s and name in s["files"]]
        return any(digest is None or is_intact(self.path, name, digest) for digest in needed)

    def _save(self, model, name) -> Digest:
        """Saves a model as one of the folder's files, and returns the file's digest."""
        path = self.path / name
        with atomic_write(path, temporary=temporary_name(path)) as temporary:
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
        write_checkpoint(self.path / name, header, arrays)
        self._remove(there[:-1])

    def drop_checkpoints(self) -> None:
        """Removes all checkpoints of the search."""
        if there := self.checkpoint_names():
            self._open()
            self._remove(there)


def _check_path(folder):
    """Checks that a folder is or could be one."""
    above = folder.absolute()
    while not os.path.lexists(above) and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise _not_writable(folder, "Not a directory")


def _check_writable(folder):
    above = folder.absolute()
    while not above.exists() and above != above.parent:
        above = above.parent
    if not os.access(above, os.W_OK | os.X_OK):
        raise _not_writable(folder, "Permission denied")


def _not_writable(folder, reason):
    return OSError(
        f"model_dir must be a folder that can be written to. Received: '{folder}' ({reason})."
    )
