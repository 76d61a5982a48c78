"""Keeps what a search knows, and the checkpoints within its rounds, on disk or in memory."""

import dataclasses
from collections.abc import Callable

from adaptive_nets.adanet.checkpoints.codec import member_to_json
from adaptive_nets.adanet.checkpoints.model_dir import PREPROCESSING_FILE, ModelDir, ModelDirReader
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.rounds.round import Round


class Checkpointer:
    """Writes what a search knows, and reads checkpoints back.

    Args:
        context: `SearchContext`.
        state: What is known at first.
        folder: A `ModelDir`; a `ModelDirReader` for a process that only follows the chief; `None`
            for a search that is kept in memory only.
        publish: Called with each state once it is kept.

    Attributes:
        state: What is known now.
    """

    def __init__(
        self,
        context: SearchContext,
        state: SearchState,
        folder: ModelDirReader | None,
        publish: Callable[[SearchState], None],
    ):
        self.context, self.state, self.folder = context, state, folder
        self._publish = publish

    @property
    def writer(self) -> ModelDir | None:
        """The folder, if this process writes to it."""
        return self.folder if isinstance(self.folder, ModelDir) else None

    def sweep(self) -> None:
        """Removes what a killed process was writing."""
        if self.writer is not None:
            self.writer.sweep()

    def commit(self, state: SearchState) -> None:
        """Makes a state the search's, on disk first."""
        if self.writer is not None:
            self._write(state)
        self.adopt(state)

    def adopt(self, state: SearchState) -> None:
        """Makes a state the search's that is on disk already, or need not be."""
        self.state = state
        self._publish(state)

    def checkpoint(self, round_: Round) -> None:
        """Keeps a round as it is, unless a call has left it half way."""
        if not round_.consistent:
            return
        header = {"data": self.context.fingerprint, **round_.header()}
        if self.folder is None:
            paused = (header, [v.copy() for v in round_.state()])
            self.adopt(dataclasses.replace(self.state, paused=paused))
        elif self.writer is not None:
            self.writer.write_checkpoint(round_.training.step, header, round_.state())

    def resume(self, round_: Round, same_data: bool) -> None:
        """Goes on from this round's checkpoint; one of anything else is of no more use.

        Args:
            round_: A fresh `Round`.
            same_data: Whether the data need not be that of the checkpoint.
        """
        found = self.state.paused if self.folder is None else self.folder.read_checkpoint()
        if found is None:
            return
        same = same_data or found[0]["data"] == self.context.fingerprint
        alive = not all(found[0]["diverged"])
        if not (same and alive and round_.restore(*found)):
            self.drop_checkpoints()

    def drop_checkpoints(self) -> None:
        """Removes the checkpoints within rounds from the folder."""
        if self.writer is not None:
            self.writer.drop_checkpoints()

    def _write(self, state):
        folder = self.writer
        preprocessing = self.context.preprocessing
        if preprocessing is not None and not folder.has_state():
            folder.save_model(preprocessing, PREPROCESSING_FILE)
        members = state.members()
        files = {name: state.file(member) for name, member in members.items()}
        for name, member in members.items():
            # Members of earlier rounds never change.
            kept = member.iteration <= self.state.iteration
            if not kept or not (folder.path / files[name]).exists():
                folder.save_model(member.model, files[name])
        described = {
            name: {**member_to_json(member), "file": files[name]}
            for name, member in members.items()
        }
        folder.write_state(
            {
                **self.context.header(),
                "members": described,
                "files": list(files.values()),
                "record": state.to_json(),
            }
        )
        folder.drop_members(files.values())
        if state.iteration > self.state.iteration:
            folder.drop_checkpoints()
