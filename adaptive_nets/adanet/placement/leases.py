"""Shares of a round's candidates: which process trains which, and who steps in for a lost one."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.rounds.round import Round

# A process that has given no sign of life for so long is taken for lost.
LOST_SECONDS = 20.0

HEARTBEAT_SECONDS = 1.0


class WorkLeases:
    """The shares of one round, met in a folder that all processes see.

    A share is taken by making its next numbered claim, a file that can be made once only; its
    owner touches it as long as it lives. One whose claim was not touched for a while may be taken
    over, and goes on from its checkpoint.

    Args:
        path: The folder of the round's shares.
        count: Number of shares.
        rank: This process's number; the share of this number is its own.
        lost_seconds: How long without a sign of life a process is taken for lost.
    """

    def __init__(self, path: Path, count: int, rank: int, lost_seconds: float = LOST_SECONDS):
        self.path, self.count, self.rank = Path(path), count, rank
        self.lost_seconds = lost_seconds
        self._seen: dict[Path, tuple[float, float]] = {}

    @classmethod
    def of_round(cls, model_dir: Path, number: int, count: int, rank: int) -> "WorkLeases":
        """Those of one round of a search, among so many processes."""
        return cls(Path(model_dir) / "shares" / f"round_{number:03d}_of_{count}", count, rank)

    def acquire(self) -> int | None:
        """A share to be trained by this process, its own first; `None` where there is none now."""
        for share in sorted(range(self.count), key=lambda s: (s - self.rank) % self.count):
            if not self.is_done(share) and self._claim(share):
                return share
        return None

    def is_done(self, share: int) -> bool:
        """Whether a share is trained."""
        return (self._folder(share) / "done").exists()

    @property
    def all_done(self) -> bool:
        return all(self.is_done(share) for share in range(self.count))

    @contextlib.contextmanager
    def heartbeat(self, share: int) -> Iterator[None]:
        """Touches the claim while the block runs, also while it compiles."""
        claim, ended = self._claims(share)[-1], threading.Event()

        def beat():
            while not ended.wait(HEARTBEAT_SECONDS):
                # The chief may have done with the round.
                with contextlib.suppress(OSError):
                    os.utime(claim)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def save(self, share: int, round_: Round) -> None:
        """Keeps a share as it is; the last time it is done."""
        self.write(share, round_.header(), round_.state())

    def write(self, share: int, header: dict, arrays: list[np.ndarray]) -> None:
        """Keeps a share's `Round.header` and `Round.state`."""
        ModelDir(self._folder(share)).write_checkpoint(header["step"], header, arrays)

    def complete(self, share: int) -> None:
        """Says that a share is trained, and its last checkpoint is what it became."""
        self._folder(share).mkdir(parents=True, exist_ok=True)
        (self._folder(share) / "done").touch()

    def read(self, share: int) -> tuple[dict, list[np.ndarray]] | None:
        """The newest checkpoint of a share."""
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
        """Whether a claim is of an earlier life of this process, or of a lost one."""
        try:
            if claim.read_text() == str(self.rank):
                return True
            touched = claim.stat().st_mtime
        except OSError:
            return False
        # Clocks of machines differ, so only whether the time changes is looked at.
        before, since = self._seen.get(claim, (None, 0.0))
        if before != touched:
            self._seen[claim] = (touched, time.monotonic())
            return False
        return time.monotonic() - since > self.lost_seconds
