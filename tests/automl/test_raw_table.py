"""A raw table in, a model out that reads raw rows: fitted, asked, saved, served."""

import json

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest

import adaptive_nets as an


@pytest.fixture(scope="module")
def rows(flats):
    return flats.drop(columns="rent")


@pytest.fixture(scope="module")
def predicted(fitted, rows):
    return fitted.predict(rows)


def test_it_has_learnt_and_says_how(fitted, flats, predicted):
    board = fitted.leaderboard()
    assert board["model"].tolist()[:3] == ["constant", "linear", "boosting"]
    assert board["kind"].iloc[-1] == "served" and board["kind"].iloc[3] == "ensemble"
    errors = board.set_index("model")["rmse"]
    assert errors["served model"] < errors["linear"] + 1e-3 < errors["constant"]
    found = fitted.evaluate(flats)
    error = flats["rent"].to_numpy() - predicted
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found["r2"] == pytest.approx(fitted.score(flats.drop(columns="rent"), flats["rent"]))
    assert found["r2"] > 0.4


def test_what_each_column_was_taken_for_is_known(fitted):
    kinds = {f.name: f.kind for f in (*fitted.schema_.features, *fitted.schema_.ignored)}
    assert kinds["offer_id"] == "ignore" and kinds["built"] == "number"
    assert kinds["offered"] == "date" and kinds["town"] == "category"
    assert fitted.n_features_in_ == 9
    assert fitted.feature_names_in_.tolist()[:3] == ["offer_id", "town", "zip"]
    assert fitted.search_.head.name == "regression"


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t[t.columns[::-1]],
        lambda t: pl.from_pandas(t),
        lambda t: t.assign(more=1),
        lambda t: t.drop(columns="offer_id"),
        lambda t: t.astype({"rooms": "float64"}),
        lambda t: t.to_dict("series"),
        lambda t: t.assign(rent=0.0),
    ],
    ids=["reordered", "polars", "more columns", "without an id", "wider", "dict", "with target"],
)
@pytest.mark.filterwarnings("ignore:Features that were not in the training data")
def test_rows_of_other_forms_are_read_alike(fitted, rows, predicted, change):
    np.testing.assert_allclose(fitted.predict(change(rows)), predicted, rtol=1e-6)


def test_rows_of_a_file_are_read_alike(fitted, rows, predicted, tmp_path):
    rows.to_csv(tmp_path / "new.csv", index=False)
    np.testing.assert_allclose(fitted.predict(tmp_path / "new.csv"), predicted, rtol=1e-6)
    # What was text in training stays text where every value is a number.
    rows[rows["built"] != "?"].to_csv(tmp_path / "new.csv", index=False)
    known = predicted[(rows["built"] != "?").to_numpy()]
    np.testing.assert_allclose(fitted.predict(tmp_path / "new.csv"), known, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="town"), "missing: 'town'"),
        (lambda t: t.rename(columns={"town": "Town"}), "'town' [(]is it 'Town'[?][)]"),
        (lambda t: t.assign(size="large"), "'size'"),
        (lambda t: t.assign(size=np.inf), "'size'"),
    ],
    ids=["missing", "renamed", "another dtype", "infinite"],
)
def test_rows_that_do_not_fit_are_refused_by_name(fitted, rows, change, message):
    with pytest.raises(ValueError, match=message) as raised:
        fitted.predict(change(rows))
    assert "\n" not in str(raised.value)


def test_holes_and_values_that_training_had_not(fitted, rows, predicted):
    odd = rows[:4].copy()
    odd.loc[odd.index[0], "town"] = "Nowhere"
    odd.loc[odd.index[1], ["town", "offered", "text"]] = None
    odd["rooms"] = odd["rooms"].astype("float64")
    odd.loc[odd.index[2], "rooms"] = np.nan
    found = fitted.predict(odd)
    assert np.isfinite(found).all()
    assert found[3] == pytest.approx(predicted[3], rel=1e-6)
    assert len(fitted.predict(rows[:1])) == 1 and len(fitted.predict(rows[:0])) == 0


def test_saved_and_pickled_it_predicts_the_same(fitted, rows, predicted, folder, tmp_path):
    loaded = an.automl.load(folder / "run")
    np.testing.assert_array_equal(loaded.predict(rows), predicted)
    pd.testing.assert_frame_equal(loaded.leaderboard(), fitted.leaderboard())
    assert loaded.search_.leaderboard().equals(fitted.search_.leaderboard())
    assert loaded.feature_names_in_.tolist() == fitted.feature_names_in_.tolist()
    joblib.dump(fitted, tmp_path / "model.joblib")
    copy = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_allclose(copy.predict(rows), predicted, rtol=1e-6)
    alone = an.automl.load(fitted.save(tmp_path / "alone"))
    np.testing.assert_array_equal(alone.predict(rows), predicted)
    with pytest.raises(AttributeError, match="not kept in a model_dir"):
        _ = alone.search_


def test_fitted_again_in_its_folder_it_is_the_same(fitted, rows, predicted, folder, generator):
    again = an.AutoRegressor(generator=generator, model_dir=folder / "run", seed=0, verbose=0)
    again.fit(folder / "flats.csv", "rent")
    np.testing.assert_array_equal(again.predict(rows), predicted)


def test_a_damaged_or_absent_model_is_refused(fitted, tmp_path):
    with pytest.raises(ValueError, match="path must be a folder that AutoClassifier.save"):
        an.automl.load(tmp_path)
    path = tmp_path / "saved"
    fitted.save(path)
    text = (path / "automl.json").read_text()
    (path / "automl.json").write_text(text.replace("rent", "wage"))
    with pytest.raises(ValueError, match="automl.json' cannot be read: it has been altered"):
        an.automl.load(path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(OSError, match="is not a saved estimator"):
        fitted.save(tmp_path / "other")


CLIENT = """
import json, sys
import numpy as np, tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures
columns = json.load(open(sys.argv[2]))
def tensor(name, spec):
    fill = "" if spec.dtype == tf.string else float("nan")
    values = [fill if v is None else v for v in columns[name]]
    return tf.constant(values, spec.dtype)
default = serve["serving_default"]
specs = default.structured_input_signature[1]
given = {name: tensor(name, spec) for name, spec in specs.items()}
out = default(**given)["predictions"].numpy()[:, 0].tolist()
one = default(**{n: t[:1] for n, t in given.items()})["predictions"].numpy()
none = default(**{n: t[:0] for n, t in given.items()})["predictions"].numpy()
many = default(**{n: tf.repeat(t[:1], 10_000, 0) for n, t in given.items()})["predictions"].numpy()
assert one.shape == (1, 1) and none.shape == (0, 1) and many.shape == (10_000, 1)
def feature(value):
    if isinstance(value, str):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
examples = [tf.train.Example(features=tf.train.Features(feature={
    n: feature(t.numpy()[k].decode() if t.dtype == tf.string else float(t.numpy()[k]))
    for n, t in given.items()})).SerializeToString() for k in range(3)]
parsed = serve["regress"](tf.constant(examples))["outputs"].numpy().ravel().tolist()
print(json.dumps([out, parsed]))
"""


def test_served_without_the_package_it_predicts_the_same(fitted, rows, predicted, tmp_path, python):
    path = fitted.export(tmp_path / "served")
    keys = {f.name: f.key for f in fitted.schema_.features}
    plain = rows[list(keys)].rename(columns=keys).astype(object)
    columns = plain.where(plain.notna(), None).to_dict("list")
    (tmp_path / "rows.json").write_text(json.dumps(columns))
    done = python.run("-c", CLIENT, path, str(tmp_path / "rows.json"), package=False)
    found, parsed = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found, predicted, rtol=1e-6)
    np.testing.assert_allclose(parsed, predicted[:3], rtol=1e-6)
