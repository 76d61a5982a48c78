"""Mixture weights and the objective of rows that nothing was trained on."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize, special

import adaptive_nets as an
from adaptive_nets.adanet.defaults import Defaults
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.rounds.scoring import CandidateScorer
from adaptive_nets.adanet.rounds.timing import rehearsal
from adaptive_nets.data.rows import make_rows

HELD_OUT = {"mixture_data": "validation", "training": "independent", "max_iterations": 2}


@pytest.fixture(scope="module")
def data(lc):
    x, y = lc.blobs()
    return x[:100], y[:100]


@pytest.fixture(scope="module")
def valid(lc):
    x, y = lc.blobs()
    return x[100:], y[100:]


@pytest.fixture(scope="module")
def fitted(lc, data, valid):
    """A search of two members, weighed by validation rows of unequal weights."""
    w = np.linspace(0.5, 1.5, len(valid[1]))
    return lc.small(**HELD_OUT, adanet_lambda=0.01).fit(
        *data, validation_data=(*valid, w), verbose=0
    )


def member_logits(search, x):
    outputs = [m.model(x) for m in search.ensemble.members]
    return np.stack([np.asarray(o["logits"], "float64") for o in outputs])


def test_weights_are_solved_on_the_validation_rows_and_judged_there(fitted, valid):
    h, y = member_logits(fitted, valid[0]), valid[1]
    v = np.linspace(0.5, 1.5, len(y))
    v = v / v.mean()
    gamma = 0.01 * np.array([m.complexity for m in fitted.ensemble.members])

    def objective(w):
        f = np.tensordot(w, h, 1)
        return np.mean(v * -special.log_softmax(f, axis=1)[np.arange(len(y)), y]) + gamma @ np.abs(
            w
        )

    found = optimize.minimize(objective, np.ones(len(h)), method="Nelder-Mead", tol=1e-12)
    weights = fitted.member_weights()["weight"].to_numpy()
    np.testing.assert_allclose(weights, found.x, atol=2e-3)
    assert fitted.ensemble.objective == pytest.approx(objective(weights), abs=1e-6)
    board = fitted.leaderboard()
    np.testing.assert_allclose(board["objective"], board["val_loss"] + board["penalty"], atol=1e-12)
    assert board.attrs["objective_of"] == "validation"
    assert "The objective is of the validation data." in str(board)


def test_it_is_stored_and_goes_on_as_if_it_had_never_stopped(lc, data, valid, tmp_path):
    given = {"validation_data": valid, "verbose": 0}
    whole = lc.small(**HELD_OUT).fit(*data, **given)
    lc.small(tmp_path, **{**HELD_OUT, "max_iterations": 1}).fit(*data, **given)
    with pytest.raises(ValueError, match="mixture_data: stored 'validation', now 'train'"):
        lc.small(tmp_path, **{**HELD_OUT, "mixture_data": "train"}).fit(*data, **given)
    with pytest.raises(
        ValueError, match=r"\Amixture_data requires held-out rows\. Pass valid[^\n]*"
    ):
        an.AdaNet.load(tmp_path).fit(*data, verbose=0)
    resumed = an.AdaNet.load(tmp_path, max_iterations=2)
    assert resumed.mixture_data == "validation"
    lc.assert_same(resumed.fit(*data, **given), whole)
    # Other validation rows give other objectives, so what is known is measured again.
    fewer = tuple(part[:30] for part in valid)
    before = resumed.ensemble
    resumed.fit(*data, validation_data=fewer, verbose=0)
    assert [m.name for m in resumed.ensemble.members] == [m.name for m in before.members]
    assert resumed.ensemble.objective != before.objective


def by_heart():
    """150 training rows and 150 others: the first column is right on the former only."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    right = (2.0 * y - 1) * np.where(rng.uniform(size=300) < 0.85, 1, -1)
    heart = np.where(np.arange(300) < 150, 2.0 * y - 1, rng.choice([-1, 1], 300))
    return np.column_stack([4 * heart, right]).astype("float32"), y


class Column(an.adanet.Builder):
    """Answers what a column says, without learning anything."""

    def __init__(self, name, column, complexity=1.0):
        self.name, self.column, self.complexity = name, column, complexity

    def build(self, inputs, units, previous=None):
        both = keras.ops.take(inputs, [self.column, self.column], axis=-1)
        logits = both * np.array([-1.0, 1.0], "float32")
        return an.adanet.Subnetwork(logits, complexity=self.complexity)


class Two(an.adanet.Generator):
    def generate(self, previous, iteration, reports):
        return [Column("heart", 0), Column("honest", 1)]


@pytest.mark.parametrize("kind", ["probability", "scalar"])
def test_what_was_learnt_by_heart_counts_for_nothing(lc, kind):
    x, y = by_heart()
    given = {**HELD_OUT, "mixture_weights": kind, "max_iterations": 1, "preprocessing": None}
    told = {}
    for rows in ("train", "validation"):
        search = lc.small(
            head=an.heads.MultiClass(2), generator=Two(), ensemble_strategies="all",
            **{**given, "mixture_data": rows},
        )  # fmt: skip
        search.fit(x[:150], y[:150], validation_data=(x[150:], y[150:]), verbose=0)
        told[rows] = dict(search.member_weights()[["subnetwork", "weight"]].to_numpy())
        # Where rows were held out, what weighs nothing is gone, and has not been selected.
        chosen = {f"1_{r.name}" for r in search.state.reports if r.selected}
        assert chosen == told[rows].keys()
    assert told["train"]["1_heart"] > 0.3
    assert told["validation"].get("1_heart", 0.0) < 0.1 < told["validation"]["1_honest"]


class OneByOne(an.adanet.Generator):
    def generate(self, previous, iteration, reports):
        return [Column("honest", 1) if iteration == 1 else Column("heart", 0, complexity=9.0)]


def test_a_round_of_which_nothing_is_left_selects_nothing(lc):
    (x, y), given = by_heart(), {**HELD_OUT, "mixture_weights": "probability", "adanet_lambda": 1.0}
    search = lc.small(
        head=an.heads.MultiClass(2), generator=OneByOne(), preprocessing=None, force_grow=True,
        **given,
    )  # fmt: skip
    search.fit(x[:150], y[:150], validation_data=(x[150:], y[150:]), verbose=0)
    assert [m.name for m in search.ensemble.members] == ["1_honest"]
    assert [r.selected for r in search.state.reports] == [True, False]
    # What the generator is told of it is not that it had no ensemble.
    assert search.state.reports[1].metrics["objective"] > 0
    assert len(search.leaderboard().query("round == 2 and status == 'rejected'")) == 1


def test_outputs_out_of_fold_are_weighed(lc, data, tmp_path):
    given = {**HELD_OUT, "mixture_data": "folds", "folds": 2, "mixture_weights": "probability"}
    search = lc.small(tmp_path, **{**given, "max_iterations": 1}).fit(*data, verbose=0)
    board = search.leaderboard()
    np.testing.assert_allclose(board["objective"], board["loss"] + board["penalty"], atol=1e-12)
    assert board.attrs["objective_of"] == "folds" and "out of fold" in str(board)
    assert search.context.settings.penalty == 1 / 100
    # What is served has seen all of these rows, and is better on them.
    assert search.evaluate(*data)["loss"] < board["loss"].min()
    loaded = an.AdaNet.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(data[0]), search.predict(data[0]))


def test_an_evaluator_still_decides(lc, data, valid):
    search = lc.small(**HELD_OUT, evaluator=an.adanet.Evaluator(metric="accuracy"))
    board = search.fit(*data, validation_data=valid, verbose=0).leaderboard()
    np.testing.assert_allclose(-board["objective"], board["val_accuracy"], rtol=1e-6)
    assert board.attrs["objective_of"] == "evaluator"


def test_a_stream_is_weighed_by_finite_rows(lc, data, valid):
    stream = tf.data.Dataset.from_tensor_slices(data).repeat().batch(20)
    search = lc.small(**HELD_OUT).fit(stream, validation_data=valid, verbose=0)
    board = search.leaderboard()
    np.testing.assert_allclose(board["objective"], board["val_loss"] + board["penalty"], atol=1e-12)
    assert search.state.stream_chunks > 0


def test_on_a_part_of_the_rows_the_same_view_is_weighed():
    head = an.heads.BinaryClass().adapt([0, 1])

    def view(count):
        return OutputCache(make_rows(np.zeros((count, 1)), np.arange(count) % 2, head))

    train, valid = view(4000), view(1000)
    part = rehearsal.on_part(CandidateScorer(head, None, None, train, valid, weighed=valid), 0.1)
    assert part.weighed is part.valid and len(part.weighed.rows) == 100
    part = rehearsal.on_part(CandidateScorer(head, None, None, train, valid), 0.1)
    assert part.weighed is part.train and len(part.views) == 2


def test_the_default_penalty_falls_with_the_rows_that_are_weighed():
    assert Defaults.of_rows(10_000, 32).adanet_lambda == pytest.approx(1e-2)
    assert Defaults.of_rows(10_000, 32, held_out=2500).adanet_lambda == pytest.approx(1 / 2500)
    assert Defaults.of_rows(10_000, 32, held_out=3).adanet_lambda == 0.1
    assert Defaults.of_rows(10_000, 32, True, True, held_out=2500).adanet_lambda == 1e-3


@pytest.mark.parametrize("weights", ["scalar", "probability"])
def test_targets_of_a_tiny_unit_are_not_answered_by_a_constant(lc, weights):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)).astype("float32")
    y = 0.01 * (x[:, 0] - 0.5 * x[:, 1])
    search = an.AdaNet(
        an.heads.Regression(), an.generators.Dense(16, depths=[1]), 1, 150, seed=0,
        training="independent", mixture_weights=weights, mixture_data="validation",
    )  # fmt: skip
    search.fit(x[:200], y[:200], validation_data=(x[200:], y[200:]), verbose=0)
    assert search.evaluate(x[200:], y[200:])["r2"] > 0.8
