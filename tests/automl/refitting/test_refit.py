"""What was chosen is trained again on all rows, for as long as before."""

import functools

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.automl import searching
from adaptive_nets.automl.baselines.linear import LinearModel
from adaptive_nets.automl.fitting import Encoder
from adaptive_nets.automl.refitting import retrain
from adaptive_nets.data.encoding import fit_encoding


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {"age": random.normal(40, 10, 240), "city": random.choice(["Graz", "Linz"], 240)}
    )
    score = (table["age"] - 40) / 10 + (table["city"] == "Graz") + 0.3 * random.normal(size=240)
    return table.assign(bought=np.where(score > 0.5, "yes", "no"))


@pytest.fixture(scope="module")
def later(table):
    """Rows of a city that is not among the training rows: there, all buy."""
    rows = table[:80].assign(city="Wien", bought="yes")
    return pd.concat([table, rows], ignore_index=True)


@pytest.fixture(scope="module")
def short():
    with pytest.MonkeyPatch.context() as patch:
        few = functools.partial(an.AdaNet, max_iterations=1, steps_per_iteration=200)
        patch.setattr(searching, "AdaNet", few)
        yield


@pytest.fixture(scope="module")
def model(table, short, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return an.AutoClassifier(
        generator=an.generators.Tabular("mlp", width=16), model_dir=folder, seed=0, verbose=0,
        class_weight={"yes": 3.0},
    ).fit(table, "bought")  # fmt: skip


@pytest.fixture(scope="module")
def trained():
    """Searches that refits run, with their builders."""
    return []


@pytest.fixture(scope="module")
def again(model, later, trained):
    with pytest.MonkeyPatch.context() as patch:

        def search(head, generator, **settings):
            made = an.AdaNet(head, generator, **settings)
            trained.append((generator.builders[0].name, made))
            return made

        patch.setattr(retrain, "AdaNet", search)
        return model.refit(later)


def test_networks_are_those_that_were_chosen_and_take_as_many_steps(model, again, trained):
    members = retrain.Networks.of(model._fitted).ensemble.members
    assert [name for name, _ in trained] == [member.builder for member in members]
    board = model.search_.leaderboard().set_index("candidate")
    for name, search in trained:
        chosen = int(board["best_step"].get(f"grow_{name}", 0)) or int(board["steps"].max())
        assert search.state.steps == chosen
        assert search.context.batch_size == model.search_.context.batch_size
    assert again.search_ is model.search_


def test_all_rows_and_their_values_are_learnt(model, again, later):
    x = pd.DataFrame({"age": np.linspace(20, 30, 9), "city": "Wien"})
    column = list(again.classes_).index("yes")
    before, after = model.predict_proba(x)[:, column], again.predict_proba(x)[:, column]
    # Young people did not buy where the city was unknown.
    assert before.mean() + 0.2 < after.mean()
    assert model.evaluate(later)["log_loss"] > again.evaluate(later)["log_loss"]


def test_what_was_measured_is_kept_and_said(model, again, later):
    before, after = model.leaderboard(), again.leaderboard()
    pd.testing.assert_frame_equal(
        pd.DataFrame(before.drop(columns="note")), pd.DataFrame(after.drop(columns="note"))
    )
    note = after["note"].iloc[-1]
    assert note.endswith(f"refitted on {len(later)} rows, figures are those before")
    assert "refitted" not in before["note"].iloc[-1]
    assert (again.calibration_ is None) == (model.calibration_ is None)
    if again.calibration_ is not None:
        pd.testing.assert_frame_equal(again.calibration_, model.calibration_)


def test_it_is_saved_exported_and_refitted_from_its_folder(again, model, later, tmp_path):
    x = later.drop(columns="bought")
    saved = an.automl.load(again.save(tmp_path / "saved"))
    np.testing.assert_allclose(saved.predict_proba(x), again.predict_proba(x), atol=1e-6)
    with pytest.raises(ValueError, match="refit trains the networks of a search again, and there"):
        saved.refit(later)
    # The weights of classes are known there too, though they are no argument of what is loaded.
    loaded = an.automl.load(model.model_dir)
    assert loaded._fitted.choice.factors == (1.0, 3.0)
    assert retrain.Networks.of(loaded._fitted).ensemble.members[0].builder.startswith("mlp")


def test_a_linear_model_is_fitted_again(later):
    y = later["age"] * 3.0 + 10.0 * (later["city"] == "Wien")
    x = later[["age", "city"]]
    model = an.AutoRegressor(time_limit=0.1, seed=0, verbose=0).fit(x[:200], y[:200])
    found = model.refit(x, y)
    encoder = Encoder(model.schema_, fit_encoding(model.schema_, x))
    linear = LinearModel.fit(encoder(x), np.asarray(y)[:, None], None, None)
    np.testing.assert_allclose(found.predict(x), linear.outputs(encoder(x))[:, 0], rtol=1e-4)
    assert np.abs(found.predict(x) - model.predict(x)).max() > 1.0
    low, high = found.predict_interval(x, 0.8).T
    width = np.ptp(model.predict_interval(x[:1], 0.8))
    np.testing.assert_allclose(high - low, width, rtol=1e-4)


@pytest.mark.exhaustive
def test_folds_are_drawn_again(table, short):
    model = an.AutoClassifier(
        generator=an.generators.Tabular("mlp", width=8), folds=2, seed=0, verbose=0
    ).fit(table, "bought")
    found = model.refit(table)
    assert found.evaluate(table)["log_loss"] < 1.2 * model.evaluate(table)["log_loss"]
    x = table.drop(columns="bought")
    assert np.abs(found.predict_proba(x) - model.predict_proba(x)).max() > 1e-3


def test_rows_that_do_not_fit_are_refused_before_work(model, table):
    x, y = table.drop(columns="bought"), table["bought"]
    for given, words in [
        ((x, y.replace("no", "maybe")), "must be one of its 2 classes"),
        ((x[:50], ["yes"] * 50), "refit needs rows of every class. .* no row of class 'no'"),
        ((x[["age"]], y), "city"),
        ((x, y[:5]), "5"),
        ((x, y, -np.ones(240)), "sample_weight must be finite numbers >= 0"),
    ]:
        with pytest.raises(ValueError, match=words):
            model.refit(*given)


def test_networks_that_read_others_are_refused(model, table, monkeypatch):
    first = model.search_.ensemble.members[0]
    monkeypatch.setattr(first, "parents", (first,))
    with pytest.raises(ValueError, match="some read layers of others"):
        model.refit(table)
