"""Sets of classes, and coverage by groups: they hold as often as they say."""

import functools

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import ops

import adaptive_nets as an
from adaptive_nets.automl.judging.class_sets import ClassSets, mass_above
from adaptive_nets.automl.judging.coverage import coverage_table
from adaptive_nets.automl.judging.group_scores import GroupScores
from adaptive_nets.automl.judging.intervals import Intervals


def test_scores_are_the_mass_of_more_probable_classes():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 40).astype("float32")
    found = mass_above(p)
    for row, mass in zip(p.astype("float64"), found, strict=True):
        np.testing.assert_allclose(mass, [row[row > each].sum() for each in row], atol=1e-12)
    tied = mass_above(np.array([[0.25, 0.25, 0.5], [0.4, 0.4, 0.2]]))
    np.testing.assert_allclose(tied, [[0.5, 0.75, 0.0], [0.0, 0.4, 0.8]])
    np.testing.assert_array_equal(mass_above(ops.convert_to_tensor(p), ops), found)


def test_the_largest_score_in_closed_form():
    # The true classes have scores 0, .6, .9 and 0 of 4 rows.
    p = np.tile([0.6, 0.3, 0.1], (4, 1))
    sets = ClassSets.calibrate(np.array([0, 1, 2, 0]), p, None)
    assert [sets.widths(c)[0] for c in (0.4, 0.6, 0.8)] == pytest.approx([0.0, 0.6, 0.9])
    held = [sets.holds(p[:1], c)[0].tolist() for c in (0.4, 0.6, 0.8)]
    assert held == [[True, False, False], [True, True, False], [True, True, True]]


@pytest.mark.parametrize("coverage", [0.7, 0.9])
@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_as_many_further_rows_are_covered_on_average(coverage, factor):
    """Whether probabilities are right or not; where they are, sets are no larger than needed."""
    rng = np.random.default_rng(0)
    rows, further, found, sizes = 99, 200, [], []
    for _ in range(200):
        logits = rng.normal(size=(rows + further, 4))
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        codes = (rng.random((len(p), 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(0, 3)
        said = p**factor / (p**factor).sum(axis=1, keepdims=True)
        sets = ClassSets.calibrate(codes[:rows], said[:rows], None)
        held = sets.holds(said[rows:], coverage)
        found.append(held[np.arange(further), codes[rows:]].mean())
        sizes.append(held.sum(axis=1))
    assert np.min(sizes) >= 1
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - coverage) < 2 * error + 1e-9


@functools.cache
def _front():
    x, y = _table(1500, 0)
    return an.AutoClassifier(time_limit=0.01, seed=0, verbose=0).fit(x, y)


def _table(rows, seed):
    """Rows of two kinds, of which one is hard to tell."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"a": rng.normal(size=rows), "kind": rng.choice(["easy", "hard"], rows)})
    noise = np.where(x["kind"] == "hard", 2.0, 0.3) * rng.normal(size=rows)
    y = np.array(["low", "middle", "high"], dtype=object)
    return x, y[np.digitize(x["a"] + noise, [-0.6, 0.6])]


def _inside(sets, y):
    return np.array([row[label] for (_, row), label in zip(sets.iterrows(), y, strict=True)])


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_a_front_covers_new_rows(coverage):
    x, y = _table(3000, 1)
    found = _front().predict_set(x, coverage)
    assert list(found) == _front().classes_.tolist() and found.dtypes.unique() == [bool]
    held = len(_front()._fitted.intervals.scores.scores[0])
    error = np.sqrt(coverage * (1 - coverage) * (1 / held + 1 / 3000))
    assert abs(_inside(found, y).mean() - coverage) < 2 * error + 1 / held
    chosen = _front().predict_proba(x).argmax(axis=1)
    assert found.to_numpy()[np.arange(3000), chosen].all()


def test_each_group_is_covered_by_itself():
    x, y = _table(4000, 2)
    plain, own = (_inside(_front().predict_set(x, 0.85, by=by), y) for by in (None, "kind"))
    for kind in ("easy", "hard"):
        mask = (x["kind"] == kind).to_numpy()
        held = (_front()._fitted.groups.columns["kind"][1] >= 0).sum() / 2
        error = np.sqrt(0.85 * 0.15 / held)
        assert own[mask].mean() > 0.85 - 2.5 * error
    hard = (x["kind"] == "hard").to_numpy()
    assert own[hard].mean() > plain[hard].mean()


def test_they_are_saved_and_served(tmp_path):
    x, _ = _table(200, 3)
    front = _front()
    expected = front.predict_set(x, 0.8)
    again = an.automl.load(front.save(tmp_path / "saved"))
    pd.testing.assert_frame_equal(again.predict_set(x, 0.8), expected)
    pd.testing.assert_frame_equal(
        again.predict_set(x, 0.8, by="kind"), front.predict_set(x, 0.8, by="kind")
    )
    served = tf.saved_model.load(again.export(tmp_path / "served", coverage=0.8))
    given = {n: tf.constant(values) for n, values in again.schema_.read(x).items()}
    outputs = served.signatures["serving_default"](**given)
    assert {"classes", "probabilities", "set"} <= set(outputs)
    assert (outputs["set"].numpy() == expected.to_numpy()).mean() > 0.99
    assert an.serving.read_class_names(tmp_path / "served")["set"] == list(expected)


def test_intervals_of_groups_have_their_own_width(tmp_path):
    x, _ = _table(1200, 0)
    rng = np.random.default_rng(5)
    y = 3 * x["a"] + np.where(x["kind"] == "hard", 5.0, 0.5) * rng.normal(size=len(x))
    front = an.AutoRegressor(time_limit=0.01, seed=0, verbose=0).fit(x, y)
    found = front.predict_interval(x, 0.9, by="kind")
    widths = pd.Series(np.ptp(found, axis=1)).groupby(x["kind"].to_numpy())
    assert (widths.max() - widths.min() < 1e-9).all()
    assert widths.mean()["hard"] > 4 * widths.mean()["easy"]
    again = an.automl.load(front.save(tmp_path / "saved"))
    np.testing.assert_array_equal(again.predict_interval(x, 0.9, by="kind"), found)
    new = x[:3].assign(kind=["easy", "odd", None])
    with pytest.warns(UserWarning, match="Too few rows of kind = odd, "):
        some = again.predict_interval(new, 0.9, by="kind")
    np.testing.assert_allclose(some[1:], again.predict_interval(new, 0.9)[1:])
    for column in ("a", "soup", 3, ["kind"]):
        with pytest.raises(ValueError, match="by must be the name of a column of few"):
            front.predict_interval(x, by=column)
    with pytest.raises(ValueError, match="X must have the column 'kind'|kind"):
        front.predict_interval(x[["a"]], by="kind")


def test_groups_of_numbers_are_the_same_as_text():
    schema = an.data.Schema.infer(pd.DataFrame({"a": [0.5, 1.5, 2.5]}), kinds={})
    table = pd.DataFrame({"group": [1.0, 2.0, np.nan] * 2, "row": range(6)})
    groups = GroupScores.learn(schema, table, np.zeros((6, 1)), None)
    assert list(groups.columns) == ["group"] and groups.columns["group"][0] == ["1", "2", ""]


def test_measured_coverage_is_of_rows_that_others_tell_of():
    rng = np.random.default_rng(0)
    y, means = rng.normal(size=500), np.zeros(500)
    found = coverage_table(Intervals.calibrate(y, means), y, means, None, own=True)
    np.testing.assert_allclose(found["held"], found["coverage"], atol=0.03)
    assert list(found) == ["coverage", "held", "width"]
    table = _front().report_data(time_limit=0.01)["sets"]
    assert list(table) == ["coverage", "held", "size"]
    assert (table["held"] > table["coverage"] - 0.08).all() and (table["size"] >= 1).all()


@pytest.mark.parametrize("coverage", [0, 1, 1.2, "0.9", None, float("nan")])
def test_a_coverage_that_is_none_is_refused(coverage):
    with pytest.raises(ValueError, match="coverage must be a finite number > 0 and < 1"):
        _front().predict_set(_table(5, 0)[0], coverage)


def test_what_no_row_tells_of_is_refused(tmp_path):
    x, y = _table(1500, 0)
    with pytest.raises(ValueError, match="coverage must be at most"):
        _front().predict_set(x[:5], 0.9999)
    with pytest.raises(ValueError, match="coverage must be at most"):
        _front().export(tmp_path / "out", coverage=0.9999)
    few = an.AutoClassifier(time_limit=0.01, seed=0, verbose=0).fit(x[:8], [0, 1] * 4)
    with pytest.raises(ValueError, match="no intervals or sets.*at least 10 rows"):
        few.predict_set(x[:5])
