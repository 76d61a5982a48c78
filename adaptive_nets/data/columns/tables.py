"""A schema's columns, learnt from a table, changed, and shown."""

import dataclasses
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from adaptive_nets._checks import check_choice, check_dict, check_text, or_none
from adaptive_nets.data.columns.feature import Feature
from adaptive_nets.data.columns.inference import KINDS, Finding, choose_kind, find_kinds
from adaptive_nets.data.columns.naming import missing_error, safe_keys, some
from adaptive_nets.data.containers import unpack

if TYPE_CHECKING:
    import pandas as pd

Features = tuple[Feature, ...]


def learn_table(x: Any, target: str | None, kinds: Mapping[str, str]) -> tuple[Features, Features]:
    """Returns features for the columns of a table: those that are used, and those left out.

    Args:
        x: The table, or a two-dimensional array.
        target: Name of the column that is to be predicted, or `None`.
        kinds: Kinds that the caller has chosen, by name.

    Raises:
        ValueError: A column of that name is missing, or cannot be read, or none is of use.
    """
    or_none(check_text, "target", target)
    kinds = {
        name: check_choice(f"kinds['{name}']", kind, KINDS)
        for name, kind in check_dict("kinds", kinds, str, "a dict of kinds by name").items()
    }
    parts, source = _parts(x)
    absent = [name for name in [*kinds, *([] if target is None else [target])] if name not in parts]
    if absent:
        raise missing_error(list(parts), absent, parts)
    parts = {name: part for name, part in parts.items() if name != target}
    if not parts:
        raise ValueError(
            f"The table must have a column besides its target. Received: only '{target}'."
        )
    used, ignored = [], []
    kinds_found = find_kinds(parts, kinds)
    keys = safe_keys(kinds_found)
    for place, (name, found) in enumerate(kinds_found.items()):
        key = keys[place]
        feature = _feature(name, key, found, source, place)
        (ignored if found.kind == "ignore" else used).append(feature)
    return tuple(used), tuple(ignored)


def _feature(name, key, found, source, place):
    return Feature(
        name, key, found.kind, found.dtype, (), True, source, found.code, found.style,
        found.reason, found.missing_share, found.distinct, place,
    )  # fmt: skip


def _parts(x, columns=()):
    """Returns the columns of a table by name, and what it was.

    A column without a name is called by its place, or as the only one of `columns`, the names of
    the training data, that was: a target may have been before it, and not be now.
    """
    given = unpack(x)
    if given.layout == "array":
        return _columns_of(x), "column of an array"
    nameless = [name for name in given.parts if not name.strip()]
    known = [c for c in columns if re.fullmatch(r"column_\d+", c) and c not in given.parts]
    if len(nameless) == len(known) == 1:
        return {known[0] if n in nameless else n: v for n, v in given.parts.items()}, given.source
    parts, renamed = {}, []
    for place, (name, part) in enumerate(given.parts.items()):
        if not name.strip():
            renamed.append(f"column_{place}")
        parts[name if name.strip() else renamed[-1]] = part
    if len(parts) < len(given.parts):
        raise ValueError(f"The names of columns must differ. Received: '{renamed[0]}' twice.")
    if renamed:
        warnings.warn(f"Columns without a name are called {some(renamed)}.", stacklevel=4)
    return parts, given.source


def _columns_of(x):
    """Returns the columns of an array without names, by numbered names."""
    if getattr(x, "ndim", None) == 1 and getattr(x, "name", None):
        return {str(x.name): x}
    known = hasattr(x, "dtype") and type(x).__name__ != "KerasTensor"
    array = np.asarray(x) if known else _of_rows(x)
    if array is None or array.ndim != 2 or not array.shape[1]:
        what = type(x).__name__ if array is None else f"an array of shape {array.shape}"
        raise ValueError(
            "A table must be a DataFrame, an Arrow table, a dict of columns or a two-dimensional "
            f"array. Received: {what}."
        )
    # As scikit-learn calls them.
    return {f"x{k}": array[:, k] for k in range(array.shape[1])}


def _of_rows(x):
    """Returns a list of rows as an array of objects, or `None` for anything else."""
    listed = isinstance(x, list | tuple)
    if not listed or not x or not all(isinstance(r, list | tuple | np.ndarray) for r in x):
        return None
    if len({len(row) for row in x}) > 1:
        return None
    found = np.empty((len(x), len(x[0])), dtype=object)
    for place, row in enumerate(x):
        found[place] = row
    return found


def table_of(x: Any, columns: Sequence[str]) -> Any:
    """Returns an array without names as a dict of columns, which are read in their order.

    Args:
        x: A table, or an array.
        columns: Names of all columns of the training data.

    Raises:
        ValueError: It has another number of columns.
    """
    given = unpack(x)
    if given.layout != "array":
        if any(not name.strip() for name in given.parts):
            return _parts(x, columns)[0]
        return x if given.layout == "list" else given.parts
    found = _columns_of(x)
    if len(found) == 1 and list(found) != ["x0"]:
        return found
    if len(found) != len(columns):
        raise ValueError(
            f"The model expects features by name: {some(columns)}. "
            f"Received: an array of {len(found)} columns."
        )
    if list(found) != list(columns):
        warnings.warn(
            "The features have no names, and are read in the order of the training data: "
            f"{some(columns)}.",
            stacklevel=3,
        )
    return dict(zip(columns, found.values(), strict=True))


def replaced(
    used: Features, ignored: Features, kinds: Mapping[str, str]
) -> tuple[Features, Features]:
    """Returns the features of a table, those that are used and those left out, with other kinds.

    Args:
        used: Features that are used.
        ignored: Features that are left out.
        kinds: New kinds by name.

    Raises:
        ValueError: There is no such column or kind, or no column is left.
    """
    listed = sorted([*used, *ignored], key=lambda f: f.place or 0)
    names = [feature.name for feature in listed]
    absent = [name for name in kinds if name not in names]
    if absent:
        raise missing_error(names, absent, names)
    changed = [_with_kind(f, kinds[f.name]) if f.name in kinds else f for f in listed]
    kept = tuple(f for f in changed if f.kind != "ignore")
    if not kept:
        raise ValueError("At least one column must be of use. Received: all are to be ignored.")
    return kept, tuple(f for f in changed if f.kind == "ignore")


def _with_kind(feature, kind):
    check_choice(feature.name, kind, KINDS)
    if kind == feature.kind:
        return feature
    fields = {f.name for f in dataclasses.fields(Finding)}
    found = Finding(**{name: getattr(feature, name) for name in fields})
    found = choose_kind(found, kind, "as you have chosen")
    return dataclasses.replace(feature, **dataclasses.asdict(found))


def describe_table(used: Features, ignored: Features) -> "pd.DataFrame":
    """Returns the features of a table as a table to be shown.

    Args:
        used: Features that are used.
        ignored: Features that are left out.
    """
    import pandas as pd

    listed = sorted([*used, *ignored], key=lambda f: f.place or 0)
    rows = [
        {
            "name": f.name,
            "kind": f"{f.kind} and code" if f.code else f.kind,
            "dtype": f.dtype,
            "missing": f"{f.missing_share:.1%}" if f.missing_share else "no",
            "distinct": f"{f.distinct:,}" if f.distinct is not None else "",
            "reason": f.reason,
        }
        for f in listed
    ]
    return pd.DataFrame(rows)
