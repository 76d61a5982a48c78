"""What a search leaves: leaderboard, models, predictions, exports."""

import json
import os

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.ensembles.outputs import OutputFunction

NAMES = np.array(["ant", "bee", "çat"])


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs()


@pytest.fixture(scope="module")
def fitted(lc, data):
    """Two candidates a round, with validation data and string labels."""
    x, y = data
    generator = an.generators.Dense(widths=[3, 6], depths=[1])
    search = lc.small(generator=generator, steps_per_iteration=30, preprocessing="auto")
    return search.fit(x[:180], NAMES[y[:180]], validation_data=(x[180:], NAMES[y[180:]]), verbose=0)


# Models and exports without the package ----------------------------------------------------------

# Loads each model in a process that cannot import adaptive_nets.
LOADER = """
import sys
sys.modules["adaptive_nets"] = None
import json, keras, numpy as np, tensorflow as tf
for place in sys.argv[1:]:
    with np.load(place + "/x.npz") as archive:
        x = {name: archive[name] for name in archive.files}
    model = keras.saving.load_model(place + "/model.keras")
    logits = model.predict(x.get("features", x), verbose=0)
    serve = tf.saved_model.load(place + "/export").signatures["serving_default"]
    outputs = serve(**{name: tf.constant(a) for name, a in x.items()})
    outputs = {"served_" + name: value.numpy() for name, value in outputs.items()}
    text = {n: np.char.decode(v.astype("S")) for n, v in outputs.items() if v.dtype == object}
    np.savez(place + "/found.npz", logits=logits, **{**outputs, **text})
assert not any(name.startswith("adaptive_nets.") for name in sys.modules)
"""


def kinds(lc):
    """Searches of many kinds by name, with features to predict."""
    x, y = lc.blobs()
    cheap = {"steps_per_iteration": 10, "preprocessing": "standardize"}
    yield "scalar, text", lc.small(**cheap), x, NAMES[y]
    yield "vector", lc.small(mixture_weights="vector", mixture_bias=True, **cheap), x, y
    yield "matrix", lc.small(mixture_weights="matrix", mixture_bias=True, **cheap), x, y
    adam = an.generators.Dense(4, [1])
    number = lc.small(head=an.heads.Regression(), generator=adam, max_iterations=1, **cheap)
    yield "regression", number, x, 100.0 + x[:, 0]
    several = lc.small(mixture_weights="uniform", **cheap)
    yield "uniform, dict", several, {"a": x[:, :2], "b": x[:, 2:]}, y
    conv = an.generators.Conv(filters=2, depths=[1], dropout=0.1)
    images = lc.small(generator=conv, max_iterations=1, steps_per_iteration=3)
    yield "conv", images, np.repeat(x, 6, axis=1).reshape(-1, 6, 6, 1), y


def test_models_and_exports_agree_where_the_package_is_not(lc, tmp_path, python):
    expected = {}
    for name, search, x, y in kinds(lc):
        search.fit(x, y, verbose=0)
        place = tmp_path / name
        place.mkdir()
        search.model.save(place / "model.keras")
        assert search.export(place / "export") == str(place / "export")
        some = keras.tree.map_structure(lambda a: a[:20], x)
        np.savez(place / "x.npz", **(some if isinstance(some, dict) else {"features": some}))
        outputs = ["predictions"] if name == "regression" else ["probabilities", "classes"]
        expected[name] = {o: search.predict(some, o) for o in outputs}
        logits = "predictions" if name == "regression" else "logits"
        expected[name]["logits"] = search.predict(some, logits)
        assert isinstance(search.model, keras.Model)
        for layer in [search.model, *search.model._flatten_layers()]:
            assert type(layer).__module__.startswith("keras."), layer
    places = [tmp_path / name for name in expected]
    python.run("-c", LOADER, *places, cwd=tmp_path, package=False)
    for name, outputs in expected.items():
        with np.load(tmp_path / name / "found.npz") as found:
            np.testing.assert_allclose(found["logits"], outputs["logits"], atol=1e-6, rtol=1e-6)
            for output, values in outputs.items():
                served = found.get(f"served_{output}")
                if output == "logits" and served is None:
                    continue
                if values.dtype.kind in "US":
                    assert served.tolist() == values.tolist()
                else:
                    np.testing.assert_allclose(served, values, atol=1e-6, rtol=1e-6)


def test_export_replaces_an_export_and_nothing_else(fitted, tmp_path):
    place = tmp_path / "deep" / "export"
    fitted.export(place)
    old = (place / "saved_model.pb").stat().st_ino
    (place / "left_over").write_text("")
    assert fitted.export(str(place)) == str(place)
    assert (place / "saved_model.pb").stat().st_ino != old
    assert not (place / "left_over").exists()
    assert os.listdir(tmp_path / "deep") == ["export"]
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("all of it")
    for path in (foreign, foreign / "thesis.tex", foreign / "thesis.tex" / "below"):
        with pytest.raises(OSError) as caught:
            fitted.export(path)
        assert "\n" not in str(caught.value)
    assert (foreign / "thesis.tex").read_text() == "all of it"
    assert os.listdir(foreign) == ["thesis.tex"]
    (tmp_path / "empty").mkdir()
    fitted.export(tmp_path / "empty")
    assert (tmp_path / "empty" / "saved_model.pb").exists()


# A new process -----------------------------------------------------------------------------------

GO_ON = """
import sys, json
import numpy as np, adaptive_nets as an
folder, more = sys.argv[1], int(sys.argv[2])
x, y = (np.load(folder + "/../" + n) for n in ("x.npy", "y.npy"))
search = an.AdaNet.load(folder, max_iterations=more)
logits = search.predict(x, "logits")
search.fit(x, y, verbose=0)
np.savez(folder + "/../found.npz", before=logits, after=search.predict(x, "logits"),
         board=np.array(search.leaderboard().drop(columns="seconds").to_json(double_precision=15)))
"""


def test_load_in_a_new_process_predicts_equal_and_goes_on(lc, data, tmp_path, python):
    x, y = data
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    first = lc.small(tmp_path / "search").fit(x, y, verbose=0)
    python.run("-c", GO_ON, tmp_path / "search", 3, cwd=tmp_path)
    with np.load(tmp_path / "found.npz") as found:
        before, after, board = (found[n] for n in ("before", "after", "board"))
    np.testing.assert_allclose(before, first.predict(x, "logits"), atol=1e-6)
    whole = lc.small(max_iterations=3).fit(x, y, verbose=0)
    np.testing.assert_allclose(after, whole.predict(x, "logits"), atol=1e-5)
    found, expected = (pd.DataFrame(json.loads(t)) for t in (str(board), lc.table(whole)))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4)


# Leaderboard -------------------------------------------------------------------------------------


def test_leaderboard_columns(fitted):
    board = fitted.leaderboard()
    columns = board.columns.tolist()
    assert columns[:6] == ["round", "candidate", "status", "objective", "loss", "penalty"]
    assert columns[-7:] == [
        "parameters", "steps", "seconds", "complexity", "gamma", "mixture_weight", "parent",
    ]  # fmt: skip
    # Γ = λ r + β and r of the newest member, and penalty = Σ Γ_j ||w_j||.
    members, norms = fitted.ensemble.members, fitted.ensemble.mixture.norms()
    chosen = board[(board.status == "selected") & (board.candidate != "previous")].iloc[-1]
    assert chosen.complexity == members[-1].complexity == 1.0
    gamma = [fitted.context.settings.ensembler.gamma(m.complexity) for m in members]
    assert chosen.gamma == gamma[-1]
    assert chosen.penalty == pytest.approx(np.dot(gamma, norms))
    metrics = set(fitted.head.metrics())
    assert set(columns[6:-7]) == {*metrics, *(f"val_{m}" for m in metrics), "val_loss"}
    assert not board.drop(columns="parent").isna().any().any()
    np.testing.assert_allclose(board.objective, board.loss + board.penalty, rtol=1e-9)


def test_leaderboard_rows(fitted):
    board = fitted.leaderboard()
    first, second = (board[board["round"] == r] for r in (1, 2))
    names = {"grow_1_layer_dense_3", "grow_1_layer_dense_6"}
    assert set(first.candidate) == names
    assert set(second.candidate) == {*names, "previous"}
    for rows in (first, second):
        assert rows.objective.is_monotonic_increasing
        assert (rows.status == "selected").sum() == 1
        assert set(rows.status) == {"selected", "rejected"}
    chosen = first[first.status == "selected"].iloc[0]
    previous = second[second.candidate == "previous"].iloc[0]
    assert previous.objective == chosen.objective
    assert previous.val_loss == chosen.val_loss
    assert set(first.parent) == {""}
    assert set(second.parent) == {f"1/{chosen.candidate}"}
    assert set(board.steps) == {30}
    sizes = {
        "grow_1_layer_dense_3": 6 * 3 + 3 + 3 * 3 + 3,
        "grow_1_layer_dense_6": 6 * 7 + 6 * 3 + 3,
    }
    for row in board.itertuples():
        old = chosen.parameters if row.round == 2 and row.candidate != "previous" else 0
        own = sizes.get(row.candidate, chosen.parameters)
        assert row.parameters == old + own
    last = second[second.status == "selected"].iloc[0]
    assert last.objective == fitted.ensemble.objective
    assert last.mixture_weight == pytest.approx(fitted.ensemble.mixture.norms()[-1])
    assert fitted.stop_reason == "max_iterations"


def test_measurements_are_those_of_the_model(fitted, data):
    x, y = data
    board = fitted.leaderboard()
    row = board[(board["round"] == 2) & (board.status == "selected")].iloc[0]
    for prefix, rows in (("", slice(0, 180)), ("val_", slice(180, None))):
        measured = fitted.evaluate(x[rows], NAMES[y[rows]])
        for name, value in measured.items():
            assert row[prefix + name] == pytest.approx(value, abs=1e-5), prefix + name


class Fixed(an.adanet.Builder):
    """A network that never learns and always gives the same logits; of any size."""

    def __init__(self, name, width):
        self.name, self.width = name, width

    def build(self, inputs, units, previous=None):
        zero = keras.initializers.Zeros()
        x = keras.layers.Dense(self.width, kernel_initializer=zero)(inputs)
        x = keras.layers.Dense(units, kernel_initializer=zero)(x)
        return an.adanet.Subnetwork(x, depth=0)

    def optimizer(self):
        return keras.optimizers.SGD(0.0)


class FixedNets(an.adanet.Generator):
    def __init__(self, **widths):
        self.widths = widths

    def generate(self, previous, iteration, reports):
        return [Fixed(name, width) for name, width in self.widths.items()]


@pytest.mark.parametrize("widths", [{"small": 2, "large": 9}, {"large": 9, "small": 2}])
def test_ties_go_to_the_smaller(lc, data, widths):
    settings = {"generator": FixedNets(**widths), "mixture_weights": "uniform"}
    search = lc.small(**settings, max_iterations=1).fit(*data, verbose=0)
    board = search.leaderboard()
    assert board.objective.nunique() == 1
    assert board[board.status == "selected"].candidate.tolist() == ["grow_small"]
    # A tie with the previous ensemble is not an improvement.
    search = lc.small(**settings, force_grow=False).fit(*data, verbose=0)
    assert search.stop_reason == "no_improvement"
    assert len(search.ensemble.members) == 1


# Predictions and measurements --------------------------------------------------------------------


def test_evaluate_is_what_sklearn_says(fitted, data):
    x, y = data
    weights = np.linspace(0.1, 2, len(y))
    probabilities = fitted.predict(x, "probabilities").astype("float64")
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    for given in (None, weights):
        measured = fitted.evaluate(x, NAMES[y], given)
        loss = sklearn.metrics.log_loss(y, probabilities, sample_weight=given)
        accuracy = sklearn.metrics.accuracy_score(y, probabilities.argmax(1), sample_weight=given)
        assert measured["loss"] == pytest.approx(loss, rel=1e-5)
        assert measured["accuracy"] == pytest.approx(accuracy, rel=1e-5)
    dataset = tf.data.Dataset.from_tensor_slices((x, NAMES[y])).batch(37)
    assert fitted.evaluate(dataset) == pytest.approx(fitted.evaluate(x, NAMES[y]), rel=1e-5)


def test_regression_is_measured_as_sklearn_does(lc, data):
    x = data[0]
    y = 100 + 5 * x[:, 0]
    generator = an.generators.Dense(4, [1], learning_rate=0.01)
    search = lc.small(head=an.heads.Regression(), generator=generator, max_iterations=1)
    search.fit(x, y, verbose=0)
    predictions = search.predict(x)
    assert predictions.shape == (len(x), 1)
    measured = search.evaluate(x, y)
    squared = sklearn.metrics.mean_squared_error(y, predictions)
    assert measured["mse"] == pytest.approx(squared, rel=1e-5)
    assert measured["loss"] == pytest.approx(squared, rel=1e-5)


def test_predict_outputs(fitted, data):
    x = data[0][:50]
    logits, probabilities = fitted.predict(x, "logits"), fitted.predict(x, "probabilities")
    assert logits.shape == probabilities.shape == (50, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(logits.argmax(1), probabilities.argmax(1))
    classes = fitted.predict(x)
    assert classes.dtype.kind == "U"
    np.testing.assert_array_equal(classes, NAMES[logits.argmax(1)])
    for same in (
        x.tolist(),
        pd.DataFrame(x),
        tf.constant(x),
        tf.data.Dataset.from_tensor_slices(x).batch(7),
        x.astype("float64"),
    ):
        np.testing.assert_allclose(fitted.predict(same, "logits"), logits, atol=1e-5)
    np.testing.assert_allclose(fitted.predict(x, "logits", batch_size=3), logits, atol=1e-5)
    assert fitted.predict(x[:1]).shape == (1,)


def test_best_single_is_its_member(fitted, data):
    x, y = data
    member = fitted.state.best_single
    features = fitted.preprocessing(x)
    np.testing.assert_allclose(
        fitted.best_single.predict(x, verbose=0),
        keras.ops.convert_to_numpy(member.model(features)["logits"]),
        atol=1e-5,
    )
    # By the data that candidates are judged on, here the training rows' validation split.
    measured = fitted.evaluate(x[180:], NAMES[y[180:]], model=fitted.best_single)
    assert measured["loss"] == pytest.approx(fitted.state.best_single_loss, abs=1e-5)
    losses = {f"{r.iteration}_{r.name}": r.metrics["loss"] for r in fitted.state.reports}
    assert min(losses, key=losses.get) == member.name


# Frozen members ----------------------------------------------------------------------------------


def test_frozen_members_are_run_once(lc, data, monkeypatch):
    """Each member's model passes over each data set once in the whole search."""
    ran = []
    plain = OutputFunction.__call__

    def call(self, *args):
        ran.extend(member.name for member in self.members)
        return plain(self, *args)

    monkeypatch.setattr(OutputFunction, "__call__", call)
    generator = an.generators.Dense(widths=[2, 3], depths=[1])
    search = lc.small(generator=generator, max_iterations=4, preprocessing="standardize")
    x, y = data
    search.fit(x[:180], y[:180], validation_data=(x[180:], y[180:]), verbose=0)
    assert len(search.ensemble.members) == 4
    assert len(ran) == 2 * 2 * 4  # two data sets, two candidates, four rounds
    assert {ran.count(name) for name in ran} == {2}


def test_kept_outputs_are_fresh_ones_and_losers_are_forgotten(lc, data, monkeypatch):
    made, sizes = [], []
    plain = OutputCache.__init__, OutputCache.keep_only

    def init(self, *args, **kwargs):
        plain[0](self, *args, **kwargs)
        made.append(self)

    def keep_only(self, members):
        plain[1](self, members)
        sizes.append(len(self.cache))

    monkeypatch.setattr(OutputCache, "__init__", init)
    monkeypatch.setattr(OutputCache, "keep_only", keep_only)
    generator = an.generators.Dense(widths=[2, 3, 4], depths=[1])
    search = lc.small(generator=generator, max_iterations=4).fit(*data, verbose=0)
    (view,) = made
    # At most the ensemble's members and the best single one are carried into a round.
    assert sizes[0] == 0
    assert all(size <= k + 1 for k, size in enumerate(sizes))
    for member in search.ensemble.members:
        fresh = keras.ops.convert_to_numpy(member.model(data[0])["logits"])
        np.testing.assert_allclose(view.cache[f"{member.name}.logits"], fresh, atol=1e-5)


def test_outputs_on_disk_change_nothing(lc, data):
    in_memory = lc.small().fit(*data, verbose=0)
    lc.assert_same(lc.small(cache_bytes=100).fit(*data, verbose=0), in_memory)


def test_a_member_does_not_change_once_it_is_in(lc, data):
    seen = []

    class Look(keras.callbacks.Callback):
        def on_round_end(self, number, logs=None):
            seen.append(self.model.ensemble.members[0].model.get_weights())

    lc.small(max_iterations=3).fit(*data, verbose=0, callbacks=[Look()])
    for later in seen[1:]:
        for a, b in zip(seen[0], later, strict=True):
            np.testing.assert_array_equal(a, b)
