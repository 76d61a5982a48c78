"""CSV files as tables whose values are what stands in the file."""

import csv
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptive_nets._checks import show
from adaptive_nets.data.columns.number_text import GROUPED, LEAST_GROUPED

if TYPE_CHECKING:
    import pandas as pd

# What pandas reads as numbers, but is not their text: 007, or more digits than a float holds.
_LEADING_ZERO = re.compile(r"\s*[+-]?0\d")
_LONG_WHOLE = re.compile(r"\s*[+-]?\d{16,}\s*\Z")
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_CHUNK = 50_000
# The names of columns may have line breaks.
_MOST_LINES = 20


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
    names, options = _header(path, encoding)
    options = {**options, "names": names, "index_col": False}
    known = {name: str for name in text if name in names}
    guessed = pd.read_csv(path, dtype=known, low_memory=False, **options)
    if len(guessed) == 0:
        raise ValueError("it has a header and no rows")
    _check_no_data(names, guessed)
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
    if Path(path).suffix.lower() in _PACKED:
        return "utf-8"
    with open(path, "rb") as file:
        start = file.read(4)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") and start[2:] != b"\0\0":
        return "utf-16"
    if b"\0" in start:
        raise ValueError(
            f"it is not text in UTF-8, nor UTF-16 that says so. Save it as UTF-8 ({start!r})"
        )
    if start == b"PK\3\4":
        raise ValueError(
            "it is an Excel file, or another one that is packed. Save it as CSV, or pass the "
            "DataFrame that pandas.read_excel returns"
        )
    return "utf-8"


def _header(path: str, encoding: str) -> tuple[list[str], dict[str, Any]]:
    """Returns the names of the columns of a CSV file, and options of pandas to read the others."""
    first, skipped = _first_lines(path, encoding), 0
    said = re.fullmatch(r"sep=(.)\n", first[0], re.IGNORECASE)
    if said:  # So Excel marks its files.
        skipped, first = 1, first[1:] or [""]
    suffixes = [each.lower() for each in Path(path).suffixes if each.lower() not in _PACKED]
    separator = "\t" if suffixes[-1:] == [".tsv"] else _delimiter(first[0])
    separator = said[1] if said else separator
    after = re.split(re.escape(separator), re.sub(r'"[^"]*"', "", first[0]))[1:]
    blanks = separator != "\t" and bool(after) and all(each[:1] == " " for each in after)
    names = next(csv.reader(first, delimiter=separator, skipinitialspace=blanks), [])
    shown = show(first[0].strip()[:80])
    if first[0].lstrip()[:1] in ("{", "<") or first[0].lstrip()[:2] == "[{":
        raise ValueError(
            "it looks like JSON, HTML or XML. Expected lines of values, the first of which names "
            f"the columns. Received: {shown}"
        )
    if len(names) == 1:
        raise ValueError(
            "it has one column. Expected columns separated by a comma, semicolon, tab or bar, "
            f"named in the first line. Received: {shown}"
        )
    # A table without names is written with the numbers of its columns.
    if all(map(_is_number, names)) and names != [str(k) for k in range(len(names))]:
        raise ValueError(
            "its first line must name the columns, and holds numbers alone. Add a line of names. "
            f"Received: {shown}"
        )
    # As pandas calls them.
    filled = [name if name.strip() else f"Unnamed: {k}" for k, name in enumerate(names)]
    twice = sorted({name for name in filled if filled.count(name) > 1})
    if twice:
        raise ValueError(
            f"it names the column {twice[0]!r} twice. Rename one of them, or add a line of names "
            f"if the first line is data. Received: {shown}"
        )
    return filled, {
        "sep": separator, "header": 0, "skiprows": skipped, "encoding": encoding,
        "skipinitialspace": blanks,
    }  # fmt: skip


def _first_lines(path: str, encoding: str) -> list[str]:
    """Returns the first lines of a file, which may be packed, without blank ones."""
    import pandas as pd

    lines = pd.read_csv(
        path, sep="\x00", header=None, nrows=_MOST_LINES, dtype=str, quoting=csv.QUOTE_NONE,
        keep_default_na=False, engine="c", encoding=encoding, on_bad_lines="skip",
    )  # fmt: skip
    return [f"{line}\n" for line in lines[0]]


def _check_no_data(names: list[str], table: "pd.DataFrame") -> None:
    """Refuses a file whose first line is a row: its words are values of their columns."""
    again = [name for name in names if name in _words_of(table[name])]
    numbers = [name for name in names if _is_number(name)]
    if again and 2 * (len(again) + len(numbers)) >= len(names):
        raise ValueError(
            "its first line must name the columns, and looks like a row: the column "
            f"{again[0]!r} has the value {again[0]!r} too. Add a line of names"
        )


def _words_of(column: "pd.Series") -> Collection[str]:
    return set(column.unique()) if column.dtype.kind in "OTUS" else ()


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
    # Thousands with points, as in 1.234, are common where a semicolon separates columns.
    grouped = set(floats) if options["sep"] == ";" else set()
    pointed, seen = dict.fromkeys(floats, 0), dict.fromkeys(floats, 0)
    left, found = list(numbers), set()
    for chunk in _as_text(path, left, options):
        for name in left:
            values = chunk[name]
            bad = values.str.match(_LEADING_ZERO)
            if name in floats:
                bad |= values.str.match(_LONG_WHOLE)
            if bad.any():
                found.add(name)
            if name in grouped:
                there = values[values != ""]
                if not there.str.match(GROUPED).all():
                    grouped.discard(name)
                seen[name] += len(there)
                pointed[name] += int(there.str.contains(".", regex=False).sum())
        left = [name for name in left if name not in found]
    return found | {n for n in grouped if LEAST_GROUPED <= pointed[n] < seen[n]}


def _as_text(path: str, names: list[str], options: dict[str, Any]) -> Iterator["pd.DataFrame"]:
    import pandas as pd

    if names:
        with pd.read_csv(
            path, usecols=names, dtype=str, keep_default_na=False, chunksize=_CHUNK, **options
        ) as chunks:
            yield from chunks
