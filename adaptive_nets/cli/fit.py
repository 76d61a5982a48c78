"""`adaptive-nets fit`: a table in, an accurate, served model out."""

import dataclasses
import os

import numpy as np
import pandas as pd
from absl import flags as absl_flags

from adaptive_nets import automl
from adaptive_nets.automl.streaming.target import check_column
from adaptive_nets.cli import flags, output
from adaptive_nets.data import Schema
from adaptive_nets.data.tables.opening import open_table
from adaptive_nets.data.tables.source import TableSource, as_frame
from adaptive_nets.data.tables.table import split_target

# Whole numbers of so many values are classes.
_MOST_CLASSES = 10
# Rows of a table that does not fit into memory which say what the columns are, and the least of
# each file.
_SHOWN_ROWS, _LEAST_ROWS = 100_000, 100


def fit(values: absl_flags.FlagValues) -> None:
    """Fits a model to a table, then prints the leaderboard and the next command.

    Args:
        values: Parsed flags of the subcommand.
    """
    output.check_target("--export", values.export, (values.table, values.model_dir))
    given = open_table(values.table, encoding=values.encoding)
    if isinstance(given, TableSource):
        table, labels = _first_rows(given, values.target)
    else:
        table, labels = split_target(given, values.target)
    classifies, why = _task(labels, values.task)
    # Rows to predict may have the target too.
    schema = dataclasses.replace(
        Schema.infer(table, kinds=_kinds(values.kinds)), target=values.target
    )
    if values.verbose:
        task = "classification" if classifies else "regression"
        print(f"{values.table}: {len(given)} rows, {table.shape[1]} columns, {task} ({why})\n")
        print(schema, end="\n\n", flush=True)
    kind = automl.AutoClassifier if classifies else automl.AutoRegressor
    model = kind(
        preset=values.preset,
        metric=values.metric,
        schema=schema,
        model_dir=values.model_dir,
        verbose="auto" if values.verbose else 0,
        **flags.given(values, "time_limit", "seed"),
    )
    if isinstance(given, TableSource):
        model.fit(given, values.target)
    else:
        model.fit(table, labels)
    path = model.export(values.export or os.path.join(values.model_dir, "export"))
    output.show(model.leaderboard())
    print(f"\nSavedModel: {path}")
    line = output.command_line(
        "predict", model_dir=values.model_dir, table=values.table, encoding=values.encoding
    )
    print(f"Predict with it: {line}")


def _first_rows(source: TableSource, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """Returns rows of a table that does not fit into memory, by which columns are shown."""
    check_column(source, target)
    parts = {piece.path: piece for piece in reversed(source.pieces)}
    each = max(_LEAST_ROWS, _SHOWN_ROWS // len(parts))
    tables = [next(source.batches(None, [piece], each)).table for piece in parts.values()]
    return split_target(pd.concat(map(as_frame, tables), ignore_index=True), target)


def _task(labels: pd.Series, task: str) -> tuple[bool, str]:
    """Returns whether the target is classes, and why."""
    if task != "auto":
        return task == "classification", "as given by --task"
    present = labels.dropna()
    if present.dtype.kind not in "iuf":
        return True, "the target is text or true and false"
    whole = bool((present == np.trunc(present)).all())
    count = present.nunique()
    if whole and count <= _MOST_CLASSES:
        return True, f"the target has {count} whole numbers; --task=regression if they are amounts"
    return False, "the target is numbers"


def _kinds(given: list[str]) -> dict[str, str]:
    """Returns the kinds of `--kinds` by column."""
    pairs = [each.rpartition("=") for each in given]
    for column, _, kind in pairs:
        if not column or not kind:
            raise flags.UsageError(
                "--kinds must be COLUMN=KIND, separated by commas. "
                f"Received: --kinds={','.join(given)}."
            )
    return {column: kind for column, _, kind in pairs}
