"""`read_table`: files and tables of all kinds as one pandas DataFrame, without changed values."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from adaptive_nets._checks import check_list, check_text, show
from adaptive_nets._values import tried
from adaptive_nets.data.columns.alignment import check_aligned
from adaptive_nets.data.containers import check_names, unpack
from adaptive_nets.data.tables.collected import collect, is_collected
from adaptive_nets.data.tables.csv_file import check_encoding, read_csv, read_errors, unreadable
from adaptive_nets.data.tables.files import is_parquet, is_paths, table_files
from adaptive_nets.data.tables.several import join_files
from adaptive_nets.data.tables.source import TableSource, frame_of, read_whole

if TYPE_CHECKING:
    import pandas as pd


def read_table(
    source: Any,
    text: Collection[str] = (),
    encoding: str | None = None,
    known: Collection[str] = (),
) -> "pd.DataFrame":
    r"""Reads a table as a `pandas.DataFrame` whose column names are strings.

    The columns of a CSV file are numbers where every value is one, or is missing as pandas says
    it (`""`, `NA`, `null`, ...); all others, and numbers such as `007` that would not keep their
    digits, are text exactly as it stands in the file, with an empty field as missing.

    Args:
        source: Path of a CSV file (`.csv`, `.tsv`, also compressed, as pandas reads it; the
            delimiter is found in the first line) or a Parquet file (which needs pyarrow); several
            such files of one kind, as a list, a pattern such as `"part-*.csv"`, or their folder; a
            DataFrame of pandas or polars, an Arrow table, a dict of columns, rows as an array or
            list; a `ray.data.Dataset`, or a `tf.data.Dataset` of dicts of columns.
        text: Names of columns of a CSV file to read as text in any case, such as those that were
            text in the training data. Defaults to none.
        encoding: Encoding of a CSV file, such as `"latin-1"` or `"cp1252"`. Defaults to `None`:
            UTF-8, or UTF-16 where the file begins with a byte order mark.
        known: Names that the columns of a CSV file may have, such as those of the training data. A
            file of these alone may have one column, or no rows. Defaults to none.

    Raises:
        ValueError: The file is empty or damaged, has one column, has no header, or has names
            twice; or `source` is not a table.
        OSError: The file cannot be read.

    Example:

    ```python
    from pathlib import Path
    import adaptive_nets as an

    Path("people.csv").write_text("zip,town\n02134,Zürich\n90210,\n", encoding="latin-1")
    table = an.data.read_table("people.csv", encoding="latin-1")
    table["town"].tolist()  # ['Zürich', nan]
    ```
    """
    import pandas as pd

    text = check_list("text", text, str, "names of columns")
    known = check_list("known", known, str, "names of columns")
    encoding = None if encoding is None else check_encoding(encoding)
    if is_paths(source):
        return _read_paths(source, text, encoding, known)
    if encoding is not None:
        raise ValueError(_no_encoding(encoding, show(source)))
    if is_collected(source):
        return read_whole(collect(source))
    if isinstance(source, pd.DataFrame):
        check_names(source.columns)
        return source.set_axis([str(name) for name in source.columns], axis=1)
    given = unpack(source)
    if given.layout == "columns":
        # Not by to_pandas, which rounds whole numbers where some are missing.
        return frame_of(given.parts)
    if given.layout == "dict":
        # pandas would pair Series by their labels, and add rows.
        check_aligned(given.parts)
        parts = {name: getattr(values, "array", values) if isinstance(values, pd.Series) else values
                 for name, values in given.parts.items()}  # fmt: skip
        shapes = {name: tried(lambda each=each: np.shape(each)) for name, each in parts.items()}
        if len(set(shapes.values())) > 1 or len(next(iter(shapes.values())) or ()) != 1:
            raise ValueError(
                "The columns of a table must be equally long, with one value a row. "
                f"Received: shapes {shapes}."
            )
        return pd.DataFrame(parts)
    raw = given.parts.get("features", source)
    array = np.array(raw, dtype=object) if isinstance(raw, list | tuple) else np.asarray(raw)
    if array.ndim != 2:
        raise ValueError(
            "A table must be a path, a table or an array [rows, columns]. "
            f"Received: {show(source)}."
        )
    frame = pd.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])
    return frame.infer_objects() if array.dtype == object else frame


def split_target(table: "pd.DataFrame", target: str) -> tuple["pd.DataFrame", "pd.Series"]:
    """Returns a table without its target, and the target.

    Args:
        table: A `pandas.DataFrame`.
        target: Name of the target's column.

    Raises:
        ValueError: There is no such column. The message names those that look like it.
    """
    target = check_text("target", target)
    if target not in table.columns:
        raise ValueError(
            f"The table has no column {target!r}{_near(target, table.columns)}. "
            f"Received: columns {_some(table.columns)}."
        )
    if table.shape[1] < 2:
        raise ValueError(
            "A table must have a target and at least one other column. "
            f"Received: the column {target!r} alone."
        )
    return table.drop(columns=target), table[target]


def _near(name: str, names: Iterable[str]) -> str:
    import difflib

    folded = {each.casefold(): each for each in map(str, names)}
    found = difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.6)
    return f" (is it {' or '.join(repr(folded[each]) for each in found)}?)" if found else ""


def _some(names: Iterable[str], most: int = 8) -> str:
    names = [repr(str(name)) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _no_encoding(encoding, source):
    return (
        "encoding must be None for what is not a CSV file. "
        f"Received: encoding={encoding!r} for {source}."
    )


def _read_paths(given, text, encoding, known):
    files = table_files(given)
    if len(files) == 1:
        return _read_file(files[0], text, encoding, known)
    if not is_parquet(files[0]):
        return join_files(files, lambda path, t: _read_file(path, t, encoding, known), text)
    if encoding is not None:
        raise ValueError(_no_encoding(encoding, repr(files[0])))
    return read_whole(TableSource.of_files(files, repr(files[0])))


def _read_file(
    path: str, text: Collection[str], encoding: str | None, known: Collection[str]
) -> "pd.DataFrame":
    import pandas as pd

    if is_parquet(path):
        if encoding is not None:
            raise ValueError(_no_encoding(encoding, repr(path)))
        try:
            frame = pd.read_parquet(path, dtype_backend="pyarrow")
            return frame_of(unpack(frame).parts)
        except ImportError as error:
            raise ImportError(
                f"Reading {path!r} needs pyarrow, which is not installed: pip install pyarrow"
            ) from error
        except OSError:
            raise
        except Exception as error:  # Arrow has errors of its own.
            raise ValueError(unreadable(path, "a Parquet file", error)) from error
    with read_errors(path, encoding):
        return read_csv(path, text, encoding, known)
