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
from adaptive_nets.adanet.placement.identity import Identity
from adaptive_nets.adanet.placement.identity_file import read_identity, write_identity
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.files.atomic import sweep
from adaptive_nets.files.processes import Process

_CLAIM_NAME = re.compile(r"claim_\d{6,}")
# Of a share's files, those that are not checkpoints.
_OTHER_NAMES = re.compile(r"claim_\d{6,}|done")
_IDENTITY_NAME = re.compile(r"identity-[0-9a-f]{32}\.json")
# What a share was trained with, as its files name it.
_DIGEST = re.compile(r"[0-9a-f]{32}")


class WorkLeases:
    """The shares of one round, coordinated in a folder that all processes see.

    A process acquires a share by creating its next numbered claim, a file that can only be created
    once, and touches it for as long as it runs. If a claim has not been touched for a while,
    another process may take over its share, and continues from its checkpoint.

    All files name the `Identity` of the process that has written them. The chief, whose rank is 0,
    takes no share of another identity than its own: it says how the two differ, and the share is
    trained again.

    Args:
        path: Folder of the round's shares.
        count: Number of shares.
        rank: Number of this process, and of its own share.
        lost_seconds: Seconds without a sign of life after which a process is considered lost.
            Defaults to `None`: `LOST_SECONDS`.
        identity: What this process trains with. Defaults to `None`: nothing is compared.
    """

    def __init__(
        self,
        path: Path,
        count: int,
        rank: int,
        lost_seconds: float | None = None,
        identity: Identity | None = None,
    ):
        self.path, self.count, self.rank = Path(path), count, rank
        self.identity = Identity() if identity is None else identity
        self.digest = self.identity.digest
        self._told: set[tuple[int, str]] = set()
        self.lost_seconds = LOST_SECONDS if lost_seconds is None else lost_seconds
        self._silence = Silence()

    @classmethod
    def of_round(
        cls,
        model_dir: Path,
        number: int,
        count: int,
        rank: int,
        identity: Identity | None = None,
    ) -> "WorkLeases":
        """Creates the leases of one round of a search for a number of processes."""
        path = Path(model_dir) / "shares" / f"round_{number:03d}_of_{count}"
        check_no_links(path.parent, path, *(path / f"share_{share}" for share in range(count)))
        return cls(path, count, rank, identity=identity)

    def acquire(self) -> int | None:
        """Returns a share for this process to train, its own first, or `None` if none is free."""
        for share in sorted(range(self.count), key=lambda s: (s - self.rank) % self.count):
            if not self.is_done(share) and self._claim(share):
                return share
        return None

    def is_done(self, share: int) -> bool:
        """Returns whether a share is trained, for the chief as it would train it itself."""
        path = self._folder(share) / "done"
        try:
            found = path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return False
        if not self._judges or self._is_own(share, found, path):
            return True
        self.reopen(share)
        return False

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
        self._introduce()
        path = folder / f"checkpoint-{header['step']:09d}.npz"
        write_checkpoint(path, {**header, "search": self.digest}, arrays)
        for name in self._named(share, CHECKPOINT_NAME)[:-2]:
            (folder / name).unlink(missing_ok=True)

    def complete(self, share: int) -> None:
        """Marks a share as trained. Its last checkpoint is the result."""
        self._folder(share).mkdir(parents=True, exist_ok=True)
        (self._folder(share) / "done").write_text(self.digest, encoding="utf-8")

    def reopen(self, share: int) -> None:
        """Marks a share as not trained, because its result cannot be read."""
        (self._folder(share) / "done").unlink(missing_ok=True)

    def read(self, share: int) -> tuple[dict, list[np.ndarray]] | None:
        """Reads the newest whole checkpoint of a share, or returns `None`."""
        for name in reversed(self._named(share, CHECKPOINT_NAME)):
            try:
                found = read_checkpoint(self._folder(share), name)
                if not self._is_own(share, found[0].get("search", ""), self._folder(share) / name):
                    continue
                if found[0]["step"] != step_of(name):
                    what = "is a checkpoint of another step"
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
        for name in _names(self.path, _IDENTITY_NAME):
            (self.path / name).unlink(missing_ok=True)
        sweep(self.path)
        _remove_empty(self.path)
        _remove_empty(self.path.parent)

    @property
    def _judges(self):
        """Whether this process is the chief."""
        return self.rank == 0

    def _is_own(self, share, digest, path):
        """Returns whether this process trains as one with a digest; says once where it does not."""
        if digest == self.digest:
            return True
        if (share, digest) not in self._told:
            self._told.add((share, digest))
            other = None
            if _DIGEST.fullmatch(digest):
                other = read_identity(self.path, f"identity-{digest}.json")
            how = other and self.identity.differences(other, ("this process has", "it had"))
            warnings.warn(
                f"What was trained of share {share} ('{path}') is refused, and trained again, "
                "because it was trained with something else: "
                f"{how or 'nothing is known of it'}. All processes, and a search that goes on, "
                "need the same data, settings, seed and versions.",
                stacklevel=4,
            )
        return False

    def _introduce(self):
        """Writes what this process trains with, for others to compare."""
        name = f"identity-{self.digest}.json"
        if not (self.path / name).exists():
            write_identity(self.path / name, self.identity)

    def _named(self, share, form):
        """Returns the names in a share's folder of a certain form, in order."""
        return _names(self._folder(share), form)

    def _folder(self, share):
        return self.path / f"share_{share}"

    def _claims(self, share):
        return [self._folder(share) / name for name in self._named(share, _CLAIM_NAME)]

    def _claim(self, share):
        folder, claims = self._folder(share), self._claims(share)
        if claims and not self._is_free(share, claims[-1]):
            return False
        self._introduce()
        folder.mkdir(parents=True, exist_ok=True)
        number = int(claims[-1].name.removeprefix("claim_")) + 1 if claims else 0
        try:
            with (folder / f"claim_{number:06d}").open("x") as file:
                file.write(f"{self.rank} {self.digest} {Process.current().name}")
        except FileExistsError:
            return False
        return True

    def _is_free(self, share, claim):
        """Returns whether the process behind a claim is this one, lost, or refused."""
        try:
            rank, digest, name = (claim.read_text(encoding="utf-8").split(" ") + [""] * 3)[:3]
            process = Process.from_name(name)
            if process is not None and process.is_here:
                if process == Process.current() or process.is_gone:
                    return True
            elif rank == str(self.rank):
                # An earlier run of this process, on another machine or of an earlier version.
                return True
            if self._judges and digest and not self._is_own(share, digest, claim):
                return True
            return self._silence.seconds(claim) > self.lost_seconds
        except (OSError, ValueError):
            return False


def check_no_links(*folders: Path) -> None:
    """Raises a `ValueError` if one of some folders is a link."""
    for folder in folders:
        if folder.is_symlink():
            raise ValueError(
                f"'{folder}' is a link, which is not followed. Remove it, or use another model_dir."
            )


def _names(folder, form):
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(name for name in names if form.fullmatch(name))


def _remove_empty(folder):
    with contextlib.suppress(OSError):
        folder.rmdir()
