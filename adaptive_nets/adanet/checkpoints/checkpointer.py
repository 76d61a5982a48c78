"""Keeps a search's record and the checkpoints within its rounds, on disk or in memory."""

from typing import TYPE_CHECKING

from adaptive_nets.adanet.checkpoints.codec import member_to_json
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.rounds.round import Round

if TYPE_CHECKING:
    from adaptive_nets.adanet.search import AdaNet

PREPROCESSING_FILE = "preprocessing.keras"


class Checkpointer:
    """Writes what a search knows, and reads checkpoints back.

    Args:
        search: The `AdaNet`; its `record` is replaced.
        folder: `ModelDir`, or `None` for a search that is kept in memory only.
    """

    def __init__(self, search: "AdaNet", folder: ModelDir | None):
        self.search, self.folder = search, folder

    def commit(self, record: SearchState) -> None:
        """Makes a record the search's, on disk first."""
        before = self.search.record
        if self.folder is not None:
            self._write(record)
        if record.iteration > before.iteration:
            self.search.paused = None
        self.search.record = record
        self.search.forget_models()

    def checkpoint(self, round_: Round) -> None:
        """Keeps a round as it is; none that a call has left half way."""
        if not round_.consistent:
            return
        header = {"data": self.search.data_fingerprint, **round_.header()}
        if self.folder is None:
            self.search.paused = (header, [v.copy() for v in round_.state()])
        else:
            self.folder.write_checkpoint(round_.training.step, header, round_.state())

    def resume(self, round_: Round, same_data: bool) -> None:
        """Goes on from this round's checkpoint; one of anything else is of no more use.

        Args:
            round_: A fresh `Round`.
            same_data: Whether the data need not be that of the checkpoint.
        """
        found = self.search.paused if self.folder is None else self.folder.read_checkpoint()
        if found is None:
            return
        same = same_data or found[0]["data"] == self.search.data_fingerprint
        alive = not all(found[0]["diverged"])
        if not (same and alive and round_.restore(*found)) and self.folder is not None:
            self.folder.drop_checkpoints()

    def _write(self, record):
        search, folder = self.search, self.folder
        if search.preprocessing is not None and not folder.has_state():
            folder.save_model(search.preprocessing, PREPROCESSING_FILE)
        members = record.members()
        files = {name: record.file(member) for name, member in members.items()}
        for name, member in members.items():
            # Members of earlier rounds never change.
            kept = member.iteration <= search.record.iteration
            if not kept or not (folder.path / files[name]).exists():
                folder.save_model(member.model, files[name])
        files = list(files.values())
        state = {
            **search.state_header(),
            "members": {
                n: {**member_to_json(m), "file": record.file(m)} for n, m in members.items()
            },
            "files": files,
            "record": record.to_json(),
        }
        folder.write_state(state)
        folder.drop_members(files)
        if record.iteration > search.record.iteration:
            folder.drop_checkpoints()
