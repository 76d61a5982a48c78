"""`RayPlacement`: the workers of a Ray cluster train shares of a round."""

import collections
import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from adaptive_nets.adanet.checkpoints.checkpointer import Checkpointer
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.adanet.placement.base import RoundJob, register_placement
from adaptive_nets.adanet.placement.identity import Identity
from adaptive_nets.adanet.placement.leases import WorkLeases
from adaptive_nets.adanet.placement.ray_worker import Worker, WorkerSetup, pack
from adaptive_nets.adanet.placement.shared import SharedPlacement
from adaptive_nets.adanet.rounds.training_state import TrainingState
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.distribute import Group, Ray, WorkersLostError, import_ray

# How often a worker reports its progress.
REPORT_SECONDS = 1.0
# The search ends when a share has lost this many workers in a row without a checkpoint between.
LOSSES = 4


@register_placement("ray", kind=Ray)
class RayPlacement(SharedPlacement):
    """Workers of a Ray cluster train the shares; this process, the driver, trains nothing itself.

    Their checkpoints are written to `model_dir`. A lost worker is replaced; meanwhile the others
    train its share, from the last checkpoint.
    """

    name = "ray"

    def __init__(self, settings: SearchSettings):
        super().__init__(settings)
        given = settings.placement
        self.cluster = given if isinstance(given, Ray) else Ray()

    def is_chief(self, group: Group) -> bool:
        return True

    def check(self) -> None:
        super().check()
        import_ray()

    def takes_strategy(self, distribute: str | tf.distribute.Strategy | None) -> bool:
        # A strategy object is bound to this process's devices.
        own = isinstance(distribute, tf.distribute.Strategy)
        return super().takes_strategy(distribute) and not own

    @contextlib.contextmanager
    def session(
        self, context: SearchContext, data: FitData, checkpointer: Checkpointer
    ) -> Iterator[None]:
        with self.cluster.connected() as ray:
            self.count = self.cluster.count(ray)
            self.common = Identity.of(context, data, self.count)
            self.pool = _Pool(ray, self.cluster, lambda: WorkerSetup.of(context, data))
            try:
                yield
            finally:
                self.pool.close()

    def leases(self, job: RoundJob) -> WorkLeases:
        folder = job.checkpointer.folder.path
        return WorkLeases.of_round(folder, job.number, self.count, 0, self.identity(job))

    def train_shares(self, job: RoundJob) -> None:
        self.pool.open()
        _Dispatch(self.pool, job, self.leases(job)).run()


class _Dispatch:
    """Distributes the shares of one round among the workers of a pool."""

    def __init__(self, pool, job, leases):
        self.pool, self.job, self.leases, self.ray = pool, job, leases, pool.ray
        self.names = job.names
        generator = job.context.settings.generator
        # In a tuple; otherwise Ray would pass both with each call.
        self.before = self.ray.put(pack(job.checkpointer.folder)), self.ray.put(generator)
        full = range(min(leases.count, len(self.names)))
        self.waiting = collections.deque(s for s in full if not leases.is_done(s))
        self.headers, self.losses, self.tasks = {}, collections.Counter(), {}

    def run(self):
        while self.waiting or self.tasks:
            while self.waiting and self.pool.idle:
                self._begin(self.pool.idle.pop(), self.waiting.popleft())
            done, _ = self.ray.wait([*self.tasks, *self.pool.starting], num_returns=1)
            if done[0] in self.tasks:
                self._finish(done[0])
            else:
                self.pool.started(done[0])

    def _begin(self, worker, share):
        found = None if worker.share == share else self.leases.read(share)
        place = (share, self.leases.count, self.names, found)
        task = worker.actor.train.remote(self.before, self.job.number, *place, REPORT_SECONDS)
        worker.share, self.tasks[task] = share, worker

    def _finish(self, task):
        worker = self.tasks.pop(task)
        share = worker.share
        try:
            header, arrays, finished = self.ray.get(task)
        except self.ray.exceptions.RayActorError as error:
            self._lose(worker, error)
            return
        self.headers[share] = header
        if arrays is not None:
            self.losses[share] = 0
            self.leases.write(share, header, arrays)
        self._tell(share)
        if finished:
            self.leases.complete(share)
            worker.share = None
            self.pool.idle.append(worker)
        else:
            self._begin(worker, share)

    def _lose(self, worker, error):
        share = worker.share
        self.losses[share] += 1
        if self.losses[share] >= LOSSES:
            raise WorkersLostError(
                f"The workers that train {', '.join(self.names[share :: self.leases.count])} keep "
                f"crashing ({self.losses[share]} of them); they may be out of memory. Ray says: "
                f"{error}"
            ) from error
        self.pool.lost(worker)
        self.waiting.appendleft(share)

    def _tell(self, share):
        """Reports the progress of all shares to callbacks and the display."""
        count, total = self.leases.count, len(self.names)
        parts = {
            range(s, total, count): TrainingState.from_header(h) for s, h in self.headers.items()
        }
        steps = self.job.context.settings.steps
        whole = TrainingState.joined(parts, total, steps)
        own = parts[range(share, total, count)]
        self.job.hooks.call_begin(own.step)
        self.job.hooks.call_end(own.step, self.names[share::count], own.losses, own.losses)
        self.job.progress.update(whole, None)


class _Pool:
    """The workers that train, wait for work, or are starting.

    Args:
        ray: The connected module.
        cluster: The `distribute.Ray`.
        make_setup: Function that returns the `WorkerSetup`; called once, when the first worker
            starts.
    """

    def __init__(self, ray, cluster, make_setup):
        self.ray, self.cluster, self.make_setup = ray, cluster, make_setup
        self.starting, self.idle, self._all = {}, [], set()
        self._failed = 0
        self._given = None

    def open(self):
        """Starts the workers, on the first call only."""
        if self._given is None:
            self._given = self.ray.put(self.make_setup())
            for _ in range(self.cluster.count(self.ray)):
                self._start()

    def _start(self):
        actor = self.ray.remote(Worker).options(**self.cluster.options).remote()
        worker = _Handle(actor)
        self._all.add(worker)
        self.starting[actor.begin.remote(self._given)] = worker

    def started(self, task):
        """Adds a worker that has started to the idle ones, or replaces it."""
        worker = self.starting.pop(task)
        try:
            self.ray.get(task)
        except self.ray.exceptions.RayActorError as error:
            self._failed += 1
            if self._failed >= LOSSES:
                raise WorkersLostError(
                    f"{self._failed} workers in a row were lost while starting. Ray says: {error}"
                ) from error
            self.lost(worker)
        else:
            self._failed = 0
            self.idle.append(worker)

    def lost(self, worker):
        """Replaces a worker."""
        # A worker that Ray cannot reach at the moment would keep its resources.
        self.ray.kill(worker.actor)
        self._all.discard(worker)
        self._start()

    def close(self):
        """Ends all workers."""
        for worker in self._all:
            self.ray.kill(worker.actor)


@dataclasses.dataclass(eq=False)
class _Handle:
    """A worker and the share that it is training."""

    actor: Any
    share: int | None = None
