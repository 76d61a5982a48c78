"""Checks that pandas objects which are read row by row hold the same rows in the same order."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from adaptive_nets._checks import check_nesting


def check_aligned(x: Any, y: Any = None, sample_weight: Any = None, **more: Any) -> None:
    """Compares the row labels (the index) of all pandas objects among features, labels and weights.

    Rows are read by position. Where the labels say that this pairs the wrong rows, it is an error:
    the same labels in another order, or two sets of labels. An index 0, 1, ... is what pandas gives
    to rows without labels, so that another index beside it only gives a warning.

    Args:
        x: Features in any form.
        y: Labels in any form. Defaults to `None`.
        sample_weight: Weights in any form. Defaults to `None`.
        **more: Further values of the rows by the argument's name.

    Raises:
        ValueError: Two objects hold different rows, or the same in another order; or a dict holds
            itself.
    """
    every = {"x": x, "y": y, "sample_weight": sample_weight, **more}
    check_nesting((), {name: each for name, each in every.items() if isinstance(each, dict)})
    given = [*_indexes(x, "features", "feature '{}'"), *_indexes(y, "labels", "labels '{}'")]
    for name, values in {"sample_weight": sample_weight, **more}.items():
        given += _indexes(values, name, f"{name} '{{}}'")
    for what, index in given[1:]:
        _compare(*given[0], what, index)


def _indexes(values, whole, part) -> Iterator[tuple[str, Any]]:
    """Yields a name and the index of each pandas object."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from _indexes(value, part.format(name), part)
    elif hasattr(getattr(values, "index", None), "equals") and not isinstance(values, type):
        yield whole, values.index


def _compare(first, index, second, other):
    # Other numbers of rows are refused where they are counted.
    if len(index) != len(other) or index.equals(other):
        return
    same = set(index) == set(other)
    found = (
        f"{first[0].upper() + first[1:]} and {second} have different row labels (pandas indexes)"
    )
    shown = f"Received: {_start(index)} and {_start(other)}."
    mend = "Pair rows by label with .loc, or by position with .reset_index(drop=True) on both"
    if same or not (_is_default(index) or _is_default(other)):
        order = "the same labels in another order" if same else "other labels"
        raise ValueError(f"{found}: {order}. {mend}. {shown}")
    warnings.warn(f"{found}, and are read by position. {mend}. {shown}", stacklevel=2)


def _is_default(index):
    import pandas as pd

    return index.equals(pd.RangeIndex(len(index)))


def _start(index, most=3):
    shown = ", ".join(map(str, index[:most]))
    return f"[{shown}, ...]" if len(index) > most else f"[{shown}]"
