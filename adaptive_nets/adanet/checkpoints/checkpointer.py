"""`Checkpointer`: keeps the state of a search and the checkpoints within its rounds."""

import dataclasses
from collections.abc import Callable

from adaptive_nets.adanet.checkpoints.codec import member_to_json
from adaptive_nets.adanet.checkpoints.model_dir import PREPROCESSING_FILE, ModelDir, ModelDirReader
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.rounds.round import Round


class Checkpointer:
    """Saves the state of a search, and reads checkpoints back.

    Args:
        context: `SearchContext`.
        state: The initial `SearchState`.
        folder: A `ModelDir`, a `ModelDirReader` in a process that only follows the chief, or
            `None` for a search that is kept only in memory.
        publish: Function that is called with each state after it has been saved.

    Attributes:
        state: The current `SearchState`.
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
        """Removes the temporary files of a killed process."""
        if self.writer is not None:
            self.writer.sweep()

    def commit(self, state: SearchState) -> None:
        """Saves a state, then makes it the current one."""
        if self.writer is not None:
            self._write(state)
        self.adopt(state)

    def adopt(self, state: SearchState) -> None:
        """Makes a state the current one without saving it."""
        self.state = state
        self._publish(state)

    def checkpoint(self, round_: Round) -> None:
        """Saves a checkpoint of a round, unless an interrupted call left it inconsistent."""
        if not round_.consistent:
            return
        header = {"data": self.context.fingerprint, **round_.header()}
        if self.folder is None:
            paused = (header, [v.copy() for v in round_.state()])
            self.adopt(dataclasses.replace(self.state, paused=paused))
        elif self.writer is not None:
            self.writer.write_checkpoint(round_.training.step, header, round_.state())

    def resume(self, round_: Round, same_data: bool) -> None:
        """Continues from this round's checkpoint. Checkpoints that do not match are dropped.

        Args:
            round_: A new `Round`.
            same_data: Whether to accept the checkpoint even if the data differs.
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
