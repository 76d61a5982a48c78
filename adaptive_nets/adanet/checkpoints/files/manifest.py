"""`Manifest`: the names of all files that a search has written into its folder."""

import dataclasses
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from adaptive_nets.adanet.checkpoints.files.sealed_json import (
    NotWholeError,
    check_seal,
    parse,
    seal,
)
from adaptive_nets.adanet.checkpoints.files.sealing import DamagedError, read_bytes
from adaptive_nets.files.atomic import atomic_write

MANIFEST_FILE = "manifest.json"
PREPROCESSING_FILE = "preprocessing.keras"
STATE_NAME = re.compile(r"state-(\d{6,12})\.json")
CHECKPOINT_NAME = re.compile(r"checkpoint-(\d{9,12})\.npz")
MODEL_NAME = re.compile(r"members/[\w-][\w.-]{0,240}\.keras|preprocessing\.keras", re.ASCII)

# Folders whose content is not listed.
FOLDERS = ("tensorboard", "generator")

_NAMES = (STATE_NAME, CHECKPOINT_NAME, MODEL_NAME)
MOST_BYTES = 64 << 20
_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is a search's own in its folder. Nothing else there is read, swept or deleted.

    It is written before a file gets a new name, so that a killed process leaves nothing that is
    nobody's.

    Args:
        search: What tells the search from all others.
        files: Names of its files, relative to the folder.
        unsure: Those that may be missing: a process was about to write or to remove them.
    """

    search: str
    files: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()

    @classmethod
    def begin(cls) -> Self:
        """Returns the manifest of a new search."""
        return cls(secrets.token_hex(16))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads the manifest of a folder.

        Raises:
            DamagedError: It is missing or not whole.
        """
        text = read_bytes(folder, MANIFEST_FILE, MOST_BYTES)
        try:
            check_seal(text)
            return cls._of_json(parse(text))
        except NotWholeError as error:
            raise DamagedError(folder / MANIFEST_FILE, str(error)) from None

    @classmethod
    def _of_json(cls, values: dict[str, Any]) -> Self:
        if values.get("manifest") != _FORMAT:
            raise NotWholeError(
                f"was written by a newer version of adaptive_nets (format {values.get('manifest')})"
            )
        search, files, unsure = (values.get(key) for key in ("search", "files", "unsure"))
        for listed in (files, unsure):
            if not isinstance(listed, list) or not all(map(is_name, listed)):
                raise NotWholeError("lists what is not a name of a search's file")
        if not isinstance(search, str):
            raise NotWholeError("does not name a search")
        return cls(search, frozenset(files), frozenset(unsure))

    def write(self, folder: Path, confirm: Callable[[], None]) -> None:
        """Writes the manifest.

        Args:
            folder: The folder.
            confirm: As for `atomic_write`.
        """
        values = {
            "manifest": _FORMAT,
            "search": self.search,
            "files": sorted(self.files),
            "unsure": sorted(self.unsure),
        }
        with atomic_write(folder / MANIFEST_FILE, ".json", confirm) as name:
            Path(name).write_bytes(seal(values))

    def with_names(self, new: Iterable[str], going: Iterable[str], folder: Path) -> Self:
        """Returns the manifest before some files are written and others removed.

        Args:
            new: Names of the files that will be written.
            going: Names of the files that will be removed then.
            folder: The folder. Names that stand for nothing there are no longer listed.
        """
        new, going = frozenset(new), frozenset(going)
        there = frozenset(n for n in self.files if (folder / n).exists())
        kept = there | (self.files - self.unsure)
        return dataclasses.replace(self, files=kept | new, unsure=new | going)

    def settled(self, folder: Path) -> Self:
        """Returns the manifest once all of it has been written and removed."""
        there = frozenset(name for name in self.files if (folder / name).exists())
        return dataclasses.replace(self, files=there, unsure=frozenset())


def is_name(name: Any) -> bool:
    """Returns whether a value is a name that a search gives to one of its files."""
    if not isinstance(name, str):
        return False
    return name in FOLDERS or any(form.fullmatch(name) for form in _NAMES)


def step_of(name: str) -> int:
    """Returns the step in the name of a checkpoint."""
    return int(CHECKPOINT_NAME.fullmatch(name)[1])
