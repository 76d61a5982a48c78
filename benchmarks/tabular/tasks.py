"""Tables with their targets, and how they are split."""

import dataclasses
import json
import pathlib

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import train_test_split

TEST_SHARE = 0.2

# Tables that are not in `tables.json`: folder, file, what separates columns, target, task, columns
# that are left out.
_OTHERS = {
    "adult": ("adult", "adult_train.csv.gz", ",", None, "binary", ()),
    "california_housing": (
        "california_housing", "california_housing.csv.gz", ",", "median_house_value",
        "regression", (),
    ),
    "wine_quality": (
        "wine_quality", "winequality_white.csv.gz", None, "quality", "regression", (),
    ),
    "covertype": ("covertype_15120", "covertype_15120.csv.gz", ",", "Cover_Type", "multiclass",
                  ("Id",)),
}  # fmt: skip

# Tables of this name and a number of rows are drawn, such as `generated_1000000`.
GENERATED = "generated_"
# Tables of insurance claims that are drawn: the number of claims, and their sum.
CLAIMS = {"claims_number": "claims", "claims_amount": "amount"}
_CLAIMS_ROWS = 20_000

# Tables that scikit-learn ships, or that are drawn here, for runs without `--data_dir`.
BUNDLED = {"mixed": "binary", "wine": "multiclass", "diabetes": "regression"}


@dataclasses.dataclass(frozen=True)
class Split:
    """A table's training and test rows.

    Args:
        name: Name of the table.
        target: Name of the target's column.
        task: `"binary"`, `"multiclass"` or `"regression"`.
        train: Training rows, with the target.
        test: Test rows, with the target.
        when: The column by which the table is split, or `None` if rows are drawn.
    """

    name: str
    target: str
    task: str
    train: pd.DataFrame
    test: pd.DataFrame
    when: str | None = None

    @property
    def classes(self) -> np.ndarray | None:
        """All labels, sorted; `None` for a regression."""
        if self.task == "regression":
            return None
        return np.unique(pd.concat([self.train[self.target], self.test[self.target]]))


def names(data_dir: pathlib.Path | None) -> list[str]:
    """Names of all tables there are."""
    if data_dir is None:
        return list(BUNDLED)
    return [*json.loads((data_dir / "tables" / "tables.json").read_text()), *_OTHERS]


def kind(name: str, data_dir: pathlib.Path | None) -> str:
    """What a table's target is: `"binary"`, `"multiclass"` or `"regression"`."""
    if data_dir is None:
        return BUNDLED[name]
    if name in _OTHERS:
        return _OTHERS[name][4]
    return json.loads((data_dir / "tables" / "tables.json").read_text())[name]["task"]


def load(name: str, seed: int, data_dir: pathlib.Path | None, most: int | None = None) -> Split:
    """A table, split by a seed.

    A fifth of the rows is the test: the last ones where the table is split by time, else drawn, by
    class. Of adult, whose test rows are fixed, the training rows are drawn (nine tenths).

    Args:
        name: Name of the table, `generated_ROWS`, or one of `CLAIMS`.
        seed: Seed of the split.
        data_dir: Folder of the tables, or `None` for what is bundled.
        most: Number of rows to keep. Defaults to `None`: all.
    """
    if name.startswith(GENERATED):
        frame = generated_table(int(name.removeprefix(GENERATED)), 0)
        return _split(name, frame, "bought", "binary", seed, most)
    if name in CLAIMS:
        rest = [column for column in CLAIMS.values() if column != CLAIMS[name]]
        frame = claims_table(_CLAIMS_ROWS, 0).drop(columns=rest)
        return _split(name, frame, CLAIMS[name], "regression", seed, most)
    if data_dir is None:
        frame, target, task = _bundled(name)
        return _split(name, frame, target, task, seed, most)
    if name not in _OTHERS:
        about = json.loads((data_dir / "tables" / "tables.json").read_text())[name]
        frame = pd.read_csv(data_dir / "tables" / f"{name}.csv.gz")
        when = about.get("split_by_time")
        if when is not None:
            return _in_time(name, frame, about["target"], about["task"], when, seed, most)
        return _split(name, frame, about["target"], about["task"], seed, most)
    folder, file, separator, target, task, dropped = _OTHERS[name]
    frame = _read(data_dir / folder / file, separator).drop(columns=list(dropped))
    target = target or frame.columns[-1]
    if name != "adult":
        return _split(name, frame, target, task, seed, most)
    test = _read(data_dir / folder / "adult_test.csv.gz", separator)
    train, _ = train_test_split(frame, test_size=0.1, random_state=seed, stratify=frame[target])
    return Split(name, target, task, _few(train, most, seed), _few(test, most, seed))


def _read(path, separator):
    if separator is None:
        return pd.read_csv(path, sep=None, engine="python")
    return pd.read_csv(path, sep=separator)


def _split(name, frame, target, task, seed, most):
    frame = _few(frame, most, seed)
    labels = None if task == "regression" else frame[target]
    if labels is not None and labels.value_counts().min() < 2:
        labels = None
    train, test = train_test_split(frame, test_size=TEST_SHARE, random_state=seed, stratify=labels)
    return Split(name, target, task, train, test)


def _in_time(name, frame, target, task, when, seed, most):
    """The last fifth is the test; the seed draws nine tenths of the rows before it."""
    frame = frame.iloc[np.argsort(pd.to_datetime(frame[when], format="mixed"), kind="stable")]
    cut = round(len(frame) * (1 - TEST_SHARE))
    train, _ = train_test_split(frame.iloc[:cut], test_size=0.1, random_state=seed)
    test = _few(frame.iloc[cut:], most, seed)
    return Split(name, target, task, _few(train, most, seed), test, when)


def _few(frame, most, seed):
    few = most is not None and len(frame) > most
    frame = frame.sample(most, random_state=seed) if few else frame
    return frame.reset_index(drop=True)


def _bundled(name):
    if name == "mixed":
        return mixed_table(600, 0), "bought", "binary"
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    return frame, "target", BUNDLED[name]


def mixed_table(rows: int, seed: int) -> pd.DataFrame:
    """A table with numbers, holes, strings and dates, whose target depends on all of them."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, rows).astype("float64")
    city = rng.choice(["Bonn", "Graz", "Lyon", "Turin"], rows)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), "D")
    score = 0.05 * (age - 45) + (city == "Graz") - (city == "Lyon") + (day.month > 6)
    bought = score + rng.logistic(size=rows) / 2 > 0.5
    age[rng.random(rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "age": age,
            "city": np.where(rng.random(rows) < 0.05, None, city),
            "visit": day.strftime("%Y-%m-%d"),
            "bought": np.where(bought, "yes", "no"),
        }
    )


def generated_table(rows: int, seed: int) -> pd.DataFrame:
    """A table of 20 columns of all kinds, with holes, whose target depends on a few of them."""
    rng = np.random.default_rng(seed)
    columns = {f"number_{k}": 10.0 ** (k % 3) * rng.normal(size=rows) for k in range(8)}
    for k, most in enumerate([30, 500, 100_000]):
        columns[f"whole_{k}"] = rng.integers(0, most, rows)
    for k, values in enumerate([2, 5, 20, 100, 1000]):
        columns[f"category_{k}"] = np.array([f"value {v}" for v in range(values)], object)[
            rng.integers(0, values, rows)
        ]
    columns["flag"] = rng.random(rows) < 0.3
    columns["day"] = np.datetime_as_string(
        np.datetime64("2020-01-01") + rng.integers(0, 1500, rows)
    ).astype(object)
    columns["price"] = rng.gamma(2.0, 50.0, rows).round(2).astype(str).astype(object)
    words = np.array(["a", "blue", "car", "drives", "fast", "house", "never", "old", "red", "the"])
    columns["note"] = pd.Series(map(" ".join, words[rng.integers(0, len(words), (rows, 6))]))
    table = pd.DataFrame(columns)
    score = table["number_0"] + (table["category_1"] == "value 1") + table["flag"]
    score += (table["whole_0"] > 20) - 0.5 * table["note"].str.contains("never")
    bought = np.where(score + rng.logistic(size=rows) / 2 > 1, "yes", "no")
    for name in ("number_1", "whole_1", "category_3", "note"):
        table[name] = table[name].where(rng.random(rows) > 0.1)
    return table.assign(bought=bought)


def claims_table(rows: int, seed: int) -> pd.DataFrame:
    """A table of insured cars: the number of claims of a year, mostly 0, and their sum."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, rows)
    car_age = rng.integers(0, 20, rows)
    power = rng.integers(4, 13, rows)
    density = np.exp(rng.normal(6.0, 1.5, rows)).round()
    bonus = np.clip(rng.normal(65.0, 20.0, rows).round(), 50, 150)
    region, brand = rng.integers(0, 6, rows), rng.integers(0, 8, rows)
    young = np.exp(-np.maximum(age - 18, 0) / 6.0)
    often = -2.6 + 1.2 * young + 0.02 * (bonus - 50) + 0.12 * (np.log(density) - 6)
    often += 0.25 * (region == 2) - 0.2 * (car_age > 12) + 0.1 * (brand % 3) * (power > 8)
    claims = rng.poisson(np.exp(often))
    mean = np.exp(7.0 + 0.06 * power - 0.02 * car_age + 0.4 * young + 0.3 * (brand == 5))
    amount = rng.gamma(2.0 * np.maximum(claims, 1)) * mean / 2.0 * (claims > 0)
    regions = np.array(["North", "East", "South", "West", "Centre", "Islands"], object)
    return pd.DataFrame(
        {
            "age": age, "car_age": car_age, "power": power, "density": density, "bonus": bonus,
            "region": regions[region], "brand": np.array([f"B{k}" for k in range(8)])[brand],
            "claims": claims, "amount": amount.round(2),
        }
    )  # fmt: skip
