"""Rows to predict as the inputs of a SavedModel: columns by name, without loss."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets import automl
from adaptive_nets.automl.files import saved_folder
from adaptive_nets.data import Schema
from adaptive_nets.data.tables.opening import open_table
from adaptive_nets.data.tables.source import TableSource, as_frame
from adaptive_nets.data.values import as_array, cast_exactly
from adaptive_nets.serving.features import rows_to_serve

Rows = np.ndarray | pd.DataFrame | dict[str, np.ndarray]


def schema_of(saved_model: str) -> Schema | None:
    """Returns the schema that `AdaNet.export` writes into a SavedModel, or `None`."""
    file = Path(saved_model, "assets.extra", "schema.json")
    return Schema.from_json(file.read_text(encoding="utf-8")) if file.is_file() else None


def text_columns(schema: Schema | None) -> list[str]:
    """Returns the names and keys of a schema's text features."""
    features = () if schema is None else schema.features
    return [name for f in features if f.dtype == "string" for name in (f.name, f.key)]


def known_columns(schema: Schema | None) -> list[str]:
    """Returns the names and keys of a schema's columns, and the name of its target."""
    if schema is None:
        return []
    keys = [feature.key for feature in schema.features]
    return [*schema.columns, *keys, *([] if schema.target is None else [schema.target])]


def opened(
    path: str, schema: Schema | None, encoding: str | None = None
) -> pd.DataFrame | TableSource:
    """Returns a file, or several, as a table in memory if it fits there.

    Args:
        path: Path of the file.
        schema: The schema, whose text columns are read as text, or `None`.
        encoding: Encoding of CSV files. Defaults to `None`: UTF-8.
    """
    return open_table(path, text_columns(schema), encoding, known_columns(schema))


def parts(
    path: str, schema: Schema | None, encoding: str | None = None, most: int | None = None
) -> Iterator[pd.DataFrame]:
    """Yields the rows of a file, or of several, in parts if they do not fit into memory.

    Args:
        path: As for `opened`.
        schema: As for `opened`.
        encoding: As for `opened`.
        most: Most rows. Defaults to `None`: all.
    """
    given = opened(path, schema, encoding)
    if not isinstance(given, TableSource):
        yield first_rows(given, most)
        return
    left = len(given) if most is None else most
    for batch in given.batches():
        yield as_frame(batch.table.slice(0, left))
        left -= batch.table.num_rows
        if left <= 0:
            return


def is_fit(model_dir: str) -> bool:
    """Returns whether `adaptive-nets fit`, or an estimator, has written a folder."""
    return saved_folder(model_dir) is not None


def load_fit(model_dir: str) -> automl.AutoClassifier | automl.AutoRegressor:
    """Loads what `adaptive-nets fit` has found.

    Raises:
        ValueError: The folder holds something else.
    """
    if not is_fit(model_dir) and os.path.isdir(model_dir):
        raise ValueError(
            f"--table needs what `adaptive-nets fit` has found. Received: --model_dir={model_dir}, "
            "which holds no fit that has ended. For a search, use --data."
        )
    return automl.load(model_dir)


def first_rows(rows: Rows, most: int | None) -> Rows:
    """Returns the first rows."""
    if isinstance(rows, dict):
        return {name: array[:most] for name, array in rows.items()}
    return rows[:most]


def inputs_of(
    rows: Rows, specs: Mapping[str, Any], schema: Schema | None, path: str | os.PathLike
) -> dict[str, np.ndarray]:
    """Returns rows as the inputs of a signature, by name.

    Args:
        rows: Array `[rows, ...]`, or a table or dict of columns.
        specs: The `tf.TensorSpec` of each input of the signature.
        schema: The schema of the model, which says how names are matched. Defaults to `None`:
            columns must have the names of the inputs.
        path: The SavedModel, for error messages.

    Raises:
        ValueError: The model does not take these features.
    """
    if schema is not None and len(specs) == len(schema.features):
        served = rows_to_serve(rows, schema)
        # A model with one input may name it in its own way.
        named = dict(zip(specs, served.values(), strict=True)) if len(specs) == 1 else served
        return {name: _shaped(array, specs[name]) for name, array in named.items()}
    if isinstance(rows, np.ndarray):
        return {_only(specs, path): _fitting(rows, next(iter(specs.values())), "rows", path)}
    columns = {str(name): np.asarray(rows[name]) for name in rows}
    ((first, spec), *others) = specs.items()
    if not others and first not in columns and spec.shape.rank == 2:
        wide = np.stack([as_array(v, f"column '{n}'") for n, v in columns.items()], axis=1)
        return {first: _fitting(wide, spec, "rows", path)}
    absent = [name for name in specs if name not in columns]
    if absent:
        raise ValueError(
            f"SavedModel {path!r} needs the columns {', '.join(sorted(specs))}. "
            f"Received: {', '.join(columns)}."
        )
    return {name: _fitting(columns[name], spec, name, path) for name, spec in specs.items()}


def _only(specs, path):
    if len(specs) != 1:
        raise ValueError(
            f"SavedModel {path!r} must take one input, or the data must have columns of their "
            f"names. Received: {len(specs)} inputs ({', '.join(sorted(specs))})."
        )
    return next(iter(specs))


def _fitting(values, spec, name, path):
    """Returns values in the dtype and shape of an input."""
    array = _shaped(cast_exactly(as_array(values, name), spec.dtype.name, name), spec)
    if not spec.shape.is_compatible_with((None, *array.shape[1:])):
        raise ValueError(
            f"SavedModel {path!r} takes rows of shape {spec.shape[1:]}. "
            f"Received: rows of shape {array.shape[1:]}."
        )
    return array


def _shaped(array, spec):
    """Returns one value per row as `[rows]` or `[rows, 1]`, whichever the input has."""
    ranks = (array.ndim, spec.shape.rank)
    if ranks == (1, 2):
        return array[:, None]
    return array[:, 0] if ranks == (2, 1) and array.shape[1] == 1 else array
