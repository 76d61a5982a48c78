"""`adaptive-nets fit`: a table in, an accurate, served model out."""

import dataclasses
import os

import numpy as np
import pandas as pd
from absl import flags as absl_flags

from adaptive_nets import automl
from adaptive_nets.automl.streaming.target import check_column
from adaptive_nets.cli import flags, output, table_flags
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
    options = _options(values, labels, classifies)
    kinds = _kinds(values.kinds)
    if values.groups in table.columns:
        # A model learns nothing from it about other groups.
        kinds = {values.groups: "ignore"} | kinds
    # Rows to predict may have the target too.
    schema = dataclasses.replace(Schema.infer(table, kinds=kinds), target=values.target)
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
        **flags.given(values, "time_limit", "seed", "folds", "repeats"),
        **options,
    )
    division = flags.given(values, "groups", "time")
    if values.gap is not None:
        division["gap"] = table_flags.gap_of(values.gap)
    if isinstance(given, TableSource):
        model.fit(given, values.target, **division)
    else:
        model.fit(table, labels, **division)
    path = model.export(values.export or os.path.join(values.model_dir, "export"))
    output.show(model.leaderboard())
    print(f"\nSavedModel: {path}")
    line = output.command_line(
        "predict", model_dir=values.model_dir, table=values.table, encoding=values.encoding
    )
    print(f"Predict with it: {line}")


def _options(values, labels, classifies):
    """Returns the arguments that are for classes, or for numbers."""
    misplaced = table_flags.NUMBER_FLAGS if classifies else table_flags.CLASS_FLAGS
    for name in misplaced:
        if values[name].value is not None:
            kind, other = ("classes", "numbers") if classifies else ("numbers", "classes")
            raise flags.UsageError(
                f"--{name} is for targets of {other}. Received: --{name} for a target of {kind}; "
                f"--task=classification or --task=regression says what it is."
            )
    found = flags.given(values, *table_flags.NUMBER_FLAGS)
    present = pd.unique(labels.dropna()).tolist()
    if values.class_weight is not None:
        found["class_weight"] = table_flags.class_weight_of(values.class_weight, present)
    if values.costs is not None:
        found["costs"] = table_flags.costs_of(values.costs, present)
    return found


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
