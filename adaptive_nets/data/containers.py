"""What features come in: one array, named columns, a dict or a list of arrays."""

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from adaptive_nets._checks import show


@dataclasses.dataclass(frozen=True)
class Container:
    """Features by name, as they came.

    Args:
        layout: `"array"` (one without a name), `"columns"` (a table), `"dict"` or `"list"`.
        parts: Raw values by name; for an array by `"features"`, for a list by `"input_1"`, ...
        source: What it was, in words.
    """

    layout: str
    parts: dict[str, Any]
    source: str


def split_columns(x: Any, names: Iterable[str]) -> tuple[Any, dict[str, Any]]:
    """Takes some features by name out of all.

    Args:
        x: Features in any form; those without names have none of them.
        names: Names, not all of which there need be.

    Returns:
        The other features in the same form (rows of dicts as a dict of columns), and those that
        were found, by name.

    Raises:
        ValueError: No other features are left.
    """
    given = unpack(x) if not isinstance(x, list | tuple) or all(_has_names(r) for r in x) else None
    parts = {} if given is None or given.layout not in ("dict", "columns") else given.parts
    found = {name: parts[name] for name in names if name in parts}
    if not found:
        return x, {}
    if len(found) == len(parts):
        raise ValueError(
            "Features must be at least one array beside the weights of rows. "
            f"Received: {', '.join(sorted(found))} alone."
        )
    import narwhals as nw

    native = nw.from_native(x, eager_only=True, pass_through=True)
    if isinstance(native, nw.DataFrame):
        return native.drop(list(found)).to_native(), found
    return {name: part for name, part in parts.items() if name not in found}, found


def _has_names(row):
    return isinstance(row, Mapping) or bool(_field_names(row)) or _is_named_series(row)


def unpack(x: Any, rows: int | None = None, inputs: int | None = None) -> Container:
    """Returns the parts of whatever holds features.

    Args:
        x: Array, tensor, table (of pandas, polars or Arrow, or a structured array), dict, list of
            rows, list of rows with names (dicts, named tuples, pandas Series), or list of arrays.
        rows: Number of labels, which tells a list of arrays from a list of rows. Defaults to
            `None`: not known.
        inputs: Number of arrays that a list must have. Defaults to `None`: not known.

    Raises:
        ValueError: It is empty, has names twice, or could be both rows and arrays.
    """
    if isinstance(x, Mapping):
        if not x:
            raise ValueError("Features must be at least one array. Received: an empty dict.")
        return Container("dict", _named(x.items(), "dict"), "dict entry")
    table = _columns(x)
    if table is not None:
        return Container("columns", table, "column")
    if isinstance(x, list | tuple) and len(x):
        if all(isinstance(row, Mapping) for row in x):
            return Container("columns", _records(x), "entry of row dicts")
        if all(_field_names(row) for row in x):
            named = [dict(zip(_field_names(row), row, strict=True)) for row in x]
            return Container("columns", _records(named), "entry of named tuples")
        if _is_list_of_inputs(x, rows, inputs):
            parts = {f"input_{k}": part for k, part in enumerate(x, start=1)}
            return Container("list", parts, "list entry")
        if all(map(_is_named_series, x)):
            return Container("columns", _records([r.to_dict() for r in x]), "entry of row Series")
    return Container("array", {"features": x}, "array")


def check_given(name: str, given: Any) -> None:
    """Refuses what can be neither features nor labels nor weights, whatever the task is.

    Args:
        name: Name of the argument.
        given: What was passed for it.

    Raises:
        ValueError: If it holds no rows: text, a number, a class or function, or nothing at all.
    """
    size = None
    if hasattr(given, "__len__") and not isinstance(given, type | str | bytes):
        try:
            size = len(given)
        except Exception:
            size = None
    if not size:
        raise ValueError(f"{name} must have at least one row. Received: {name}={show(given)}.")


def check_names(columns: Iterable[Any]) -> None:
    """Refuses names of columns that are there twice.

    Args:
        columns: The names.
    """
    counts = collections.Counter(map(str, columns))
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ValueError(
            f"The names of features must differ. Received: a table with '{twice[0]}' twice."
        )


def _named(items, what):
    found = {}
    for name, values in items:
        if str(name) in found:
            raise ValueError(
                f"The names of features must differ. Received: a {what} with '{name}' twice."
            )
        found[str(name)] = values
    return found


def _columns(x):
    """Returns the columns of a table by name, or `None` for anything else."""
    fields = getattr(getattr(x, "dtype", None), "names", None)
    if isinstance(x, np.ndarray) and fields:
        return {name: x[name] for name in fields}
    if isinstance(x, type) or not (hasattr(x, "columns") or hasattr(x, "__arrow_c_stream__")):
        return None
    if hasattr(x, "__arrow_c_array__") and isinstance(x.columns, list):  # A record batch.
        return _named(zip(x.schema.names, x.columns, strict=True), "record batch")
    import narwhals as nw

    if hasattr(x, "dtypes"):
        check_names(getattr(x, "columns", ()))
    frame = nw.from_native(x, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        raise ValueError(
            f"A lazy table must be computed first: call .collect(). Received: {type(x).__name__}."
        )
    if not isinstance(frame, nw.DataFrame):
        return None
    if not frame.columns:
        raise ValueError("Features must be at least one column. Received: a table without columns.")
    return _named(((name, _column(frame.get_column(name))) for name in frame.columns), "table")


def _column(series):
    """Returns the values of a column; nullable numbers as floats where values are missing."""
    import narwhals as nw

    plain = getattr(series.to_native(), "dtype", None)
    if isinstance(plain, np.dtype) and plain.kind in "biufmM":
        # To ask for missing values takes longer than to read a column of a few rows.
        return series.to_numpy()
    kind = series.dtype
    if kind.is_numeric() and series.null_count():
        # Whole numbers that float64 would round stay as they are.
        if kind.is_integer() and max(abs(series.min() or 0), abs(series.max() or 0)) > 2**53:
            return np.array(series.to_list(), dtype=object)
        return series.cast(nw.Float64).to_numpy()
    if kind in (nw.Int128, nw.UInt128):
        return np.array(series.to_list(), dtype=object)
    if isinstance(kind, nw.Datetime) and kind.time_zone is not None:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    # The categories of pandas may be numbers, and stay so.
    if kind in (nw.Categorical, nw.Enum, nw.String):
        return np.array(series.to_list(), dtype=object)
    return series.to_numpy()


def _records(rows):
    """Returns a list of dicts, one per row, as columns."""
    names = list(rows[0])
    if not names:
        raise ValueError("Rows must have at least one named feature. Received: an empty dict.")
    for place, row in enumerate(rows):
        if set(row) != set(names):
            odd = sorted(map(str, set(row) ^ set(names)))
            raise ValueError(
                "Rows given as dicts must all have the same names. "
                f"Received: row {place} differs in {', '.join(odd[:8])}."
            )
    return {str(name): [row[name] for row in rows] for name in names}


def _field_names(row):
    """Returns the names of a named tuple's fields; pandas numbers those that Python forbids."""
    names = getattr(row, "__match_args__", ()) if isinstance(row, tuple) else ()
    known = len(names) == len(row) if names else False
    return names if known and not any(re.fullmatch(r"_\d+", name) for name in names) else ()


def _is_named_series(row):
    """Returns whether a row is a pandas Series whose index holds names."""
    labelled = hasattr(row, "to_dict") and getattr(row, "ndim", 0) == 1 and hasattr(row, "index")
    return labelled and all(isinstance(name, str) for name in row.index)


def _is_list_of_inputs(x, rows, inputs):
    """Returns whether a list holds arrays of all rows, as Keras takes several inputs."""
    if not all(getattr(part, "ndim", 0) and hasattr(part, "dtype") for part in x):
        return False
    lengths = {len(part) for part in x}
    if inputs is not None:
        return len(x) == inputs
    if rows is None or lengths != {rows}:
        return False
    if len(x) == rows and all(part.ndim == 1 for part in x):
        raise ValueError(
            "A list of as many arrays as there are labels may be rows or inputs. Stack rows with "
            f"numpy.stack, or pass inputs as a dict. Received: {len(x)} arrays of {rows} values."
        )
    return True
