"""Saved estimators: a folder with the model and what is known of it, written whole."""

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets._checks import check_path, show
from adaptive_nets.adanet import AdaNet
from adaptive_nets.adanet.checkpoints.files.sealed_json import (
    NotWholeError,
    check_seal,
    parse,
    seal,
)
from adaptive_nets.automl.deciding.decision import Decision
from adaptive_nets.automl.fitted import Fitted
from adaptive_nets.automl.judging.board import as_board
from adaptive_nets.automl.judging.class_sets import ClassSets
from adaptive_nets.automl.judging.group_scores import GroupScores
from adaptive_nets.automl.judging.intervals import Intervals
from adaptive_nets.automl.judging.quantile_intervals import QuantileIntervals
from adaptive_nets.automl.judging.temperature import Temperature
from adaptive_nets.automl.losses.restore import restore_target
from adaptive_nets.automl.losses.unit import serving_head
from adaptive_nets.automl.refitting.choice import Choice
from adaptive_nets.automl.reporting.record import Record
from adaptive_nets.automl.settings import SEARCH_FOLDER
from adaptive_nets.data.schema import Schema
from adaptive_nets.files.atomic import temporary_folder
from adaptive_nets.files.models import load_model

# The folder within a model_dir, and the files in it.
MODEL_FOLDER = "model"
_KNOWN, _MODEL = "automl.json", "model.keras"
_KEYS = {"kind", "target", "schema", "board", "stop_reason", "features", "arguments", "sha256"}


def saved_folder(path: str | os.PathLike) -> Path | None:
    """Returns the folder of a saved estimator: the path itself or one within it; else `None`.

    Args:
        path: A folder that `save` has written, or a `model_dir`.
    """
    for folder in (Path(path), Path(path, MODEL_FOLDER)):
        if (folder / _KNOWN).is_file():
            return folder
    return None


def write(folder: str | os.PathLike, fitted: Fitted, about: dict[str, Any]) -> str:
    """Writes a folder with a fitted model. One that was saved before is replaced.

    Args:
        folder: The folder.
        fitted: The model.
        about: JSON values that `read` gives back: `kind`, `features`, `arguments`.

    Raises:
        OSError: The path holds something else, or cannot be written.
    """
    path = Path(check_path("path", folder))
    if path.exists() and not (path.is_dir() and (not any(path.iterdir()) or _is_saved(path))):
        raise OSError(
            f"Cannot save to '{path}': it exists and is not a saved estimator. Choose another path."
        )
    values = {
        **about,
        "target": fitted.target.to_dict(),
        "schema": fitted.schema.to_dict(),
        "board": {
            "columns": list(fitted.board.columns),
            "data": fitted.board.astype(object).where(fitted.board.notna(), None).values.tolist(),
        },
        "stop_reason": fitted.stop_reason,
        "intervals": fitted.intervals and fitted.intervals.to_dict(),
        "temperature": fitted.temperature and fitted.temperature.to_dict(),
        "decision": fitted.decision and fitted.decision.to_dict(),
        "groups": fitted.groups and fitted.groups.to_dict(),
        "record": fitted.record and fitted.record.to_dict(),
        "choice": fitted.choice and fitted.choice.to_dict(),
    }
    with temporary_folder(path.parent) as made:
        written = made / "written"
        written.mkdir()
        fitted.model.save(written / _MODEL)
        (written / _KNOWN).write_bytes(seal(values))
        if path.exists():
            os.rename(path, made / "replaced")
        os.rename(written, path)
    return str(path)


def read(path: str | os.PathLike) -> tuple[Fitted, dict[str, Any]]:
    """Reads what `write` has written.

    Args:
        path: A folder that `save` has written, or a `model_dir`.

    Returns:
        The model and the other values.

    Raises:
        ValueError: There is no such folder, or it is damaged.
    """
    given = check_path("path", path)
    folder = saved_folder(given)
    if folder is None:
        raise ValueError(
            "path must be a folder that AutoClassifier.save or AutoRegressor.save has written, or "
            f"the model_dir of a fit that has ended. Received: path={show(given)}."
        )
    try:
        text = (folder / _KNOWN).read_bytes()
        check_seal(text)
        values = parse(text)
        if not values.keys() >= _KEYS:
            raise NotWholeError("lacks a part")
        target, schema = restore_target(values["target"]), Schema.from_dict(values["schema"])
        board = as_board(pd.DataFrame(**values["board"]))
        # Folders that were written before have none.
        intervals = _intervals(values.get("intervals"))
        heat = values.get("temperature")
        temperature = None if heat is None else Temperature(**heat)
        record = Record.from_dict(values.get("record"))
        classes = getattr(target, "labels", np.array([])).tolist()
        decision = Decision.from_dict(values.get("decision"), classes)
        groups = GroupScores.from_dict(values.get("groups"))
        choice = Choice.from_dict(values.get("choice"))
    except (NotWholeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"'{folder / _KNOWN}' cannot be read: it {error}.") from error
    search = folder.parent / SEARCH_FOLDER if folder.name == MODEL_FOLDER else None
    fitted = Fitted(
        load_model(folder / _MODEL), serving_head(target), schema, target, board,
        None, values["stop_reason"], intervals=intervals, temperature=temperature,
        record=record, decision=decision, groups=groups, choice=choice,
    )  # fmt: skip
    if search is not None and search.is_dir():
        fitted.find_search = functools.partial(AdaNet.load, str(search))
    return fitted, values


def _intervals(values):
    named = {"pairs": QuantileIntervals, "sets": ClassSets}
    kind = next((kind for name, kind in named.items() if name in (values or ())), Intervals)
    return kind.from_dict(values)


def _is_saved(path: Path) -> bool:
    return {each.name for each in path.iterdir()} <= {_KNOWN, _MODEL}
