"""Rows to predict and to hold out that are not as the training data were."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import adaptive_nets as an

RNG = np.random.default_rng(0)
ROWS = 60
NUMBERS = RNG.normal(size=ROWS)
TABLE = pd.DataFrame(
    {
        "a": NUMBERS,
        "b": RNG.choice(["u", "v"], ROWS),
        "c": pd.to_timedelta(np.arange(ROWS) * 61, "s"),
        "d": [f"0{k % 7}" for k in range(ROWS)],
    }
)
LABELS = np.where(NUMBERS > 0, "high", "low")


def quick(kind=an.AutoClassifier, **settings):
    return kind(**{"time_limit": 0.01, "seed": 0, "verbose": 0, **settings})


@pytest.fixture(scope="module")
def fitted():
    return quick().fit(TABLE, LABELS)


@pytest.fixture(scope="module")
def narrow():
    return quick().fit(TABLE[["a"]], LABELS)


def test_files_of_known_columns_are_read_however_small(narrow, tmp_path):
    for rows in (ROWS, 1, 0):
        TABLE[["a"]][:rows].to_csv(tmp_path / "t.csv", index=False)
        found = narrow.predict_proba(tmp_path / "t.csv")
        np.testing.assert_allclose(found, narrow.predict_proba(TABLE[:rows]), atol=1e-6)
        assert found.shape == (rows, 2)
    (tmp_path / "t.csv").write_text("z\n1\n")
    with pytest.raises(ValueError, match="it has one column"):
        narrow.predict(tmp_path / "t.csv")


def test_no_rows_are_no_predictions(fitted):
    for none in (TABLE[:0], pl.from_pandas(TABLE[:0]), {name: [] for name in TABLE}):
        assert fitted.predict(none).shape == (0,) and fitted.predict_proba(none).shape == (0, 2)


def test_what_a_file_cannot_say_is_read_from_it(fitted, tmp_path):
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    expected = fitted.predict_proba(TABLE)
    np.testing.assert_allclose(fitted.predict_proba(tmp_path / "t.csv"), expected, atol=1e-6)
    TABLE[6:8].to_csv(tmp_path / "t.csv", index=False, sep=";")
    np.testing.assert_allclose(fitted.predict_proba(tmp_path / "t.csv"), expected[6:8], atol=1e-6)


HELD = {
    "reordered": lambda t: (t[t.columns[::-1]], LABELS),
    "dict": lambda t: (t.to_dict("list"), LABELS.tolist()),
    "polars": lambda t: (pl.from_pandas(t), pl.Series(LABELS)),
    "arrow": lambda t: (pl.from_pandas(t).to_arrow(), LABELS),
    "list": lambda t: [t, LABELS],
    "table": lambda t: t.assign(y=LABELS),
    "rows": lambda t: t.assign(y=LABELS).to_dict("records"),
}


def board(given):
    return quick().fit(TABLE, LABELS, validation_data=given).leaderboard().drop(columns="seconds")


@pytest.fixture(scope="module")
def expected():
    return board((TABLE, LABELS))


@pytest.mark.parametrize("form", HELD)
def test_rows_to_hold_out_come_in_any_form(form, expected):
    pd.testing.assert_frame_equal(board(HELD[form](TABLE)), expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((TABLE.drop(columns="b"), LABELS), "missing: 'b'"),
        ((TABLE.rename(columns={"b": "B"}), LABELS), "'b' [(]is it 'B'[?][)]"),
        ((TABLE.assign(a="x"), LABELS), "'a' must be numbers"),
        ((TABLE, np.where(NUMBERS > 0, "high", "mid")), "one of its 2 classes.*'mid'"),
        ((TABLE, LABELS[:5]), "inconsistent numbers of samples"),
        ((TABLE, LABELS, np.ones(ROWS), 3), "validation_data must be .* Received: 4 parts"),
        ((TABLE, LABELS, -np.ones(ROWS)), "sample_weight must be finite numbers >= 0"),
        (TABLE, "has no column 'y'"),
    ],
    ids=range(8),
)
def test_rows_to_hold_out_that_do_not_fit_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(TABLE, LABELS, validation_data=given)


def test_scores_are_of_labels_as_they_come():
    y = pd.Series([f"${k * 100:,.2f}" for k in NUMBERS], name="y")
    model = quick(an.AutoRegressor).fit(TABLE, y)
    assert model.score(TABLE, y) == pytest.approx(model.evaluate(TABLE, y)["r2"])
    assert model.score(TABLE.assign(y=y)) == model.score(TABLE.assign(z=y), "z")
    flags = pd.Series(NUMBERS > 0, dtype=object)
    model = quick().fit(TABLE, flags)
    assert model.score(TABLE, flags) == model.evaluate(TABLE, flags)["accuracy"] > 0.8


def test_classes_that_look_alike_are_said():
    with pytest.warns(UserWarning, match="'HIGH', 'high '. If they are one class"):
        model = quick().fit(
            TABLE, np.where(NUMBERS > 1, "HIGH", np.where(NUMBERS > 0, "high ", "low"))
        )
    assert model.classes_.tolist() == ["HIGH", "high ", "low"]
