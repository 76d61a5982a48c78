"""A worker of a Ray cluster: its setup, and how it trains shares."""

import contextlib
import dataclasses
import pickle
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.adanet.checkpoints.files.manifest import is_name
from adaptive_nets.adanet.checkpoints.files.state_file import state_name, versions
from adaptive_nets.adanet.checkpoints.load import read_search
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.adanet.rounds.runner import RoundRunner
from adaptive_nets.data.preprocessing import Preprocessor
from adaptive_nets.distribute import import_ray
from adaptive_nets.serialization import differences


@dataclasses.dataclass(frozen=True)
class WorkerSetup:
    """The data and settings that a worker receives once, without the driver's paths or devices."""

    context: SearchContext
    data: FitData
    custom_objects: dict[str, bytes]
    dtype_policy: Any
    versions: dict[str, Any]

    @classmethod
    def of(cls, context: SearchContext, data: FitData) -> "WorkerSetup":
        """Creates the setup from a driver's context and data."""
        # Workers neither judge nor write.
        settings = dataclasses.replace(context.settings, evaluator=None, model_dir=None)
        stopping = settings.stopping is not None
        read = {
            "train": data.train.in_memory(),
            "valid": data.valid.in_memory() if stopping else None,
            "judged": None,
            "reported": None,
        }
        return cls(
            dataclasses.replace(context, settings=settings),
            dataclasses.replace(data, **read),
            _pack_objects(keras.saving.get_custom_objects()),
            keras.config.dtype_policy(),
            versions(),
        )


class Worker:
    """Trains shares in a process of the cluster. It keeps the current share in memory."""

    def begin(self, setup: WorkerSetup) -> None:
        """Receives what all rounds need.

        Raises:
            ValueError: This process has other versions than the driver.
        """
        _check_versions(setup.versions, versions())
        keras.config.set_dtype_policy(setup.dtype_policy)
        keras.saving.get_custom_objects().update(_unpack_objects(setup.custom_objects))
        self.context, self.data = setup.context, setup.data
        self.number, self.share = 0, None

    def train(
        self, before: tuple[Any, Any], number: int, share: int, count: int, names: Sequence[str],
        found: tuple[dict, list] | None, seconds: float,
    ) -> tuple[dict, list[np.ndarray] | None, bool]:  # fmt: skip
        """Trains a share a little further.

        Args:
            before: References to the state before the round with the files that it names, and to
                the generator. They are fetched once per round.
            number: The round, from 1.
            share: Number of the share.
            count: Number of shares.
            names: Names of the round's builders.
            found: The share's last checkpoint, or `None`. Only read if this worker does not hold
                the share already.
            seconds: Approximate time to train for.

        Returns:
            A tuple of the training state, of all variables (or `None` if neither a checkpoint is
            due nor the share is done), and of whether the share is done.
        """
        if self.number != number:
            self._begin_round(*import_ray().get(list(before)), number, names)
        if self.share != share:
            own = self.builders[share::count]
            kept = self.state.members().values()
            self.round = self.runner.set_up(
                own, number, self.state.ensemble, kept, rate_factor=self.state.rate_factor
            )
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
        due = time.monotonic() - self.saved >= self.context.settings.checkpoint_seconds
        arrays = None
        if due or self.round.done:
            arrays, self.saved = self.round.state(), time.monotonic()
        return self.round.header(), arrays, self.round.done

    def _begin_round(self, files, generator, number, names):
        with tempfile.TemporaryDirectory(prefix="adaptive_nets_") as path:
            unpack(files, path)
            folder = ModelDirReader(path)
            stored = read_search(folder.read_state(), folder)
        self.state = stored.state
        if not self.number:
            preprocessor = Preprocessor(stored.preprocessing)
            self.context = dataclasses.replace(self.context, preprocessor=preprocessor)
            self.runner = RoundRunner(self.context, self.data)
        self.builders = propose_builders(generator, self.state.ensemble, number, self.state.reports)
        if [b.name for b in self.builders] != list(names):
            raise ValueError(
                f"Generator {type(generator).__name__} proposes {[b.name for b in self.builders]} "
                f"on a worker and {list(names)} on the driver. Its proposals must depend only on "
                "its arguments."
            )
        self.number, self.share = number, None


def _check_versions(driver, own):
    packages = ("adaptive_nets", "keras", "tensorflow")
    found = differences(
        *({name: each[name] for name in packages} for each in (driver, own)),
        words=("the driver has", "this worker has"),
    )
    if found:
        raise ValueError(
            f"A worker of the Ray cluster cannot train for the driver: {'; '.join(found)}. Install "
            "the same versions on all machines of the cluster."
        )


def _pack_objects(objects):
    """Pickles registered objects one by one, so that one that cannot be pickled fails nothing.

    A process may have registered much that a search does not need; what it does need and a worker
    lacks, Keras names when it loads a model.
    """
    packed = {}
    for name, thing in objects.items():
        with contextlib.suppress(pickle.PicklingError, TypeError, AttributeError):
            packed[name] = import_ray().cloudpickle.dumps(thing)
    return packed


def _unpack_objects(packed):
    """Those of the objects that this process can import."""
    found = {}
    for name, content in packed.items():
        with contextlib.suppress(ImportError, AttributeError):
            found[name] = pickle.loads(content)
    return found


def pack(folder: ModelDirReader) -> dict[str, bytes]:
    """Reads the newest whole state and all files that it names."""
    state = folder.read_state()
    names = [state_name(state["number"]), *state["files"]]
    return {name: Path(folder.path, name).read_bytes() for name in names}


def unpack(files: dict[str, bytes], path: str) -> None:
    """Writes the files that `pack` has read.

    Raises:
        ValueError: A name is none that a search gives to a file.
    """
    for name, content in files.items():
        if not is_name(name):
            raise ValueError(f"{name!r} is not the name of a search's file.")
        written = Path(path, name)
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_bytes(content)
