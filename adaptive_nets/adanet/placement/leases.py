"""`WorkLeases`: which process trains which share of a round, and who replaces a lost one."""

import contextlib
import shutil
from pathlib import Path

import numpy as np

from adaptive_nets.adanet.checkpoints.heartbeat import LOST_SECONDS, Silence, heartbeat
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.rounds.round import Round


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
    """

    def __init__(self, path: Path, count: int, rank: int, lost_seconds: float | None = None):
        self.path, self.count, self.rank = Path(path), count, rank
        self.lost_seconds = LOST_SECONDS if lost_seconds is None else lost_seconds
        self._silence = Silence()

    @classmethod
    def of_round(cls, model_dir: Path, number: int, count: int, rank: int) -> "WorkLeases":
        """Creates the leases of one round of a search for a number of processes."""
        return cls(Path(model_dir) / "shares" / f"round_{number:03d}_of_{count}", count, rank)

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
        """Writes a share's `Round.header` and `Round.state`."""
        ModelDir(self._folder(share)).write_checkpoint(header["step"], header, arrays)

    def complete(self, share: int) -> None:
        """Marks a share as trained. Its last checkpoint is the result."""
        self._folder(share).mkdir(parents=True, exist_ok=True)
        (self._folder(share) / "done").touch()

    def read(self, share: int) -> tuple[dict, list[np.ndarray]] | None:
        """Reads the newest checkpoint of a share, or returns `None`."""
        return ModelDir(self._folder(share)).read_checkpoint()

    def clear(self) -> None:
        """Removes the round's folder."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _folder(self, share):
        return self.path / f"share_{share}"

    def _claims(self, share):
        return sorted(self._folder(share).glob("claim_*"))

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
            if claim.read_text() == str(self.rank):
                return True
            return self._silence.seconds(claim) > self.lost_seconds
        except OSError:
            return False
