"""CSV files as tables whose values are what stands in the file."""

import bz2
import codecs
import contextlib
import csv
import gzip
import itertools
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptive_nets._checks import check_text, show
from adaptive_nets.data.columns.number_text import GROUPED, LEAST_GROUPED

if TYPE_CHECKING:
    import pandas as pd

# What pandas reads as numbers, but is not their text: 007, or more digits than a float holds.
LEADING_ZERO = re.compile(r"\s*[+-]?0\d")
LONG_WHOLE = re.compile(r"\s*[+-]?\d{16,}\s*\Z")
# Beginnings of files that are not text.
_EXCEL = (
    "an Excel file, or another one that is packed. Save it as CSV, or pass the DataFrame that "
    "pandas.read_excel returns"
)
_OTHERS = {
    b"PK\3\4": _EXCEL,
    b"\xd0\xcf\x11\xe0": _EXCEL,
    b"PAR1": "a Parquet file. Give it a name that ends in .parquet",
    b"ARRO": "an Arrow file. Pass the table that pyarrow.feather.read_table returns",
    b"SQLi": "an SQLite database. Pass the DataFrame that pandas.read_sql returns",
    b"\x1f\x8b": "packed by gzip. Give it a name that ends in .csv.gz",
}
# Encodings that write a letter as several bytes, and which of the first four bytes are not 0.
_WIDE = {
    "utf-16-le": [True, False, True, False],
    "utf-16-be": [False, True, False, True],
    "utf-32-le": [True, False, False, False],
    "utf-32-be": [False, False, False, True],
    "utf-32": [True, True, False, False],
}
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_CHUNK = 50_000
# The names of columns may have line breaks.
_MOST_LINES = 20


def read_csv(
    path: str, text: Collection[str], encoding: str | None = None, known: Collection[str] = ()
) -> "pd.DataFrame":
    """Reads a CSV file whose first line names the columns; see `read_table`.

    Args:
        path: Path of the file.
        text: Names of columns to read as text in any case.
        encoding: Its encoding, or `None` for UTF-8 or what its first bytes say.
        known: Names that columns may have. A file of these alone may have one column, or no rows.

    Raises:
        ValueError: It is not such a file.
    """
    import pandas as pd

    names, options = open_csv(path, encoding, known)
    texts = {name: str for name in text if name in names}
    guessed = pd.read_csv(path, dtype=texts, low_memory=False, **options)
    if not set(names) <= set(known):
        if len(guessed) == 0:
            raise ValueError("it has a header and no rows")
        _check_no_data(names, guessed)
    if guessed[names[-1]].isna().any():
        _warn_of_short_lines(path, names, options)
    numbers = [
        n for n in names if n not in texts and pd.api.types.is_numeric_dtype(guessed[n].dtype)
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


@contextlib.contextmanager
def read_errors(path: str, encoding: str | None) -> Iterator[None]:
    """Names a CSV file in the errors of reading it.

    Args:
        path: Path of the file.
        encoding: Its encoding, or `None`.

    Raises:
        ValueError: The file is empty or damaged.
        OSError: It cannot be read.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            # A line that is longer than the first would lose its end.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except pd.errors.EmptyDataError as error:
        raise ValueError(
            f"{path!r} is empty. Expected a CSV file whose first line names the columns."
        ) from error
    except pd.errors.ParserWarning as error:
        text = "a line has more fields than the first line has names"
        raise ValueError(unreadable(path, "a CSV file", text)) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(unreadable(path, "a packed file", error)) from error
    except (zipfile.BadZipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(unreadable(path, "a packed file", error)) from error
    except UnicodeError as error:
        why = not_utf8(str(error)) if encoding is None else f"it is not text in {encoding}: {error}"
        raise ValueError(unreadable(path, "a CSV file", why)) from error
    except (ValueError, pd.errors.ParserError, EOFError) as error:
        raise ValueError(unreadable(path, "a CSV file", error)) from error


def unreadable(path: str, kind: str, error: Exception | str) -> str:
    """Returns what is said of a file that cannot be read.

    Args:
        path: Path of the file.
        kind: What it was read as.
        error: Why it is none.
    """
    return f"Cannot read {path!r} as {kind}: {' '.join(str(error).split())}"


def open_csv(
    path: str, encoding: str | None, known: Collection[str]
) -> tuple[list[str], dict[str, Any]]:
    """Returns the names of the columns of a CSV file, and options of pandas to read its rows.

    Args:
        path: Path of the file.
        encoding: Its encoding, or `None` for UTF-8 or what its first bytes say.
        known: Names that columns may have, of a file that may have one column alone.

    Raises:
        ValueError: Its first line does not name columns.
    """
    names, options = _header(path, _encoding(path) if encoding is None else encoding, known)
    return names, {**options, "names": names, "index_col": False}


def _encoding(path: str) -> str:
    """Returns the encoding that the first bytes of a file tell of."""
    if Path(path).suffix.lower() in _PACKED:
        return "utf-8"
    with open(path, "rb") as file:
        start = file.read(4)
    for mark, what in _OTHERS.items():
        if start.startswith(mark):
            raise ValueError(f"it is {what}")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") and start[2:] != b"\0\0":
        return "utf-16"
    if b"\0" in start:
        letters = [byte > 0 for byte in start]
        for wide, places in _WIDE.items():
            if letters == places:
                raise ValueError(not_utf8(repr(start), wide))
        raise ValueError(f"it is not text. Received: {start!r}")
    return "utf-8"


def not_utf8(why: str, encoding: str = "cp1252") -> str:
    """Returns what is wrong with a file that is not text in UTF-8, and how it can be read.

    Args:
        why: What was found.
        encoding: The encoding that it may have. Defaults to that of Windows in the West.
    """
    return (
        "it is not text in UTF-8, nor UTF-16 that says so. Save it as UTF-8, or name its encoding: "
        f"adaptive_nets.data.read_table(path, encoding='{encoding}'), or --encoding={encoding} of "
        f"the command. Received: {why}"
    )


def check_encoding(encoding: str) -> str:
    """Returns the name of a text encoding that Python knows.

    Args:
        encoding: What was passed for `encoding`.

    Raises:
        ValueError: There is no such encoding.
    """
    name = check_text("encoding", encoding)
    try:
        codec = codecs.lookup(name)
        "".encode(name)  # Refused by codecs of bytes, such as base64.
    except (LookupError, ValueError) as error:
        raise ValueError(
            "encoding must be a text encoding that Python knows, such as 'utf-8', 'latin-1' or "
            f"'cp1252'. Received: encoding={show(encoding)}."
        ) from error
    return codec.name


def _header(path: str, encoding: str, known: Collection[str]) -> tuple[list[str], dict[str, Any]]:
    """Returns the names of the columns of a CSV file, and options of pandas to read the others."""
    first = _first_lines(path, encoding)
    skipped = _comments(first)
    first = first[skipped:]
    said = re.fullmatch(r"sep=(.)\n", first[0], re.IGNORECASE)
    if said:  # So Excel marks its files.
        skipped, first = skipped + 1, first[1:] or [""]
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
    new = not set(names) <= set(known)
    if len(names) == 1 and new:
        raise ValueError(
            "it has one column. Expected columns separated by a comma, semicolon, tab or bar, "
            f"named in the first line, without a title above it. Received: {shown}"
        )
    # A table without names is written with the numbers of its columns.
    if new and all(map(_is_number, names)) and names != [str(k) for k in range(len(names))]:
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


def _comments(lines: list[str]) -> int:
    """Returns how many lines before the header are comments, which begin with `#`.

    A header may begin with it too: it has as many fields as the lines that follow.
    """
    count = 0
    while count + 1 < len(lines) and lines[count].startswith("#"):
        separator = _delimiter(lines[-1])
        if lines[count].count(separator) == lines[-1].count(separator) > 0:
            break
        count += 1
    return count


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


def _warn_of_short_lines(path: str, names: list[str], options: dict[str, Any]) -> None:
    """Says how many lines have fewer fields than there are names; pandas adds missing values."""
    packed = Path(path).suffix.lower()
    if packed in _PACKED and packed not in _OPENERS:
        return
    short = []
    with _OPENERS.get(packed, open)(path, "rt", encoding=options["encoding"], newline="") as file:
        reader = csv.reader(
            itertools.islice(file, options["skiprows"], None), delimiter=options["sep"],
            skipinitialspace=options["skipinitialspace"],
        )  # fmt: skip
        try:
            for fields in reader:
                if fields and len(fields) < len(names):
                    short.append((options["skiprows"] + reader.line_num, fields))
        except csv.Error:
            return  # Longer fields than Python's reader takes.
    if short:
        line, fields = short[0]
        warnings.warn(
            f"{len(short)} line(s) of {path!r} have fewer fields than the {len(names)} that the "
            "first line names. What they lack is read as missing. "
            f"Received: {show(fields)} in line {line}.",
            stacklevel=4,
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
            bad = values.str.match(LEADING_ZERO)
            if name in floats:
                bad |= values.str.match(LONG_WHOLE)
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
