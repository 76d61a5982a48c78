"""A table in many Parquet files, streamed: seconds, memory, and the gain over a sample of it.

Usage:
    python -m benchmarks.tabular.large --rows=2000000 --files=8 --time_limit=60
"""

import argparse
import json
import pathlib
import resource
import tempfile
import time

import numpy as np
import pandas as pd

# Columns of numbers, and of text; rows that are made at a time.
_NUMBERS, _WORDS, _ROWS = 25, 5, 250_000
_SAMPLE, _TEST = 200_000, 50_000


def make_rows(rows: int, seed: int) -> pd.DataFrame:
    """Returns rows of 30 columns and a target with noise of deviation 0.5."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, _NUMBERS)).astype("float32")
    codes = random.integers(0, 20, (rows, _WORDS))
    y = numbers[:, 0] * numbers[:, 1] + np.sin(2 * numbers[:, 2]) + np.maximum(numbers[:, 3], 0)
    y = y + 0.3 * np.cos(codes[:, 0] * (1 + numbers[:, 4] / 4)) + 0.5 * random.normal(size=rows)
    words = np.array([f"word {place}" for place in range(20)], dtype=object)
    table = {f"number_{place}": numbers[:, place] for place in range(_NUMBERS)}
    table |= {f"word_{place}": words[codes[:, place]] for place in range(_WORDS)}
    return pd.DataFrame(table | {"target": y})


def write_files(folder: pathlib.Path, rows: int, files: int) -> list[str]:
    """Writes the table to files, some rows at a time, and returns their paths."""
    import pyarrow as pa
    from pyarrow import parquet

    paths = []
    for place in range(files):
        count, path = rows // files, folder / f"part-{place:04d}.parquet"
        writer = None
        for start in range(0, count, _ROWS):
            seed = 1 + place * (count // _ROWS + 1) + start // _ROWS
            part = pa.Table.from_pandas(make_rows(min(_ROWS, count - start), seed))
            writer = writer or parquet.ParquetWriter(path, part.schema)
            writer.write_table(part, row_group_size=1 << 16)
        writer.close()
        paths.append(str(path))
    return paths


def peak_mib() -> int:
    """Returns the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(rows: int, files: int, time_limit: float, memory: int | None = None) -> dict:
    """Fits the streamed table and a sample of it, and returns what both took and gave.

    Args:
        rows: Number of rows.
        files: Number of files.
        time_limit: Seconds of each fit.
        memory: Bytes up to which a table is not streamed. Defaults to `None`: the usual.
    """
    import adaptive_nets as an
    from adaptive_nets.data.tables import opening

    if memory is not None:
        opening.MEMORY_LIMIT = memory
    test = make_rows(min(_TEST, rows), 0)
    found = {"rows": rows, "files": files, "time_limit": time_limit}
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(pathlib.Path(folder), rows, files)
        found["MiB before"] = peak_mib()
        given = {"streamed": paths, "sample": make_rows(min(_SAMPLE, rows), 1)}
        for name, table in given.items():
            began = time.monotonic()
            model = an.AutoRegressor(time_limit=time_limit, seed=0, verbose=0).fit(table, "target")
            found[f"{name}: seconds"] = round(time.monotonic() - began, 1)
            found[f"{name}: peak MiB"] = peak_mib()
            found[f"{name}: rmse"] = round(model.evaluate(test)["rmse"], 4)
            found[f"{name}: note"] = model.leaderboard()["note"].iloc[-1]
    return found


def main() -> None:
    """Prints the measurements as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--time_limit", type=float, default=60.0)
    parser.add_argument("--quick", action="store_true", help="4,000 rows, streamed all the same")
    values = parser.parse_args()
    if values.quick:
        found = measure(4000, 2, 4.0, memory=0)
    else:
        found = measure(values.rows, values.files, values.time_limit)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
