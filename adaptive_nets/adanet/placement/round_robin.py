"""`RoundRobinPlacement`: several processes each train a share of a round."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from adaptive_nets.adanet.checkpoints.checkpointer import Checkpointer
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.adanet.placement.base import Placement, RoundJob, register_placement
from adaptive_nets.adanet.placement.identity import Identity
from adaptive_nets.adanet.placement.identity_file import ChiefFile
from adaptive_nets.adanet.placement.leases import WorkLeases, check_no_links
from adaptive_nets.adanet.placement.local import LocalPlacement
from adaptive_nets.adanet.placement.shared import SharedPlacement
from adaptive_nets.adanet.placement.task_file import TaskFile, remove_task_files
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.distribute import Group, Task, WorkersLostError, task_from_environment

POLL_SECONDS = 0.1
# How often a worker looks at what the chief trains with.
LOOK_SECONDS = 0.5
# A worker waits this long for a chief that decides nothing.
PATIENCE_SECONDS = 3600.0


class RoundRobinPlacement(SharedPlacement):
    """The processes of `TF_CONFIG` each train shares of a round, and exchange them in `model_dir`.

    The chief then gathers the shares, decides the round and writes the state. The others read it
    and continue with the next round.

    Args:
        settings: `SearchSettings`.
        task: This process's place in the cluster.
    """

    name = "round_robin"

    def __init__(self, settings: SearchSettings, task: Task):
        super().__init__(settings)
        self.task = task

    @property
    def follows(self) -> bool:
        return not self.task.is_chief

    def is_chief(self, group: Group) -> bool:
        return self.task.is_chief

    @contextlib.contextmanager
    def session(
        self, context: SearchContext, data: FitData, checkpointer: Checkpointer
    ) -> Iterator[None]:
        # A state that is in the folder already is from an earlier call.
        self._before = checkpointer.folder.newest
        self.common = Identity.of(context, data, self.task.workers)
        shares = checkpointer.folder.path / "shares"
        check_no_links(shares)
        self._chief = ChiefFile(shares)
        if self.follows:
            self._chief.check(self.common, self._who)
            self._own = TaskFile(shares, self.task)
            with self._own.shown():
                yield
        else:
            with self._chief.shown(self.common):
                yield
                remove_task_files(shares)

    def prepare(self, job: RoundJob) -> None:
        self._chief.show(self.identity(job))

    def leases(self, job: RoundJob) -> WorkLeases:
        folder = job.checkpointer.folder.path
        return WorkLeases.of_round(
            folder, job.number, self.task.workers, self.task.rank, self.identity(job)
        )

    def train_shares(self, job: RoundJob) -> None:
        self._train_until(job, lambda: False)

    def follow(self, job: RoundJob) -> dict[str, Any]:
        identity, looked = self.identity(job), -LOOK_SECONDS

        def over():
            nonlocal looked
            if time.monotonic() - looked >= LOOK_SECONDS:
                self._chief.check(identity, self._who)
                self._own.check()
                looked = time.monotonic()
            return self._decided(job) is not None

        self._train_until(job, over)
        began, state = time.monotonic(), self._decided(job)
        while state is None:
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise WorkersLostError(
                    f"The chief has not decided round {job.number} within {PATIENCE_SECONDS:.0f} s "
                    "after its subnetworks were trained. Restart it; then restart this worker."
                )
            time.sleep(POLL_SECONDS)
            over()
            state = self._decided(job)
        return state

    @property
    def _who(self):
        return f"{self.task.kind} {self.task.index}"

    def _decided(self, job):
        """Returns the chief's state once it has decided the round or ended the search."""
        folder = job.checkpointer.folder
        if folder.newest == self._before:
            return None
        state = folder.read_state()
        record = state["record"] if state else {"iteration": 0, "stop_reason": ""}
        return state if record["iteration"] >= job.number or record["stop_reason"] else None

    def _train_until(self, job, over: Callable[[], bool]):
        """Trains shares until all are done, or until it is over."""
        leases = self.leases(job)
        while not leases.all_done and not over():
            share = leases.acquire()
            if share is None:
                time.sleep(POLL_SECONDS)
                continue
            own = job.builders[share :: leases.count]
            with leases.heartbeat(share):
                if own:
                    self._train_share(job, leases, share, own, over)
                else:
                    leases.complete(share)

    def _train_share(self, job, leases, share, builders, over):
        round_ = job.set_up(builders)
        found = leases.read(share)
        if found is not None:
            round_.restore(*found)
        round_.compile()
        saved, names = time.perf_counter(), [b.name for b in builders]
        try:
            while not round_.done and not over():
                job.hooks.call_begin(round_.training.step)
                round_.advance()
                losses = round_.training.losses
                job.hooks.call_end(round_.training.step, names, losses, losses)
                if time.perf_counter() - saved >= self.settings.checkpoint_seconds:
                    leases.save(share, round_)
                    saved = time.perf_counter()
        except (KeyboardInterrupt, SystemExit):
            if round_.consistent:
                leases.save(share, round_)
            raise
        if round_.done:
            leases.save(share, round_)
            leases.complete(share)


@register_placement("round_robin")
def make_round_robin(settings: SearchSettings) -> Placement:
    """Creates the placement; a process that is alone in `TF_CONFIG` trains all subnetworks."""
    task = task_from_environment()
    return RoundRobinPlacement(settings, task) if task.workers > 1 else LocalPlacement(settings)
