"""Tables in several files: in memory if they fit, streamed if they do not, with one result."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.data.tables import opening


def _table(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    number, word = random.normal(size=rows), random.choice(["red", "green", "blue"], rows)
    blank = np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows))
    label = np.where(number + (word == "red") > 0.3, "yes", "no")
    return pd.DataFrame({"number": number, "word": word, "blank": blank, "label": label})


def _write(folder, table, parts=3, ending="parquet"):
    folder.mkdir(exist_ok=True)
    bounds = np.linspace(0, len(table), parts + 1).astype(int)
    paths = []
    for place in range(parts):
        part = table.iloc[bounds[place] : bounds[place + 1]]
        paths.append(folder / f"part-{place}.{ending}")
        if ending == "csv":
            part.to_csv(paths[-1], index=False)
        else:
            part.to_parquet(paths[-1], index=False, row_group_size=500)
    return paths


@pytest.fixture
def small_memory(monkeypatch):
    """No table fits into memory."""
    monkeypatch.setattr(opening, "MEMORY_LIMIT", 0)


@pytest.fixture(scope="module")
def streamed(tmp_path_factory):
    """A classifier that was fitted to a streamed folder of Parquet files, and its files."""
    paths = _write(tmp_path_factory.mktemp("parts"), _table(4000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "MEMORY_LIMIT", 0)
        model = an.AutoClassifier(time_limit=8, seed=0, verbose=0)
        model.fit(str(paths[0].parent), "label")
    return model, paths


def test_a_streamed_fit_searches_networks_and_generalizes(streamed):
    model, _ = streamed
    assert model.evaluate(_table(2000, seed=1))["accuracy"] > 0.9
    assert "rows streamed from 4,000" in model.leaderboard()["note"].iloc[-1]
    assert "ensemble" in set(model.leaderboard()["kind"])
    assert list(model.feature_names_in_) == ["number", "word", "blank"]


def test_missing_shares_are_counted_in_all_rows(streamed):
    model, _ = streamed
    blank = next(f for f in model.schema_.features if f.name == "blank")
    assert blank.missing_share == _table(4000)["blank"].isna().mean()


def test_files_are_predicted_and_evaluated_alike_streamed_or_not(streamed, small_memory):
    model, paths = streamed
    whole = pd.concat([pd.read_parquet(path) for path in paths])
    np.testing.assert_allclose(
        model.predict_proba(paths), model.predict_proba(whole.drop(columns="label")), atol=1e-6
    )
    known = model.evaluate(whole)
    assert model.evaluate(str(paths[0].parent / "part-*.parquet")) == pytest.approx(known, abs=1e-6)


def test_small_files_are_one_table(tmp_path):
    table = _table(60)
    paths = _write(tmp_path, table, ending="csv")
    for given in (paths, str(tmp_path / "part-*.csv"), tmp_path):
        pd.testing.assert_frame_equal(an.data.read_table(given), table, check_dtype=False)


def test_datasets_of_dicts_are_tables(tmp_path):
    table = _table(60)
    columns = {name: table[name].to_numpy() for name in table}
    for dataset in (
        tf.data.Dataset.from_tensor_slices(columns),
        tf.data.Dataset.from_tensor_slices(columns).batch(7),
    ):
        pd.testing.assert_frame_equal(
            an.data.read_table(dataset).astype(object), table.astype(object)
        )


def _fit(given, target="label", kind=an.AutoClassifier, **arguments):
    return kind(time_limit=3, seed=0, verbose=0).fit(given, target, **arguments)


@pytest.mark.parametrize("damage", ["cut", "empty", "columns", "kind", "target", "rows"])
def test_a_damaged_file_is_named_before_work(tmp_path, small_memory, damage):
    paths = _write(tmp_path, _table(300))
    second = pd.read_parquet(paths[1])
    if damage == "cut":
        paths[1].write_bytes(paths[1].read_bytes()[:-100])
    elif damage == "empty":
        paths[1].write_bytes(b"")
    elif damage == "columns":
        second.drop(columns="number").to_parquet(paths[1])
    elif damage == "kind":
        second.assign(number="a").to_parquet(paths[1])
    elif damage == "target":
        second.assign(label=None).to_parquet(paths[1])
    else:
        second.iloc[:0].to_parquet(paths[1])
    with pytest.raises(ValueError, match=r"part-1\.parquet") as error:
        _fit(paths)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        ("lable", {}, r"no column 'lable' \(is it 'label'\?\)"),
        (np.zeros(300), {}, "y must be the name of one of its columns"),
        ("label", {"sample_weight": np.ones(300)}, "sample_weight needs all rows in memory"),
        ("label", {"time": np.ones(300)}, "time needs all rows in memory"),
    ],
)
def test_what_needs_all_rows_is_refused(tmp_path, small_memory, target, arguments, message):
    with pytest.raises(ValueError, match=message):
        _fit(_write(tmp_path, _table(300)), target, **arguments)


def test_a_missing_number_as_target_names_file_and_row(tmp_path, small_memory):
    table = _table(300)
    table.loc[150, "number"] = np.nan
    with pytest.raises(ValueError, match=r"part-1\.parquet', first in row 50"):
        _fit(_write(tmp_path, table), "number", an.AutoRegressor)


def test_a_regressor_streams_csv_files(tmp_path, small_memory):
    table, valid = _table(2000), _table(200, seed=1)
    for each in (table, valid):
        noise = np.random.default_rng(len(each)).normal(size=len(each))
        each["amount"] = 100 + 10 * each["number"] + noise
    model = _fit(_write(tmp_path, table, ending="csv"), "amount", an.AutoRegressor,
                 validation_data=valid)  # fmt: skip
    assert model.evaluate(table)["r2"] > 0.95
