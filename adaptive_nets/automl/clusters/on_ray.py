"""`FitsOnRay`: the estimators' fit by processes of Ray, each with its share of the rows."""

import contextlib
import dataclasses
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from adaptive_nets._checks import show
from adaptive_nets.automl import files
from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.settings import Settings
from adaptive_nets.data.tables.collected import collect, is_ray
from adaptive_nets.data.tables.files import is_paths
from adaptive_nets.data.tables.opening import open_shared
from adaptive_nets.distribute import Ray, WorkersLostError, make_strategy

# A fit has at least so many seconds of its limit left when its processes have met.
_LEAST_SECONDS = 0.1


class Process:
    """One of the processes that fit an estimator. It stands in `TF_CONFIG` as any other."""

    def address(self) -> str:
        """Returns where the others find it, and gets ready to meet them."""
        import tensorflow  # noqa: F401 - its import takes seconds, and the others would wait
        from ray.util import get_node_ip_address

        host = get_node_ip_address()
        with socket.create_server((host, 0)) as server:
            return f"{host}:{server.getsockname()[1]}"

    def meet(self, addresses: list[str], rank: int) -> None:
        """Meets the others, before anything is received that makes TensorFlow run.

        Args:
            addresses: Those of all processes.
            rank: Number of this one.
        """
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        os.environ["TF_CONFIG"] = json.dumps(task)
        make_strategy("multi_worker")

    def fit(
        self, estimator: Any, given: Any, place: tuple[int, int] | None, arguments: dict[str, Any]
    ) -> dict[str, bytes]:
        """Fits an estimator together with the others.

        Args:
            estimator: The estimator.
            given: This process's share of a `ray.data.Dataset`, or paths of all files.
            place: Number of the dataset's rows before the share, and of all; `None` for files.
            arguments: The other arguments of `fit`.

        Returns:
            The files of the fitted estimator, by name.
        """
        if place is not None:
            given = dataclasses.replace(collect(given, place[0]), start=place[0], total=place[1])
        estimator.fit(given, **arguments)
        with tempfile.TemporaryDirectory(prefix="adaptive_nets_") as path:
            saved = Path(estimator.save(os.path.join(path, "model")))
            return {each.name: each.read_bytes() for each in saved.iterdir()}


class FitsOnRay:
    """An estimator that processes of a Ray cluster fit together."""

    placement: Any
    distribute: Any
    folds: Any
    _own_metric: str

    def _cluster(self) -> Ray | None:
        """Returns the Ray cluster to fit on, or `None`.

        Raises:
            ValueError: `placement` is something else.
        """
        if isinstance(self.placement, str) and self.placement == "replicated":
            return None
        named = isinstance(self.placement, str) and self.placement == "ray"
        if not named and not isinstance(self.placement, Ray):
            raise ValueError(
                "placement must be 'replicated', 'ray' or a distribute.Ray. Received: "
                f"placement={show(self.placement)}."
            )
        if self.distribute is not None:
            raise ValueError(
                "The processes of a Ray cluster make a strategy of their own. Leave out distribute "
                f"or placement. Received: distribute={show(self.distribute)}."
            )
        return Ray() if named else self.placement

    def _fit_on_ray(
        self, cluster: Ray, given: Any, y: Any, weights: Any, validation_data: Any, groups: Any,
        time_: Any, gap: Any, callbacks: Any,
    ) -> Self:  # fmt: skip
        """Fits on a cluster, and takes over the model.

        Args:
            cluster: The cluster.
            given: What was passed to `fit` for `X`.
            y: As for `fit`, and so are all others.
            weights: The weights of rows.
            validation_data: Rows to hold out.
            groups: By which rows are held out.
            time_: By which rows are held out.
            gap: Time before those.
            callbacks: There must be none.

        Raises:
            ValueError: The rows cannot be shared, or the processes refuse an argument.
            distribute.WorkersLostError: A process was lost.
        """
        began = time.monotonic()
        if callbacks:
            raise ValueError(
                "Callbacks are not called where the processes of a Ray cluster fit. Leave "
                "callbacks out, or fit without placement."
            )
        settings = Settings.of(self, self._own_metric)
        Division(groups, time_, gap).check(validation_data, settings, self.folds)
        arguments = {
            "y": y, "sample_weight": weights, "validation_data": validation_data,
            "groups": groups, "time": time_, "gap": gap,
        }  # fmt: skip
        if not is_ray(given):
            open_shared(given)  # Says what is wrong before processes are started.
        with cluster.connected() as ray:
            # Before the processes take the CPUs that a dataset is read with.
            shares, places = _shares(given, cluster.count(ray))
            with _processes(ray, cluster) as actors:
                estimator = self._sent(settings, began)
                calls = [
                    actor.fit.remote(estimator, share, place, arguments)
                    for actor, share, place in zip(actors, shares, places, strict=True)
                ]
                found = _result(ray, calls)[0]
        if settings.model_dir is not None and _is_saved(settings.model_dir, found):
            fitted, about = files.read(settings.model_dir)
            return self.adopt(fitted, about["features"])
        with tempfile.TemporaryDirectory(prefix="adaptive_nets_") as path:
            for name, content in found.items():
                Path(path, os.path.basename(name)).write_bytes(content)
            fitted, about = files.read(path)
        return self.adopt(fitted, about["features"])

    def _sent(self, settings, began):
        """Returns an estimator of the same arguments for the processes."""
        arguments = self.get_params(deep=False)
        arguments |= {"placement": "replicated", "distribute": "multi_worker"}
        arguments |= {"seed": settings.seed, "model_dir": settings.model_dir}
        if settings.seconds != float("inf"):
            left = settings.seconds - (time.monotonic() - began)
            arguments["time_limit"] = max(_LEAST_SECONDS, left)
        return type(self)(**arguments)


def _is_saved(model_dir, found):
    """Returns whether a folder holds what the processes have found, as one that all share does."""
    saved = files.saved_folder(model_dir)
    known = [(name, content) for name, content in found.items() if name.endswith(".json")]
    return saved is not None and all((saved / n).read_bytes() == each for n, each in known)


@contextlib.contextmanager
def _processes(ray: Any, cluster: Ray) -> Iterator[list[Any]]:
    """Starts the processes of a cluster, which have met, and ends them."""
    make = ray.remote(Process).options(**cluster.options)
    actors = [make.remote() for _ in range(cluster.count(ray))]
    try:
        addresses = _result(ray, [actor.address.remote() for actor in actors])
        _result(ray, [each.meet.remote(addresses, rank) for rank, each in enumerate(actors)])
        yield actors
    finally:
        for actor in actors:
            ray.kill(actor)


def _shares(given: Any, count: int) -> tuple[list[Any], list[tuple[int, int] | None]]:
    """Returns each process's share of a dataset, and its place; or files as they were passed."""
    if is_paths(given):
        return [given] * count, [None] * count
    whole = given.materialize()
    rows = whole.count()
    if rows < count:
        raise ValueError(
            f"A ray.data.Dataset that {count} processes share must have at least {count} rows. "
            f"Received: {rows} rows."
        )
    bounds = [rank * rows // count for rank in range(count)]
    return whole.split_at_indices(bounds[1:]), [(first, rows) for first in bounds]


def _result(ray: Any, calls: list[Any]) -> list[Any]:
    """Returns what all calls return, or raises what the first one that fails has failed with."""
    waiting, found = list(calls), {}
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1)
        try:
            found[done[0]] = ray.get(done[0])
        except ray.exceptions.RayActorError as error:
            raise WorkersLostError(
                f"A process of the Ray cluster was lost. Call fit again. Ray says: {error}"
            ) from error
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, Exception):
                raise cause from error
            raise
    return [found[call] for call in calls]
