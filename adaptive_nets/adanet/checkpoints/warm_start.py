"""`WarmStart`: weights of another search's members, which new subnetworks begin with."""

import dataclasses
import os
import re
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from absl import logging

from adaptive_nets.adanet.checkpoints.changes import changes_of
from adaptive_nets.adanet.checkpoints.load import open_folder
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.checkpoints.writer_lease import HoldsLease
from adaptive_nets.adanet.context import configuration_of
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.settings import SearchSettings

_NUMBERED = re.compile(r"_\d+\Z")


@dataclasses.dataclass(frozen=True)
class WarmStart:
    """The weights of the members of a search by path, for subnetworks of the same names.

    A subnetwork takes each weight whose path and shape it has too. Its optimizer, and the mixture
    weights, begin again.

    Args:
        source: Which search and state they are of.
        weights: Arrays by path by name of the member.
        taken: Paths that subnetworks have taken, by name. Defaults to `{}`; it is filled.
        left: What they have not taken, and why, by name. Defaults to `{}`; it is filled.
    """

    source: dict[str, Any]
    weights: dict[str, dict[str, np.ndarray]]
    taken: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    left: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, model_dir: str | os.PathLike) -> "WarmStart":
        """Reads the members of the newest whole state in a folder.

        Args:
            model_dir: The folder of the other search.

        Raises:
            ValueError: It holds no search, or one without a member.
        """
        folder = open_folder(model_dir)
        state = folder.read_state()
        if state is None or not state["members"]:
            raise ValueError(
                f"There is no search to start from in '{model_dir}': expected the model_dir of one "
                "that has trained a subnetwork."
            )
        weights = {
            name: dict(
                zip(
                    paths_of(model := folder.load_model(member["file"], state)),
                    model.get_weights(),
                    strict=True,
                )
            )
            for name, member in state["members"].items()
        }
        return cls({"search": state.get("search", ""), "number": state["number"]}, weights)

    def apply(self, members: Iterable[Member]) -> None:
        """Gives subnetworks of a new round the weights of those of the same names.

        Args:
            members: The subnetworks.
        """
        for member in members:
            given = self.weights.get(member.name)
            if given is None:
                names = ", ".join(self.weights)
                self.left[member.name] = {"": f"the other search has no such member ({names})"}
                self.taken[member.name] = []
                self._tell(member.name)
                continue
            taken, left, own = [], {}, set()
            for path, weight in zip(paths_of(member.model), member.model.weights, strict=True):
                own.add(path)
                value = given.get(path)
                if value is None:
                    left[path] = "the other member has no such weight"
                elif tuple(value.shape) != tuple(weight.shape):
                    shapes = f"shape {tuple(value.shape)}, here {tuple(weight.shape)}"
                    left[path] = f"another {shapes}"
                elif value.dtype.kind == "f":
                    weight.assign(value)
                    taken.append(path)
            left |= {path: "no such weight here" for path in given if path not in own}
            self.taken[member.name], self.left[member.name] = taken, left
            self._tell(member.name)

    def to_json(self) -> dict[str, Any]:
        """Returns what has been taken and what not, for the state."""
        return {**self.source, "taken": dict(self.taken), "left": dict(self.left)}

    def _tell(self, name):
        left = "; ".join(f"{path or name}: {why}" for path, why in self.left[name].items())
        logging.info(
            "Subnetwork %s begins with weights of another search: %s. Not taken: %s.", name,
            ", ".join(self.taken[name]) or "none", left or "nothing",
        )  # fmt: skip


def start_warm(
    source: str | os.PathLike, settings: SearchSettings, holder: HoldsLease | None
) -> WarmStart | None:
    """Starts a new search from another one.

    If the other one can go on with the settings of the new one, its ensemble and steps are copied.
    Otherwise new subnetworks begin with the weights of its subnetworks of the same names.

    Args:
        source: Folder of the other search.
        settings: Settings of the search, which has trained nothing yet, or goes on.
        holder: What holds the lease of the search's folder, or `None` in a process that does not
            write there.

    Returns:
        The weights that new subnetworks begin with, or `None`.

    Raises:
        ValueError: `source` holds no search, or another one than that which this began with.
    """
    folder = ModelDirReader(settings.model_dir)
    stored = folder.read_state() if folder.has_state() else None
    if stored is None and _goes_on(source, settings):
        if holder is not None:
            new = ModelDir(settings.model_dir)
            with holder.writing() as new.lease:
                new.begin_from(source)
        return None
    if stored is not None and "warm_start" not in stored:
        return None
    found = WarmStart.read(source)
    if stored is not None:
        known = stored["warm_start"]
        if any(known.get(key) != value for key, value in found.source.items()):
            raise ValueError(
                f"model_dir '{settings.model_dir}' holds a search that began with the weights of "
                f"another state than the newest one of warm_start_from='{source}'. Restore that "
                "folder, or leave out warm_start_from: later rounds then begin with new weights."
            )
        found.taken.update(known.get("taken", {}))
        found.left.update(known.get("left", {}))
    return found


def _goes_on(source, settings):
    """Returns whether another search can go on with the settings of this one."""
    folder = ModelDirReader(source)
    state = folder.read_state() if folder.has_state() else None
    if state is None:
        raise ValueError(f"There is no search to start from in '{source}'.")
    record = state["record"]
    if record["ensemble"] is None or record["iteration"] >= settings.rounds:
        logging.info("Only weights are taken from '%s', whose rounds are all done.", source)
        return False
    begun = {k: v for k, v in configuration_of(state).items() if k not in ("fit", "seed")}
    given = {k: v for k, v in settings.to_json().items() if k in begun}
    # "auto" stays what it has been, and an evaluator is passed later.
    same = {k: v for k, v in begun.items() if k == "evaluator" or given.get(k) == "auto"}
    try:
        changes_of(begun, given | same, record["iteration"], f"'{source}'")
    except ValueError as error:
        logging.info("Only weights are taken from '%s': %s", source, error)
        return False
    logging.info("Training goes on from the ensemble of '%s'.", source)
    return True


def paths_of(model: keras.Model) -> list[str]:
    """Returns paths of a model's weights that do not depend on how many models were made before.

    Layers that Keras has named are numbered in the order of the weights.

    Args:
        model: The model.
    """
    seen: dict[tuple[str, str], dict[str, int]] = {}
    found = []
    for weight in model.weights:
        above = ""
        for part in weight.path.split("/"):
            base = _NUMBERED.sub("", part)
            numbers = seen.setdefault((above, base), {})
            number = numbers.setdefault(part, len(numbers))
            above = f"{above}/{base}_{number}" if number else f"{above}/{base}"
        found.append(above[1:])
    return found
