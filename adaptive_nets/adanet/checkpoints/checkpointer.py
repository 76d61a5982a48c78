"""`Checkpointer`: keeps the state of a search and the checkpoints within its rounds."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from adaptive_nets.adanet.checkpoints import probe
from adaptive_nets.adanet.checkpoints.codec import member_to_json
from adaptive_nets.adanet.checkpoints.files.manifest import PREPROCESSING_FILE
from adaptive_nets.adanet.checkpoints.files.sealing import Digest
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.checkpoints.writer_lease import ModelDirInUseError
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
        # The probe's outputs of members, which do not change.
        self._answers: dict[str, Any] = {}

    @property
    def writer(self) -> ModelDir | None:
        """The folder, if this process writes to it."""
        return self.folder if isinstance(self.folder, ModelDir) else None

    def check_names(self, number: int, builders: Iterable[str]) -> None:
        """Checks before a round that its members can be written.

        Args:
            number: The round, from 1.
            builders: Names of its builders.

        Raises:
            ValueError: A file of another origin stands in the way.
        """
        if self.writer is not None:
            self.writer.check_names(f"members/{number}_{name}.keras" for name in builders)

    def settle(self) -> None:
        """Called when nothing more will be written."""
        if self.writer is not None:
            with self._explained():
                self.writer.settle()

    def subfolder(self, name: str) -> Path | None:
        """Returns a folder for files that are not listed, or `None` in a process without one.

        Args:
            name: `"tensorboard"` or `"generator"`.
        """
        if self.writer is None:
            return None
        with self._explained():
            return self.writer.subfolder(name)

    def commit(self, state: SearchState) -> None:
        """Saves a state, then makes it the current one."""
        if self.writer is not None:
            with self._explained():
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
            with self._explained():
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
            with self._explained():
                self.writer.drop_checkpoints()

    @contextlib.contextmanager
    def _explained(self):
        """Says of an error of the disk what is left, and what to do."""
        try:
            yield
        except ModelDirInUseError:
            raise
        except OSError as error:
            text = (
                f"model_dir '{self.folder.path}' can no longer be written to: "
                f"{error.strerror or error}. What was saved before is whole. Make the folder "
                "writable or make room, and call fit again to go on from there."
            )
            known = () if error.errno is None else (error.errno,)
            raise OSError(*known, text) from error

    def _write(self, state):
        members = state.members()
        models = {state.file(m): (m.model, _digest(m)) for m in members.values()}
        preprocessing = self.context.preprocessing
        if preprocessing is not None:
            stored = self.writer.preprocessing_digest()
            models[PREPROCESSING_FILE] = (preprocessing, stored)
        keys = {name: state.file(member) for name, member in members.items()}

        def describe(found):
            described = {}
            for name, member in members.items():
                file, digest = found[keys[name]]
                member.stored = (file, *digest)
                described[name] = {**member_to_json(member), "file": file}
            return {
                **self.context.header(),
                "members": described,
                "files": dict(found.values()),
                "record": state.to_json(),
                "probe": self._probe(state),
            }

        ended = state.iteration > self.state.iteration
        self.writer.commit(state.iteration, describe, models, drop_checkpoints=ended)

    def _probe(self, state):
        context = self.context
        if not context.group.alone:
            return {"skipped": "several processes train together"}
        ensembler, spec = context.ensembler, context.spec
        return probe.describe(
            state.current.ensemble, ensembler, spec, context.preprocessing, self._answers
        )


def _digest(member):
    return None if member.stored is None else Digest(*member.stored[1:])
