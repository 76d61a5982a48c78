"""Bad input: one line that says what is wrong, before training, with nothing written or lost."""

import copy

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.adanet.rounds.trainer import RoundTrainer

ROWS = 60
X = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")
Y = np.arange(ROWS) % 3
STRINGS = np.array(["ant", "bee", "cat"])[Y]


def spoilt(value, row=17):
    x = X.copy()
    x[row, 2] = value
    return x


def dataset(x=X, y=Y):
    return tf.data.Dataset.from_tensor_slices((x, y))


class Generated(an.adanet.Generator):
    """Proposes what it is given."""

    def __init__(self, *builders):
        self.builders = builders

    def generate(self, previous, iteration, reports):
        return None if self.builders == (None,) else list(self.builders)


class Linear(an.adanet.Builder):
    def __init__(self, name="linear", build=None):
        self.name, self._build = name, build

    def build(self, inputs, units, previous=None):
        if self._build is not None:
            return self._build(inputs, units)
        return an.adanet.Subnetwork(keras.layers.Dense(units)(inputs))


def raising(inputs, units):
    raise ValueError("no such layer")


def proposing(*builders):
    return {"generator": Generated(*builders)}


# What is given to fit (x, y, others), to the search, and what the error says.
CASES = {
    "lengths": ((X, Y[:-1]), {}, {}, "features with 60 rows, labels with 59"),
    "lengths in a dict": (({"a": X, "b": X[:9]}, Y), {}, {}, "features with 9 and 60"),
    "NaN": ((spoilt(np.nan), Y), {}, {}, "NaN or infinity, first in row 17"),
    "inf": ((spoilt(-np.inf), Y), {}, {}, "NaN or infinity, first in row 17"),
    "NaN in a dict": (({"a": X, "b": spoilt(np.nan)}, Y), {}, {}, "'b' must be finite"),
    "NaN in a DataFrame": ((pd.DataFrame(spoilt(np.nan)), Y), {}, {}, "must be finite"),
    "overflow": ((X.astype("float64") * 1e300, Y), {}, {}, "must be finite"),
    "text column": ((pd.DataFrame({"a": STRINGS}), Y), {}, {}, "must be numeric .*Received: a,"),
    "no features": ((None, Y), {}, {}, "Features must be an array"),
    "ragged": (([[1.0, 2.0], [3.0]], [0, 1]), {}, {}, "rows have one shape|rows of different"),
    "labels out of range": ((X, Y), {}, {"head": an.heads.MultiClass(2)}, "[Ll]abels"),
    "negative labels": ((X, Y - 1), {}, {"head": an.heads.MultiClass(3)}, "[Ll]abels"),
    "fractional labels": ((X, Y + 0.5), {}, {}, "[Ll]abels"),
    "NaN labels": ((X, np.where(Y == 1, np.nan, Y)), {}, {}, "[Ll]abels"),
    "three classes": ((X, Y), {}, {"head": an.heads.BinaryClass()}, "[Ll]abels|classes"),
    "text to regress": ((X, STRINGS), {}, {"head": an.heads.Regression()}, "[Ll]abels|[Tt]argets"),
    "unknown class": (
        (X, STRINGS), {}, {"head": an.heads.MultiClass(class_names=["ant", "bee"])}, "cat",
    ),
    "no labels": ((X,), {}, {}, "Labels are missing"),
    "empty": ((X[:0], Y[:0]), {}, {}, "empty"),
    "empty dataset": ((dataset().take(0).batch(8),), {}, {}, "empty"),
    "unbatched": ((dataset(),), {}, {}, "must be batched"),
    "unbatched images": (
        (dataset(X.reshape(ROWS, 2, 2), np.eye(3, dtype="float32")[Y]),), {}, {}, "must be batched",
    ),
    "dataset without labels": (
        (tf.data.Dataset.from_tensor_slices(X).batch(8),), {}, {}, r"\(features, labels\)",
    ),
    "labels twice": ((dataset().batch(8), Y), {}, {}, "y must not be passed"),
    "NaN in a dataset": ((dataset(spoilt(np.nan)).batch(8),), {}, {}, "must be finite"),
    "endless, split": (
        (dataset().batch(8).repeat(),), {"validation_split": 0.5}, {}, "requires finite data",
    ),
    "endless, NaN": ((dataset(spoilt(np.nan)).batch(8).repeat(),), {}, {}, "must be finite"),
    "few weights": ((X, Y), {"sample_weight": np.ones(9)}, {}, "sample_weight"),
    "negative weights": ((X, Y), {"sample_weight": -np.ones(ROWS)}, {}, "sample_weight.*in row 0"),
    "no weight": ((X, Y), {"sample_weight": np.zeros(ROWS)}, {}, "sample_weight.*not all 0"),
    "weight of no class": ((X, Y), {"class_weight": {7: 1.0}}, {}, "unknown class 7"),
    "validation of another shape": (
        (X, Y), {"validation_data": (X[:, :2], Y)}, {}, "Validation data must have",
    ),
    "validation of other lengths": (
        (X, Y), {"validation_data": (X, Y[:5])}, {}, "same number of rows",
    ),
    "validation without labels": ((X, Y), {"validation_data": X}, {}, "validation_data must be"),
    "validation with NaN": (
        (X, Y), {"validation_data": (spoilt(np.nan), Y)}, {}, "must be finite",
    ),
    "validation of other labels": (
        (X, Y), {"validation_data": (X, Y + 1)}, {}, "[Ll]abels",
    ),
    "endless validation": (
        (X, Y), {"validation_data": dataset().batch(8).repeat()}, {}, "dataset must be finite",
    ),
    "split 1": ((X, Y), {"validation_split": 1.0}, {}, "validation_split"),
    "split -0.1": ((X, Y), {"validation_split": -0.1}, {}, "validation_split"),
    "split of one row": ((X, Y), {"validation_split": 1e-6}, {}, "validation_split"),
    "batch 0": ((X, Y), {"batch_size": 0}, {}, "batch_size"),
    "batch 1.5": ((X, Y), {"batch_size": 1.5}, {}, "batch_size"),
    "batch inf": ((X, Y), {"batch_size": float("inf")}, {}, "batch_size"),
    "batch None": ((X, Y), {"batch_size": None}, {}, "batch_size"),
    "time 0": ((X, Y), {"time_limit": 0}, {}, "time_limit"),
    "time -1": ((X, Y), {"time_limit": -1}, {}, "time_limit"),
    "verbose 7": ((X, Y), {"verbose": 7}, {}, "verbose"),
    "evaluator without data": (
        (X, Y), {}, {"evaluator": an.adanet.Evaluator()}, "Evaluator has no data",
    ),
    "evaluator of other shape": (
        (X, Y), {}, {"evaluator": an.adanet.Evaluator(X[:, :1], Y)}, "Evaluator data must have",
    ),
    "evaluator of an unknown metric": (
        (X, Y), {}, {"evaluator": an.adanet.Evaluator(X, Y, metric="speed")}, "Unknown metric",
    ),
    "evaluator of one class": (
        (X, Y % 2), {},
        {
            "head": an.heads.BinaryClass(),
            "evaluator": an.adanet.Evaluator(X[Y % 2 == 1], Y[Y % 2 == 1], metric="auc"),
        },
        "metric 'auc' is undefined on the rows that it judges by.*of 1 class",
    ),
    "nothing proposed": ((X, Y), {}, proposing(), "at least one builder. .* round 1"),
    "None proposed": ((X, Y), {}, proposing(None), "at least one builder. .* round 1"),
    "no builder": ((X, Y), {}, proposing("dense"), "must return adanet.Builder.*Received: str"),
    "same names": ((X, Y), {}, proposing(Linear(), Linear()), "duplicate builder names.*linear"),
    "no name": ((X, Y), {}, proposing(Linear(name="")), "has no name"),
    "name of a path": ((X, Y), {}, proposing(Linear(name="../a")), "must be valid in file names"),
    "build raises": ((X, Y), {}, proposing(Linear(build=raising)), "no such layer"),
    "build returns a tensor": (
        (X, Y), {}, proposing(Linear(build=lambda x, units: x)), "'linear' must return",
    ),
    "build returns other units": (
        (X, Y), {},
        proposing(Linear(build=lambda x, _: an.adanet.Subnetwork(keras.layers.Dense(7)(x)))),
        r"'linear' must return logits of shape \(None, 3\).*Received: \(None, 7\)",
    ),
    "negative complexity": (
        (X, Y), {}, {"complexity": lambda subnetwork: -1.0, **proposing(Linear())}, "complexity",
    ),
    "images wanted": ((X, Y), {}, {"generator": an.generators.Conv()}, "requires images"),
}  # fmt: skip


@pytest.fixture
def untrained(monkeypatch):
    def run(*args):
        raise AssertionError("training began")

    monkeypatch.setattr(RoundTrainer, "run", run)


def refused(search, arguments, options, said):
    kept = copy.deepcopy([a for a in arguments if not hasattr(a, "element_spec")])
    with pytest.raises((ValueError, TypeError, OSError), match=said) as caught:
        search.fit(*arguments, **{"verbose": 0, **options})
    assert "\n" not in str(caught.value)
    given = [a for a in arguments if not hasattr(a, "element_spec")]
    for before, after in zip(kept, given, strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, before, after)


@pytest.mark.parametrize("case", CASES)
def test_refused_before_training(lc, tmp_path, untrained, case):
    arguments, options, settings, said = CASES[case]
    search = lc.small(tmp_path / "new", **settings)
    refused(search, arguments, options, said)
    assert not list(tmp_path.iterdir())


def test_search_may_be_fit_after_a_refusal(lc, tmp_path):
    """Neither the labels nor the features of a refused call are remembered."""
    settings = {"generator": an.generators.Conv(filters=2, depths=[1]), "max_iterations": 1}
    search = lc.small(tmp_path / "new", **settings)
    refused(search, (X, Y % 2), {}, "requires images")
    images = np.repeat(X, 4, axis=1).reshape(ROWS, 4, 4)
    search.fit(images, Y, verbose=0)
    whole = lc.small(**settings).fit(images, Y, verbose=0)
    lc.assert_same(search, whole)


@pytest.mark.parametrize(
    "case",
    ["NaN", "lengths", "negative labels", "unbatched", "validation with NaN", "split 1", "time 0"],
)
def test_nothing_is_lost_of_a_search_that_was_there(lc, tmp_path, case):
    arguments, options, settings, said = CASES[case]
    search = lc.small(tmp_path, max_iterations=1).fit(X, Y, verbose=0)
    before, logits = lc.contents(tmp_path), search.predict(X, "logits")
    for again in (search, lc.small(tmp_path, max_iterations=2)):
        refused(again, arguments, options, said)
        assert lc.contents(tmp_path) == before
    np.testing.assert_array_equal(search.predict(X, "logits"), logits)


@pytest.mark.parametrize("place", ["file", "file/new", "file/new/deep"])
def test_model_dir_below_a_file(lc, tmp_path, untrained, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="model_dir must be a folder") as caught:
        lc.small(tmp_path / place).fit(X, Y, verbose=0)
    assert "\n" not in str(caught.value)
    assert lc.contents(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"head": "multi_class"}, "head must be a heads.Head"),
        ({"generator": "dense"}, "generator must be an adanet.Generator"),
        ({"evaluator": "loss"}, "evaluator must be an adanet.Evaluator"),
        *[
            ({name: value}, f"{name} must be an integer >= 1")
            for name in ("max_iterations", "steps_per_iteration")
            for value in (0, -1, 1.5, "3", None, True)
        ],
        *[
            ({name: value}, f"{name} must be a finite number >= 0")
            for name in ("adanet_lambda", "adanet_beta", "checkpoint_seconds")
            for value in (-1e-9, float("nan"), float("inf"), "0", None)
        ],
        ({"training": "both"}, "training must be one of 'residual', 'independent'"),
        ({"refit": "none"}, "refit must be one of 'all', 'new'"),
        ({"jit_compile": "yes"}, "jit_compile must be one of"),
        ({"mixture_weights": "tensor"}, "mixture_weights must be one of"),
        ({"preprocessing": "whiten"}, "preprocessing must be"),
        ({"ensemble_strategies": "shrink"}, "Each ensemble strategy must be 'grow', 'solo', 'all'"),
        ({"ensemble_strategies": ()}, "at least one strategy"),
        ({"complexity": "vc"}, "complexity must be one of"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"seed": "0"}, "seed must be"),
    ],
)
def test_settings_are_refused_at_once(lc, tmp_path, settings, said):
    with pytest.raises((ValueError, TypeError), match=said) as caught:
        lc.small(tmp_path / "new", **settings)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_unfitted_search_says_so(lc):
    search = lc.small()
    for ask in (
        lambda: search.model,
        lambda: search.best_single,
        lambda: search.ensemble,
        lambda: search.predict(X),
        lambda: search.evaluate(X, Y),
        lambda: search.export("nowhere"),
    ):
        with pytest.raises(ValueError, match="Call fit first"):
            ask()
    assert len(search.leaderboard()) == 0


def test_load_of_nothing(tmp_path):
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(ValueError, match="no search to load"):
            an.AdaNet.load(place)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def fitted(lc):
    return lc.small(max_iterations=1).fit(X, Y, verbose=0)


def test_bad_questions_to_a_fitted_search(fitted):
    for ask, said in (
        (lambda: fitted.predict(X[:, :2]), "expects features"),
        (lambda: fitted.predict(X, "probability"), "Unknown output"),
        (lambda: fitted.evaluate(X, Y[:3]), "same number of rows"),
        (lambda: fitted.evaluate(X), "Labels are missing"),
        (lambda: fitted.evaluate(spoilt(np.nan), Y), "must be finite"),
        (lambda: fitted.evaluate(X, Y + 5), "[Ll]abels"),
        (lambda: fitted.evaluate(dataset().batch(8).repeat()), "dataset must be finite"),
    ):
        with pytest.raises((ValueError, TypeError), match=said) as caught:
            ask()
        assert "\n" not in str(caught.value)
