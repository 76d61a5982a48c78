"""Rounds whose candidates are trained by the workers of a Ray cluster, each its share."""

import collections
import dataclasses
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.adanet.loop import SearchLoop, TimeBudget
from adaptive_nets.adanet.monitoring.progress import make_progress
from adaptive_nets.adanet.placement.leases import WorkLeases
from adaptive_nets.adanet.placement.round_robin import RoundRobinPlacement
from adaptive_nets.adanet.rounds.training_state import TrainingState
from adaptive_nets.distribute import WorkersLostError, import_ray

# How often a worker says how far it is.
REPORT_SECONDS = 1.0

# A share that has cost so many workers in a row, without a checkpoint between, costs no more.
LOSSES = 4


@dataclasses.dataclass
class WorkerSetup:
    """What a worker is given once: data and settings, none of the driver's paths or devices."""

    settings: dict
    inputs: FitData
    custom_objects: dict
    dtype_policy: Any


class Worker:
    """Trains shares in a process of the cluster; it keeps the one that it is at."""

    def begin(self, parcel: WorkerSetup) -> None:
        """Takes what all rounds need."""
        # Imported here: `search` stands above this module.
        from adaptive_nets.adanet.search import AdaNet

        keras.config.set_dtype_policy(parcel.dtype_policy)
        keras.saving.get_custom_objects().update(parcel.custom_objects)
        self.inputs, self.search = parcel.inputs, AdaNet(**parcel.settings)
        self.number, self.share = 0, None

    def train(
        self, before: tuple[Any, Any], number: int, share: int, count: int, names: Sequence[str],
        found: tuple[dict, list] | None, seconds: float,
    ) -> tuple[dict, list[np.ndarray] | None, bool]:  # fmt: skip
        """Trains a share a little further.

        Args:
            before: References to the state before the round with the files that it names, and to
                the generator. They are fetched once a round.
            number: The round.
            share: Which share of it.
            count: How many there are.
            names: Those of the round's builders.
            found: Its last checkpoint, or `None`; read where this worker is not at the share.
            seconds: For how long, about.

        Returns:
            The state of training; with all variables, where a checkpoint is due or the share is
            done, or `None`; and whether it is done.
        """
        if self.number != number:
            self._begin_round(*import_ray().get(list(before)), number, names)
        if self.share != share:
            own = self.builders[share::count]
            self.round = self.run._open(own, number, self.search.record.ensemble)
            if found is not None:
                # Ray's arrays are read-only.
                self.round.restore(found[0], [np.array(a) for a in found[1]])
            self.round.compile()
            self.share, self.saved = share, time.monotonic()
        until = time.monotonic() + seconds
        while not self.round.done:
            self.round.advance()
            if time.monotonic() >= until:
                break
        due = time.monotonic() - self.saved >= self.search.checkpoint_seconds
        arrays = None
        if due or self.round.done:
            arrays, self.saved = self.round.state(), time.monotonic()
        return self.round.header(), arrays, self.round.done

    def _begin_round(self, files, generator, number, names):
        search = self.search
        with tempfile.TemporaryDirectory(prefix="adaptive_nets_") as path:
            _unpack(files, path)
            folder = ModelDir(path)
            search._restore(folder.read_state(), folder)
        if not self.number:
            quiet = (keras.callbacks.CallbackList(), make_progress(0))
            self.run = SearchLoop(search, self.inputs, None, TimeBudget(None), *quiet)
        search.generator = generator
        self.builders = propose_builders(
            generator, search.record.ensemble, number, search.record.reports
        )
        if [b.name for b in self.builders] != list(names):
            raise ValueError(
                f"Generator {type(generator).__name__} proposes {[b.name for b in self.builders]} "
                f"on a worker and {list(names)} on the driver. What it proposes must depend on "
                "its arguments only."
            )
        self.number, self.share = number, None


class RayPlacement(RoundRobinPlacement):
    """One call of `fit` in the driver, which trains nothing itself.

    Shares go to workers, their checkpoints come back into `model_dir`. A lost worker is
    replaced; meanwhile the others train its share, from the last checkpoint.
    """

    def run(self, other_data: bool = False) -> None:
        with self.search.ray.connected() as ray:
            self.ray, self.pool = ray, _Pool(ray, self.search.ray, self._parcel)
            self.count = self.search.ray.count(ray)
            try:
                super().run(other_data)
            finally:
                self.pool.close()

    def _parcel(self):
        search = self.search
        own = {"model_dir": None, "placement": "replicated", "seed": search.used_seed}
        # Workers judge nothing.
        unread = dict.fromkeys(("valid", "judged", "reported"))
        inputs = dataclasses.replace(self.inputs, train=_in_memory(self.inputs.train), **unread)
        return WorkerSetup(
            {**search._settings, **own, "head": search.head, "generator": None, "evaluator": None},
            inputs,
            dict(keras.saving.get_custom_objects()),
            keras.config.dtype_policy(),
        )

    def _train_shares(
        self, number: int, builders: Sequence[Builder], over: Callable[[], bool]
    ) -> None:
        shares, ray = self._shares(number), self.ray
        names = [b.name for b in builders]
        # Within a tuple, or Ray would hand both over with each call.
        before = ray.put(_pack(self.folder)), ray.put(self.search.generator)
        self.pool.open()
        full = range(min(shares.count, len(builders)))
        waiting = collections.deque(share for share in full if not shares.is_done(share))
        headers, losses, tasks = {}, collections.Counter(), {}

        def begin(worker, share):
            found = None if worker.share == share else shares.read(share)
            place = (share, shares.count, names, found)
            task = worker.actor.train.remote(before, number, *place, REPORT_SECONDS)
            worker.share, tasks[task] = share, worker

        while waiting or tasks:
            while waiting and self.pool.idle:
                begin(self.pool.idle.pop(), waiting.popleft())
            watched = [*tasks, *self.pool.starting]
            done, _ = ray.wait(watched, num_returns=1)
            if done[0] not in tasks:
                self.pool.started(done[0])
                continue
            worker = tasks.pop(done[0])
            share = worker.share
            try:
                header, arrays, finished = ray.get(done[0])
            except ray.exceptions.RayActorError as error:
                losses[share] += 1
                if losses[share] >= LOSSES:
                    raise WorkersLostError(
                        f"The workers that train {', '.join(names[share :: shares.count])} are "
                        f"lost again and again ({losses[share]} of them); it may be that their "
                        f"memory does not suffice. Ray says: {error}"
                    ) from error
                self.pool.lost(worker)
                waiting.appendleft(share)
                continue
            headers[share] = header
            if arrays is not None:
                losses[share] = 0
                shares.write(share, header, arrays)
            self._say(share, names, shares.count, headers)
            if finished:
                shares.finish(share)
                worker.share = None
                self.pool.idle.append(worker)
            else:
                begin(worker, share)

    def _say(self, share, names, count, headers):
        """Callbacks and the display, of how far all shares are."""
        parts = {
            range(s, len(names), count): TrainingState.from_header(h) for s, h in headers.items()
        }
        whole = TrainingState.joined(parts, len(names), self.search.steps_per_iteration)
        own = parts[range(share, len(names), count)]
        logs = dict(zip(names[share::count], own.losses, strict=True))
        logs["loss"] = float(np.nanmean(own.losses))
        self._hook("on_train_batch_begin", own.step)
        self._hook("on_train_batch_end", own.step - 1, logs=logs)
        self.progress.update(whole, None)

    def _shares(self, number):
        return WorkLeases.of_round(self.folder.path, number, self.count, 0)


class _Pool:
    """The workers: those that train, those that wait for work, those that start.

    Args:
        ray: The connected module.
        cluster: The `distribute.Ray`.
        parcel: Gives what each worker begins with; asked once, when the first one starts.
    """

    def __init__(self, ray, cluster, parcel):
        self.ray, self.cluster, self.parcel = ray, cluster, parcel
        self.starting, self.idle, self._all = {}, [], set()
        self._failed = 0
        self._given = None

    def open(self):
        """Starts the workers, the first time."""
        if self._given is None:
            self._given = self.ray.put(self.parcel())
            for _ in range(self.cluster.count(self.ray)):
                self._start()

    def _start(self):
        actor = self.ray.remote(Worker).options(**self.cluster.options).remote()
        worker = _Handle(actor)
        self._all.add(worker)
        self.starting[actor.begin.remote(self._given)] = worker

    def started(self, task):
        worker = self.starting.pop(task)
        try:
            self.ray.get(task)
        except self.ray.exceptions.RayActorError as error:
            self._failed += 1
            if self._failed >= LOSSES:
                raise WorkersLostError(
                    f"{self._failed} workers in a row were lost before they had begun. Ray says: "
                    f"{error}"
                ) from error
            self.lost(worker)
        else:
            self._failed = 0
            self.idle.append(worker)

    def lost(self, worker):
        # One that Ray cannot reach for now would keep its place.
        self.ray.kill(worker.actor)
        self._all.discard(worker)
        self._start()

    def close(self):
        for worker in self._all:
            self.ray.kill(worker.actor)


@dataclasses.dataclass(eq=False)
class _Handle:
    """A worker and the share that it is at."""

    actor: Any
    share: int | None = None


def _in_memory(rows):
    """Rows without memory maps, whose files are this machine's."""
    x = keras.tree.map_structure(np.asarray, rows.x)
    return dataclasses.replace(rows, x=x, y=np.asarray(rows.y))


def _pack(folder):
    """The newest state and all files that it names."""
    names = [f"state-{folder.newest:06d}.json", *folder.named(folder.read_state())]
    return {name: Path(folder.path, name).read_bytes() for name in names}


def _unpack(files, path):
    """Writes what `_pack` has read."""
    for name, content in files.items():
        written = Path(path, name)
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_bytes(content)
