"""`Record`: what a fit keeps of its data and of the rows held out, for a report."""

import base64
import dataclasses
import datetime
import time
import zlib
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets.automl.judging.board import Board
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.reporting.observe import observe
from adaptive_nets.automl.targets import Classes, Target
from adaptive_nets.data.schema import Schema
from adaptive_nets.report.content.environment import versions

# Rows whose labels and outputs are kept, and those whose features are, in this process only.
MOST_ROWS, MOST_FEATURES = 5000, 1000
_ARRAYS = ("y", "outputs", "weights", "baseline_outputs", "chosen", "baseline_chosen")


@dataclasses.dataclass(frozen=True)
class Held:
    """Labels and outputs of rows that were held out.

    Args:
        y: `[rows]` positions of classes, or `[rows]` or `[rows, targets]` numbers.
        outputs: Probabilities `[rows, classes]`, numbers, or quantiles `[rows, levels]`.
        weights: `[rows]` weights, or `None`.
        baseline: Name of the best baseline, or `None`.
        baseline_outputs: Its outputs, or `None`.
        chosen: `[rows]` positions of predicted classes, or `None`.
        baseline_chosen: The same of the baseline.
        table: Features of some of the rows, the first ones, or `None`. They are not saved.
    """

    y: np.ndarray
    outputs: np.ndarray
    weights: np.ndarray | None = None
    baseline: str | None = None
    baseline_outputs: np.ndarray | None = None
    chosen: np.ndarray | None = None
    baseline_chosen: np.ndarray | None = None
    table: pd.DataFrame | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns all but the features as JSON values."""
        found = {name: _packed(getattr(self, name)) for name in _ARRAYS}
        return {**found, "baseline": self.baseline}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Held":
        """Returns what `to_dict` has described."""
        arrays = {name: _unpacked(values.get(name)) for name in _ARRAYS}
        return cls(baseline=values["baseline"], **arrays)


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of a fit beside its model.

    Args:
        facts: JSON values: numbers of rows, the target's distribution, warnings, drift, the seed,
            versions, times; see `Recorder`.
        held: Rows that were held out, or `None`.
    """

    facts: dict[str, Any]
    held: Held | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON values."""
        return {"facts": self.facts, "held": self.held and self.held.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any] | None) -> "Record | None":
        """Returns what `to_dict` has described; `None` stays `None`."""
        if values is None:
            return None
        held = values["held"]
        return cls(dict(values["facts"]), None if held is None else Held.from_dict(held))


class Recorder:
    """Collects a `Record` while a fit runs.

    Args:
        seed: The seed of the fit.
    """

    def __init__(self, seed: int):
        self._last = time.monotonic()
        self._phases: dict[str, float] = {}
        began = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.facts: dict[str, Any] = {"seed": int(seed), "began": began, "versions": versions()}

    def mark(self, phase: str) -> None:
        """Counts the time since the last call to a phase."""
        now = time.monotonic()
        self._phases[phase] = self._phases.get(phase, 0.0) + now - self._last
        self._last = now

    def see(
        self,
        schema: Schema,
        train: Labelled,
        held: Labelled | None,
        target: Target,
        warned: list[str],
    ) -> None:
        """Looks at the data.

        Args:
            schema: How the table is read.
            train: Rows to train on.
            held: Rows that are held out, or `None`.
            target: The target.
            warned: Warnings of leaks.
        """
        self.facts |= observe(schema, train, held, target)
        self.facts["warnings"] = list(warned)

    def end(self, board: Board, judged: Any) -> Record:
        """Returns the record.

        Args:
            board: The leaderboard, with the rows held out.
            judged: What the served model predicts for them, as `outputs` and `chosen`.
        """
        self.mark("choice, calibration")
        self.facts["phases"] = self._phases
        held = None
        if judged.outputs is not None and board.held is not None:
            held = held_of(board, judged)
        return Record(self.facts, held)


def held_of(board: Board, judged: Any) -> Held:
    """Returns what is kept of rows that were held out.

    Args:
        board: The leaderboard, with these rows.
        judged: What the served model predicts for them, as `outputs` and `chosen`.
    """
    held, target = board.held, board.target
    rows = np.random.default_rng(0).permutation(len(held.x))[:MOST_ROWS]
    y = target.codes(held.y) if isinstance(target, Classes) else np.asarray(held.y, "float64")
    best, values = None, None
    for each in board.baselines:
        if each.outputs is not None and (best is None or board.is_better(each.outputs, values)):
            best, values = each.name, each.outputs
    own = None
    if values is not None:
        own = board.predicted(values)
        own = board.rule.chosen(values) if own is None and board.rule is not None else own
    return Held(
        y[rows],
        np.asarray(judged.outputs)[rows],
        None if held.w is None else held.w[rows],
        best,
        None if values is None else np.asarray(values)[rows],
        None if judged.chosen is None else judged.chosen[rows],
        None if own is None else own[rows],
        held.x.iloc[rows[:MOST_FEATURES]],
    )


def _packed(array):
    """Returns an array as JSON values: its bytes, compressed, in base 64."""
    if array is None:
        return None
    whole = array.dtype.kind in "iu"
    plain = np.ascontiguousarray(array, "<i8" if whole else "<f8")
    text = base64.b64encode(zlib.compress(plain.tobytes(), 6)).decode("ascii")
    return {"dtype": plain.dtype.str, "shape": list(plain.shape), "bytes": text}


def _unpacked(values):
    if values is None:
        return None
    if values["dtype"] not in ("<i8", "<f8"):
        raise ValueError("holds an array of an unknown dtype")
    count = int(np.prod(values["shape"]))
    if not 0 <= count <= MOST_ROWS * 100_000:
        raise ValueError("holds an array of an impossible shape")
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(base64.b64decode(values["bytes"], validate=True), 8 * count + 1)
    return np.frombuffer(raw, values["dtype"]).reshape(values["shape"])
