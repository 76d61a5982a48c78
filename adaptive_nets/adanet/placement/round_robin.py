"""Rounds whose candidates are trained by several processes, each its share."""

import time
from typing import Any

import numpy as np

from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.adanet.loop import SearchLoop
from adaptive_nets.adanet.placement.leases import WorkLeases
from adaptive_nets.adanet.rounds.training_state import TrainingState
from adaptive_nets.distribute import WorkersLostError

POLL_SECONDS = 0.1

# A worker waits so long for a chief that decides nothing.
PATIENCE_SECONDS = 3600.0


class RoundRobinPlacement(SearchLoop):
    """One call of `fit` in one of several processes that meet in `model_dir`.

    All of them train shares of a round's candidates. The chief then gathers them, decides, and
    writes what it found; the others read that and go on to the next round.
    """

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        # What is in the folder before the chief goes on is of an earlier call.
        self._before = self.folder.newest

    def round(self) -> str:
        return super().round() if self.search.is_chief else self._follow()

    def _resume(self, round_):
        """Each share has a checkpoint of its own."""

    def _compile(self, round_):
        """Shares are compiled when they are taken."""

    def _train(self, round_, builders) -> str:
        self._train_shares(round_.number, builders, lambda: False)
        shares, parts = self._shares(round_.number), {}
        for share in range(shares.count):
            places = range(share, len(builders), shares.count)
            if not places:
                continue
            found = shares.read(share)
            if found is None or not round_.put(*found, places):
                raise ValueError(
                    f"Share {share} of round {round_.number} in '{shares.path}' cannot be read. "
                    "Remove that folder and start again."
                )
            parts[places] = TrainingState.from_header(found[0])
        round_.training = TrainingState.joined(parts, len(builders), round_.steps)
        return ""

    def _decide(self, round_, builders, previous, partial):
        found = super()._decide(round_, builders, previous, partial)
        self._finished = self._shares(round_.number)
        return found

    def _tell(self, number, winner):
        # Only after the decision is written are its grounds of no more use.
        if self.search.is_chief:
            self._finished.drop()
        super()._tell(number, winner)

    def _follow(self) -> str:
        """A round of a worker: trains shares, then waits for the chief's decision."""
        number = self.record.iteration + 1
        previous = self.record.ensemble
        builders = propose_builders(self.search.generator, previous, number, self.record.reports)
        names = [b.name for b in builders]
        self._hook("on_epoch_begin", number - 1)
        self._hook("on_round_begin", number, logs={"candidates": names})
        self._train_shares(number, builders, lambda: self._decided(number) is not None)
        began, state = time.monotonic(), self._decided(number)
        while state is None:
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise WorkersLostError(
                    f"The chief has not decided round {number} within {PATIENCE_SECONDS:.0f} s "
                    "after its candidates were trained. Start it again; then start this worker."
                )
            time.sleep(POLL_SECONDS)
            state = self._decided(number)
        self.search._restore(state, self.folder)
        self.search.forget_models()
        if self.record.iteration >= number:
            self._tell(number, self.record.ensemble.name)
        return self.record.stop_reason

    def _decided(self, number):
        """The chief's state, once it has decided a round, or ended the search."""
        if self.folder.newest == self._before:
            return None
        state = self.folder.read_state()
        record = state["record"] if state else {"iteration": 0, "stop_reason": ""}
        return state if record["iteration"] >= number or record["stop_reason"] else None

    def _train_shares(self, number, builders, over):
        """Trains shares until all are done, or until it is over."""
        shares = self._shares(number)
        while not shares.all_done and not over():
            share = shares.take()
            if share is None:
                time.sleep(POLL_SECONDS)
                continue
            own = builders[share :: shares.count]
            with shares.alive(share):
                if own:
                    self._train_share(shares, share, own, number, over)
                else:
                    shares.finish(share)

    def _train_share(self, shares, share, builders, number, over):
        round_ = self._open(builders, number, self.record.ensemble)
        found = shares.read(share)
        if found is not None:
            round_.restore(*found)
        round_.compile()
        saved, names = time.perf_counter(), [b.name for b in builders]
        while not round_.done and not over():
            self._hook("on_train_batch_begin", round_.training.step)
            round_.advance()
            logs = dict(zip(names, round_.training.losses, strict=True))
            logs["loss"] = float(np.nanmean(round_.training.losses))
            self._hook("on_train_batch_end", round_.training.step - 1, logs=logs)
            if time.perf_counter() - saved >= self.search.checkpoint_seconds:
                shares.save(share, round_)
                saved = time.perf_counter()
        if round_.done:
            shares.save(share, round_)
            shares.finish(share)

    def _shares(self, number):
        task = self.search.task
        return WorkLeases.of_round(self.folder.path, number, task.workers, task.rank)
