"""`WorkLeases`: which process trains which share of a round, and who replaces a lost one."""

import contextlib
import os
import re
import warnings
from pathlib import Path

import numpy as np

from adaptive_nets.adanet.checkpoints.files.checkpoint_file import (
    read_checkpoint,
    write_checkpoint,
)
from adaptive_nets.adanet.checkpoints.files.manifest import CHECKPOINT_NAME, step_of
from adaptive_nets.adanet.checkpoints.files.sealing import DamagedError
from adaptive_nets.adanet.checkpoints.heartbeat import LOST_SECONDS, Silence, heartbeat
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.files.atomic import sweep

_CLAIM_NAME = re.compile(r"claim_\d{6,}")
# Of a share's files, those that are no checkpoints.
_OTHER_NAMES = re.compile(r"claim_\d{6,}|done")


class WorkLeases:
    """The shares of one round, coordinated in a folder that all processes see.

    A process acquires a share by creating its next numbered claim, a file that can only be created
    once, and touches it for as long as it runs. If a claim has not been touched for a while,
    another process may take over its share, and continues from its checkpoint.

    Args:
        path: Folder of the round's shares.
        count: Number of shares.
        rank: Number of this process, and of its own share.
        lost_seconds: Seconds without a sign of life after which a process is considered lost.
            Defaults to `None`: `LOST_SECONDS`.
        search: What tells the search from others: its data and seed. Defaults to `""`.
    """

    def __init__(
        self,
        path: Path,
        count: int,
        rank: int,
        lost_seconds: float | None = None,
        search: str = "",
    ):
        self.path, self.count, self.rank = Path(path), count, rank
        self.search = search
        self.lost_seconds = LOST_SECONDS if lost_seconds is None else lost_seconds
        self._silence = Silence()

    @classmethod
    def of_round(
        cls, model_dir: Path, number: int, count: int, rank: int, search: str = ""
    ) -> "WorkLeases":
        """Creates the leases of one round of a search for a number of processes."""
        path = Path(model_dir) / "shares" / f"round_{number:03d}_of_{count}"
        shares = [path / f"share_{share}" for share in range(count)]
        for folder in (path.parent, path, *shares):
            if folder.is_symlink():
                raise ValueError(
                    f"'{folder}' is a link, which is not followed. Remove it, or use another "
                    "model_dir."
                )
        return cls(path, count, rank, search=search)

    def acquire(self) -> int | None:
        """Returns a share for this process to train, its own first, or `None` if none is free."""
        for share in sorted(range(self.count), key=lambda s: (s - self.rank) % self.count):
            if not self.is_done(share) and self._claim(share):
                return share
        return None

    def is_done(self, share: int) -> bool:
        """Returns whether a share is trained."""
        return (self._folder(share) / "done").exists()

    @property
    def all_done(self) -> bool:
        return all(self.is_done(share) for share in range(self.count))

    def heartbeat(self, share: int) -> contextlib.AbstractContextManager[None]:
        """Touches the claim while the block runs, even while it compiles."""
        return heartbeat(self._claims(share)[-1])

    def save(self, share: int, round_: Round) -> None:
        """Writes a checkpoint of a share."""
        self.write(share, round_.header(), round_.state())

    def write(self, share: int, header: dict, arrays: list[np.ndarray]) -> None:
        """Writes a share's `Round.header` and `Round.state`, then deletes older checkpoints."""
        folder = self._folder(share)
        path = folder / f"checkpoint-{header['step']:09d}.npz"
        write_checkpoint(path, {**header, "search": self.search}, arrays)
        for name in self._named(share, CHECKPOINT_NAME)[:-2]:
            (folder / name).unlink(missing_ok=True)

    def complete(self, share: int) -> None:
        """Marks a share as trained. Its last checkpoint is the result."""
        self._folder(share).mkdir(parents=True, exist_ok=True)
        (self._folder(share) / "done").touch()

    def reopen(self, share: int) -> None:
        """Marks a share as not trained, because its result cannot be read."""
        (self._folder(share) / "done").unlink(missing_ok=True)

    def read(self, share: int) -> tuple[dict, list[np.ndarray]] | None:
        """Reads the newest whole checkpoint of a share, or returns `None`."""
        for name in reversed(self._named(share, CHECKPOINT_NAME)):
            try:
                found = read_checkpoint(self._folder(share), name)
                other = found[0].get("search", self.search) != self.search
                if other or found[0]["step"] != step_of(name):
                    what = f"is a checkpoint of another {'search' if other else 'step'}"
                    raise DamagedError(self._folder(share) / name, what)
                return found
            except DamagedError as error:
                warnings.warn(
                    f"Checkpoint {error}; its share goes on from an older one.", stacklevel=2
                )
        return None

    def clear(self) -> None:
        """Removes the round's files, and its folder if nothing else is in it."""
        for share in range(self.count):
            folder = self._folder(share)
            for form in (CHECKPOINT_NAME, _OTHER_NAMES):
                for name in self._named(share, form):
                    (folder / name).unlink(missing_ok=True)
            sweep(folder)
            _remove_empty(folder)
        _remove_empty(self.path)
        _remove_empty(self.path.parent)

    def _named(self, share, form):
        """Returns the names in a share's folder of a certain form, in order."""
        try:
            names = os.listdir(self._folder(share))
        except OSError:
            return []
        return sorted(name for name in names if form.fullmatch(name))

    def _folder(self, share):
        return self.path / f"share_{share}"

    def _claims(self, share):
        return [self._folder(share) / name for name in self._named(share, _CLAIM_NAME)]

    def _claim(self, share):
        folder, claims = self._folder(share), self._claims(share)
        if claims and not self._is_free(claims[-1]):
            return False
        folder.mkdir(parents=True, exist_ok=True)
        number = int(claims[-1].name.removeprefix("claim_")) + 1 if claims else 0
        try:
            with (folder / f"claim_{number:06d}").open("x") as file:
                file.write(str(self.rank))
        except FileExistsError:
            return False
        return True

    def _is_free(self, claim):
        """Returns whether a claim is from an earlier run of this process, or from a lost one."""
        try:
            if claim.read_bytes() == str(self.rank).encode():
                return True
            return self._silence.seconds(claim) > self.lost_seconds
        except OSError:
            return False


def _remove_empty(folder):
    with contextlib.suppress(OSError):
        folder.rmdir()
