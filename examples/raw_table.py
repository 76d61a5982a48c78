"""A raw table in, a served model out: what `make demo` fits from the command line.

    python examples/raw_table.py FOLDER [--rows=3000] [--time_limit=60]

The table is made up: offers of flats, with text, dates, codes, and holes of several kinds. It is
written to FOLDER/flats.csv, and a few offers without a rent to FOLDER/new.csv. With a time limit
the model is fitted here too; `adaptive-nets fit --table FOLDER/flats.csv --target rent` does the
same.
"""

import argparse
import pathlib

import numpy as np
import pandas as pd

import adaptive_nets as an

TOWNS = ["Aalen", "Bremen", "Celle", "Dachau", "Erfurt", "Fulda", "Gotha", "Halle"]
WORDS = ["bright", "quiet", "new kitchen", "balcony", "garden", "no lift", "old building", "cellar"]


def flats(rows: int, seed: int = 0) -> pd.DataFrame:
    """Returns made-up offers of flats as they could come from anywhere."""
    rng = np.random.default_rng(seed)
    town = rng.integers(0, len(TOWNS), rows)
    size = rng.gamma(9.0, 8.0, rows).round(1) + 15
    rooms = np.clip((size / 28 + rng.normal(0, 0.6, rows)).round(), 1, 7).astype(int)
    built = rng.integers(1890, 2024, rows)
    furnished = rng.random(rows) < 0.3
    days = rng.integers(0, 1400, rows)
    offered = pd.Timestamp("2021-01-01") + pd.to_timedelta(days, unit="D")
    praise = [rng.choice(len(WORDS), rng.integers(2, 6), replace=False) for _ in range(rows)]
    lift = np.array([0.08 * (3 in p) + 0.06 * (4 in p) + 0.05 * (2 in p) for p in praise])
    price = 7 + 0.9 * town + 0.02 * (built - 1950) * (built > 1950) + 1.5 * furnished
    season = 0.05 * np.sin(2 * np.pi * days / 365.25) + 0.08 * days / 1400
    rent = size**0.93 * price * (1 + lift + season) * np.exp(rng.normal(0, 0.06, rows))
    table = pd.DataFrame(
        {
            "offer_id": [f"F{number:06d}" for number in rng.permutation(rows)],
            "town": np.array(TOWNS)[town],
            "zip": [f"{1000 + 37 * t + rng.integers(0, 9):05d}" for t in town],
            "size": size,
            "rooms": rooms,
            "built": built.astype(str),
            "furnished": np.where(furnished, "yes", "no"),
            "offered": offered.strftime("%d.%m.%Y"),
            "text": [", ".join(WORDS[k] for k in p) for p in praise],
            "rent": rent.round(0),
        }
    )
    table.loc[rng.random(rows) < 0.1, "built"] = "?"
    table.loc[rng.random(rows) < 0.05, "furnished"] = None
    table.loc[rng.random(rows) < 0.05, "size"] = np.nan
    return table


def main(folder: pathlib.Path, rows: int, time_limit: float | None) -> dict[str, float]:
    """Writes the tables, and with a time limit fits, predicts and exports; returns metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    table = flats(rows + 5)
    table[:rows].to_csv(folder / "flats.csv", index=False)
    table[rows:].drop(columns="rent").to_csv(folder / "new.csv", index=False)
    print(f"{rows} offers: {folder / 'flats.csv'}")
    if time_limit is None:
        return {}
    model = an.AutoRegressor(time_limit=time_limit, seed=0)
    model.fit(folder / "flats.csv", "rent")
    print(model.schema_)
    print(model.leaderboard().to_string(index=False))
    print("rents of the new offers:", *model.predict(folder / "new.csv").round())
    print("to be served:", model.export(folder / "export"))
    return model.evaluate(table[rows:])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="folder of the tables and of the model")
    parser.add_argument("--rows", type=int, default=3000, help="rows of the table")
    parser.add_argument("--time_limit", type=float, help="seconds to fit; default: no fit")
    options = parser.parse_args()
    main(options.folder, options.rows, options.time_limit)
