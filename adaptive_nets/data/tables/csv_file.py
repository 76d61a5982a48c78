"""CSV files as tables whose values are what stands in the file."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptive_nets._checks import show

if TYPE_CHECKING:
    import pandas as pd

# What pandas reads as numbers, but is not their text: 007, or more digits than a float holds.
_LEADING_ZERO = re.compile(r"\s*[+-]?0\d")
_LONG_WHOLE = re.compile(r"\s*[+-]?\d{16,}\s*\Z")
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_CHUNK = 50_000


def read_csv(path: str, text: Collection[str]) -> "pd.DataFrame":
    """Reads a CSV file whose first line names the columns; see `read_table`.

    Args:
        path: Path of the file.
        text: Names of columns to read as text in any case.

    Raises:
        ValueError: It is no such file.
    """
    import pandas as pd

    encoding = _encoding(path)
    names, separator = _header(path, encoding)
    options = {
        "sep": separator, "names": names, "header": 0, "index_col": False, "encoding": encoding,
    }  # fmt: skip
    known = {name: str for name in text if name in names}
    guessed = pd.read_csv(path, dtype=known, low_memory=False, **options)
    if len(guessed) == 0:
        raise ValueError("it has a header and no rows")
    numbers = [
        n for n in names if n not in known and pd.api.types.is_numeric_dtype(guessed[n].dtype)
        and not pd.api.types.is_bool_dtype(guessed[n].dtype)
    ]  # fmt: skip
    kept = _not_their_text(path, guessed, numbers, options)
    words = [n for n in names if n in kept or not pd.api.types.is_numeric_dtype(guessed[n].dtype)]
    if words:
        # As it stands in the file: pandas takes "NA" and "None" for missing values.
        plain = pd.read_csv(
            path, usecols=words, dtype=object, keep_default_na=False, na_values=[""], **options
        )
        guessed[words] = plain[words]
    return guessed


def _encoding(path: str) -> str:
    """Returns the encoding that the first bytes of a file tell of."""
    with open(path, "rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8"


def _header(path: str, encoding: str) -> tuple[list[str], str]:
    """Returns the names of the columns and the delimiter of a CSV file."""
    import csv

    import pandas as pd

    line = pd.read_csv(
        path, sep="\x00", header=None, nrows=1, dtype=str, quoting=csv.QUOTE_NONE,
        keep_default_na=False, engine="c", encoding=encoding,
    ).iloc[0, 0]  # fmt: skip
    suffixes = [each.lower() for each in Path(path).suffixes if each.lower() not in _PACKED]
    separator = "\t" if suffixes[-1:] == [".tsv"] else _delimiter(line)
    names = next(csv.reader([line], delimiter=separator))
    if len(names) == 1:
        raise ValueError(
            "it has one column. Expected columns separated by a comma, semicolon, tab or bar, "
            f"named in the first line. Received: {show(line[:80])}"
        )
    numbers = [name for name in names if _is_number(name)]
    if len(numbers) == len(names):
        raise ValueError(
            "its first line must name the columns, and holds numbers alone. Add a line of names. "
            f"Received: {show(line[:80])}"
        )
    filled = [name or f"column_{place}" for place, name in enumerate(names, start=1)]
    twice = sorted({name for name in filled if filled.count(name) > 1})
    if twice:
        raise ValueError(f"it names the column {twice[0]!r} twice. Rename one of them")
    return filled, separator


def _delimiter(line: str) -> str:
    """Returns the separator that stands in a line most often, outside of quotes."""
    outside = re.sub(r'"[^"]*"', "", line)
    return max(",;\t|", key=outside.count)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _not_their_text(
    path: str, guessed: "pd.DataFrame", numbers: list[str], options: dict[str, Any]
) -> set[str]:
    """Returns the columns that pandas has read as numbers and that would lose digits by it."""
    floats = {name for name in numbers if guessed[name].dtype.kind == "f"}
    left, found = list(numbers), set()
    for chunk in _as_text(path, left, options):
        for name in left:
            values = chunk[name]
            bad = values.str.match(_LEADING_ZERO)
            if name in floats:
                bad |= values.str.match(_LONG_WHOLE)
            if bad.any():
                found.add(name)
        left = [name for name in left if name not in found]
    return found


def _as_text(path: str, names: list[str], options: dict[str, Any]) -> Iterator["pd.DataFrame"]:
    import pandas as pd

    if names:
        with pd.read_csv(
            path, usecols=names, dtype=str, keep_default_na=False, chunksize=_CHUNK, **options
        ) as chunks:
            yield from chunks
