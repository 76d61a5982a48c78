"""`ModelDirReader`: reads the folder of a search, and writes nothing."""

import contextlib
import os
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np

from adaptive_nets._checks import check_path, show
from adaptive_nets.adanet.checkpoints.files.checkpoint_file import read_checkpoint
from adaptive_nets.adanet.checkpoints.files.manifest import (
    CHECKPOINT_NAME,
    STATE_NAME,
    Manifest,
    step_of,
)
from adaptive_nets.adanet.checkpoints.files.sealing import (
    DamagedError,
    check_digest,
    check_file,
)
from adaptive_nets.adanet.checkpoints.files.state_file import (
    describe_versions,
    has_ensemble,
    number_of,
    read_state,
)
from adaptive_nets.files.models import load_model
from adaptive_nets.keras_internals import seeded

T = TypeVar("T")

# How often a search is read again that another process continues at the same time.
_ATTEMPTS = 20


class ModelDirReader:
    """Reads the folder of a search, and writes nothing.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(check_path("model_dir", path))
        self._told = set()
        self._foreign = None

    def manifest(self) -> Manifest | None:
        """Returns the folder's manifest, or `None` if it has none that is whole."""
        try:
            found = Manifest.read(self.path)
        except DamagedError as error:
            if error.damage != "is missing":
                self._tell(f"{error}. What the states name is taken for the search's files.")
            return None
        if self._foreign == found.search:
            return None
        return found

    def state_names(self) -> list[str]:
        """Returns the names of the search's state files, oldest first.

        Those that the manifest lists may be missing; without one they are what is there.
        """
        return sorted(self._listed(STATE_NAME), key=number_of)

    @property
    def newest(self) -> int:
        """The number of the newest state file, or 0 if there is none."""
        there = [n for n in self.state_names() if os.path.lexists(self.path / n)]
        return number_of(there[-1]) if there else 0

    def has_state(self) -> bool:
        return self.newest > 0

    def is_finished(self, rounds: int) -> bool:
        """Returns whether nothing is left to do, and nothing is half done.

        Args:
            rounds: The maximum number of rounds.
        """
        manifest, names = self.manifest(), self.state_names()
        if not names or self.checkpoint_names() or (manifest is not None and manifest.unsure):
            return False
        try:
            record = read_state(self.path, names[-1])["record"]
        except ValueError:
            return False
        ended, reason = record["iteration"] >= rounds, record["stop_reason"]
        over = reason == "no_improvement" or (reason == "max_iterations" and ended)
        return over and record["partial"] is None

    def read_state(self, path: str | os.PathLike | None = None) -> dict | None:
        """Reads the newest state that is whole, or returns `None` if there is none at all.

        Args:
            path: State file to read instead of the newest. Defaults to `None`.

        Raises:
            ValueError: All states are damaged, or that file is.
        """
        return self.read_whole(lambda state: state, path)

    def newest_with_ensemble(self) -> str | None:
        """Returns the name of the newest whole state with an ensemble, or `None`."""
        for name in reversed(self.state_names()):
            with contextlib.suppress(DamagedError):
                if has_ensemble(self._checked(name)):
                    return name
        return None

    def read_whole(
        self, load: Callable[[dict[str, Any]], T], path: str | os.PathLike | None = None
    ) -> T | None:
        """Loads the newest state that is whole, with all files that it needs.

        If a newer one is damaged, a warning says which file and how. States without an ensemble
        are no substitute for a damaged one that may have had one.

        Args:
            load: Function of the state's values. It raises `DamagedError` for what it finds
                damaged.
            path: State file to read instead of the newest. Defaults to `None`.

        Returns:
            What `load` returned, or `None` if there is no state at all.

        Raises:
            ValueError: All states are damaged, or the given one is.
        """
        if path is not None:
            return self._read_one(load, Path(path).name)
        for _ in range(_ATTEMPTS):
            names = self.state_names()
            found, damages = self._newest_whole(names, load)
            if not damages:
                return found and found[1]
            # Meanwhile another process may have written a state and removed others.
            if names == self.state_names() and not self._is_foreign(names):
                break
        if found is None:
            raise ValueError(self._all_damaged(damages))
        warnings.warn(
            f"{_listed(damages)}; falling back to the previous one, '{found[0]}'.", stacklevel=2
        )
        return found[1]

    def _read_one(self, load, name):
        names = self.state_names()
        if name not in names:
            raise ValueError(
                f"State file '{name}' does not exist in '{self.path}': state_file must be one of "
                f"its state files. Received: state_file={show(name)}."
            )
        try:
            return load(self._checked(name))
        except DamagedError as error:
            raise ValueError(
                f"The state '{name}' is not whole: {error}. Restore that file, or load another "
                f"state: {', '.join(n for n in names if n != name) or 'there is none'}."
            ) from error

    def _newest_whole(self, names, load):
        """Returns name and content of the newest whole state, or `None`; and what is damaged."""
        damages = {}
        for name in reversed(names):
            try:
                state = self._checked(name)
                if damages and not has_ensemble(state):
                    break
                return (name, load(state)), damages
            except DamagedError as error:
                damages[name] = error
        return None, damages

    def _checked(self, name):
        """Returns the values of a state whose files are all as they were written."""
        state, manifest = read_state(self.path, name), self.manifest()
        search = state.get("search")
        if manifest is not None and search not in (None, manifest.search):
            raise DamagedError(self.path / name, "is the state of another search")
        for file, digest in state["files"].items():
            check_digest(self.path, file, digest)
            if digest is None:
                _check_archive(self.path, file)
        return state

    def _is_foreign(self, names):
        """Returns whether it has just been found that the manifest is another search's."""
        manifest = self.manifest()
        if manifest is None:
            return False
        owners = set()
        for name in {*names, *self.there(STATE_NAME)}:
            try:
                owners.add(read_state(self.path, name).get("search"))
            except ValueError:
                continue
        if not owners or manifest.search in owners or None in owners:
            return False
        self._foreign = manifest.search
        self._tell(
            f"'{self.path / 'manifest.json'}' is of another search. What the states name is taken "
            "for the search's files."
        )
        return True

    def _all_damaged(self, damages):
        return (
            f"No state of a finished round in '{self.path}' is whole: {_listed(damages)}. Nothing "
            "was changed. Restore these files from a copy, or use another model_dir."
        )

    def load_model(self, name: str, state: dict[str, Any] | None = None) -> keras.Model:
        """Loads the model in one of the folder's files.

        Args:
            name: The file.
            state: The state that names it. Defaults to `None`.

        Raises:
            DamagedError: It is missing or no file.
            ValueError: It cannot be rebuilt.
        """
        check_file(self.path, name)
        try:
            # Weights are read, and the seeds of what draws them are of no use.
            with seeded(0):
                return load_model(self.path / name)
        except ValueError as error:
            raise ValueError(f"{error}{describe_versions(state or {})}") from error

    def read_checkpoint(self) -> tuple[dict, list[np.ndarray]] | None:
        """Reads the newest checkpoint that is whole, or returns `None` if there is none."""
        manifest = self.manifest()
        damages, found = {}, None
        for name in reversed(self.checkpoint_names()):
            try:
                header, arrays = read_checkpoint(self.path, name)
                self._check_checkpoint(name, header, manifest)
            except DamagedError as error:
                damages[name] = error
                continue
            found = name, (header, arrays)
            break
        if damages:
            what = "falling back to the previous one" if found else "the round begins again"
            warnings.warn(f"Checkpoint {_listed(damages)}; {what}.", stacklevel=2)
        return found and found[1]

    def checkpoint_names(self) -> list[str]:
        """Returns the names of the search's checkpoints, oldest first; see `state_names`."""
        return sorted(self._listed(CHECKPOINT_NAME), key=step_of)

    def _listed(self, form):
        manifest = self.manifest()
        if manifest is None:
            return self.there(form)
        sure = manifest.files - manifest.unsure
        there = {name for name in manifest.unsure if os.path.lexists(self.path / name)}
        return [name for name in sure | there if form.fullmatch(name)]

    def _check_checkpoint(self, name, header, manifest):
        if header["step"] != step_of(name):
            raise DamagedError(self.path / name, f"is of another step ({header['step']})")
        if manifest is not None and header.get("search") not in (None, manifest.search):
            raise DamagedError(self.path / name, "is a checkpoint of another search")

    def there(self, form: re.Pattern) -> list[str]:
        """Returns the names in the folder of a certain form."""
        try:
            return [name for name in os.listdir(self.path) if form.fullmatch(name)]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _tell(self, text):
        if text not in self._told:
            self._told.add(text)
            warnings.warn(text, stacklevel=3)


def _check_archive(folder, name):
    """Checks a model file whose digest was not stored."""
    try:
        with zipfile.ZipFile(folder / name) as archive:
            damaged = archive.testzip()
    except (OSError, ValueError, EOFError, RuntimeError, NotImplementedError,
            zipfile.BadZipFile, zipfile.LargeZipFile) as error:  # fmt: skip
        raise DamagedError(folder / name, f"is truncated or altered ({error})") from error
    if damaged is not None:
        raise DamagedError(folder / name, f"has been altered (in its '{damaged}')")


def _listed(damages):
    """What is damaged. A file that several states need is named once."""
    told = {}
    for name, error in damages.items():
        told.setdefault(str(error), []).extend([name] * (error.path.name != name))
    return "; ".join(
        f"{text} (needed by {', '.join(names)})" if names else text for text, names in told.items()
    )
