"""Candidates that are trained on data of their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.adanet.rounds.round import Round


class Given(an.adanet.Builder):
    """A small network with training data of its own."""

    def __init__(self, name, data=None):
        self.name, self.data = name, data

    def build(self, inputs, units, previous=None):
        hidden = keras.layers.Dense(4, activation="relu")(inputs)
        joined = an.adanet.connect(hidden, previous, 1)
        second = keras.layers.Dense(3, activation="relu")(joined)
        logits = keras.layers.Dense(units)(second)
        return an.adanet.Subnetwork(logits, second, [hidden, second], 2)

    def optimizer(self):
        return keras.optimizers.SGD(0.1)

    def training_data(self, rows, seed):
        return self.data


class Builders(an.adanet.Generator):
    def __init__(self, *data):
        self.data = data

    def generate(self, previous, iteration, reports):
        return [Given(name, data) for name, data in self.data]


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(100)


def fitted(lc, data, *given, **settings):
    """The search, and the trained weights of all its candidates."""
    search = lc.small(generator=Builders(*given), **settings)
    found, plain = {}, Round.check_weights

    def check(self):
        plain(self)
        found.update({m.name: m.model.get_weights() for m in self.members})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Round, "check_weights", check)
        search.fit(*data, verbose=0)
    return search, found


def same(a, b, tolerance=0.0):
    return all(np.abs(v - w).max() <= tolerance for v, w in zip(a, b, strict=True))


def test_own_rows_equal_the_same_rows_given_by_index(lc, data):
    """A sample by index is a data set of these rows: one is gathered, the other copied."""
    x, y = data
    index = np.random.default_rng(1).integers(0, 100, 60)
    own = an.adanet.TrainingData(x=x[index], y=y[index])

    a = fitted(lc, data, ("net", an.adanet.TrainingData(indices=index)), max_iterations=1)[1]
    # The order of a sample is a permutation of it, as the order of own rows is of them.
    b = fitted(lc, data, ("net", own), max_iterations=1)[1]
    assert same(a["1_net"], b["1_net"], 1e-6)


def test_a_neighbour_with_own_data_changes_nothing(lc, data):
    alone = fitted(lc, data, ("plain", None))[1]
    index = np.arange(10)
    both = fitted(lc, data, ("plain", None), ("own", an.adanet.TrainingData(indices=index)))[1]
    assert same(alone["1_plain"], both["1_plain"])


def test_all_rows_as_own_data_train_on_the_residual_and_read_frozen_layers(lc, data):
    """The second round, too: base and hidden layers are computed on the rows that it brings."""
    x, y = data
    own = fitted(lc, data, ("net", an.adanet.TrainingData(x=x, y=y)), mixture_weights="matrix")
    index = an.adanet.TrainingData(indices=np.arange(100))
    shared = fitted(lc, data, ("net", index), mixture_weights="matrix")
    assert own[0].ensemble.members[1].reads == ["1_net.hidden_1"]
    assert same(own[1]["2_net"], shared[1]["2_net"], 1e-5)
    np.testing.assert_allclose(own[0].ensemble.objective, shared[0].ensemble.objective, rtol=1e-4)


def test_own_weights_are_those_of_repeated_rows(lc, data):
    """One full batch: weights 2 and 0 are a row twice and a row left out."""
    x, y = data
    weights = np.array([2.0, 0.0] * 50)
    settings = {"max_iterations": 1, "steps_per_iteration": 3}

    def full(given):
        search = lc.small(generator=Builders(("net", given)), **settings)
        search.fit(x, y, verbose=0, batch_size=100)
        return search.ensemble.members[0].model.get_weights()

    weighed = full(an.adanet.TrainingData(sample_weight=weights))
    repeated = full(an.adanet.TrainingData(indices=np.repeat(np.arange(0, 100, 2), 2)))
    plain = full(None)
    assert same(weighed, repeated, 1e-6) and not same(weighed, plain, 1e-4)


def test_a_dataset_may_be_brought(lc, data):
    x, y = data
    dataset = tf.data.Dataset.from_tensor_slices((x[:40], y[:40])).batch(8)
    a = fitted(lc, data, ("net", an.adanet.TrainingData(x=dataset)), max_iterations=1)[1]
    arrays = an.adanet.TrainingData(x=x[:40], y=y[:40])
    b = fitted(lc, data, ("net", arrays), max_iterations=1)[1]
    assert same(a["1_net"], b["1_net"])


def test_mixture_weights_and_leaderboard_stay_with_the_rows_of_fit(lc, data):
    own = an.adanet.TrainingData(indices=np.arange(5))
    search = lc.small(generator=Builders(("net", own))).fit(*data, verbose=0)
    board = search.leaderboard()
    last = board[board.status == "selected"].iloc[-1]
    assert search.evaluate(*data)["loss"] == pytest.approx(last.loss, rel=1e-5)


def test_bagging_gives_each_candidate_a_bootstrap_of_its_own(lc, data, tmp_path):
    inner = an.generators.Dense(widths=[4], depths=[1, 2])
    bagging = an.generators.Bagging(inner, fraction=0.8)
    builders = bagging.generate(None, 1, [])
    samples = [b.training_data(100, seed).indices for b, seed in zip(builders, (1, 2), strict=True)]
    assert [len(s) for s in samples] == [80, 80] and not np.array_equal(*samples)
    assert len(set(samples[0])) < 70  # with replacement; about 55 of 100 rows
    assert np.array_equal(builders[0].training_data(100, 1).indices, samples[0])
    without = an.generators.Bagging(inner, 0.8, replacement=False).generate(None, 1, [])[0]
    assert len(set(without.training_data(100, 1).indices)) == 80
    settings = {"generator": bagging, "steps_per_iteration": 4}
    search = lc.small(tmp_path, **settings)
    search.fit(*data, verbose=0, callbacks=[lc.StopAt(2, 1)])
    lc.assert_same(
        an.AdaNet.load(tmp_path).fit(*data, verbose=0), lc.small(**settings).fit(*data, verbose=0)
    )


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"indices": [0, 100]}, "indices of builder 'net' must be .* row numbers from 0 to 99"),
        ({"indices": [-1]}, "non-empty array of row numbers >= 0"),
        ({"indices": []}, "non-empty array of row numbers"),
        ({"indices": [0.5]}, r"row numbers >= 0.*\[0.5\]"),
        ({"sample_weight": np.ones(7)}, "weights of builder 'net' must be 100 finite numbers"),
        ({"sample_weight": np.full(100, -1.0)}, "finite numbers >= 0"),
        ({"sample_weight": np.zeros(100)}, "finite numbers >= 0, .* not all 0"),
        ({"x": np.ones((9, 2)), "y": np.zeros(9, int)}, "training data of builder 'net' must have"),
        ({"x": np.ones((9, 6)), "y": np.zeros(8, int)}, "same number of rows"),
        ({"x": np.ones((9, 6)), "y": np.full(9, 7)}, "out of range|not among its classes"),
    ],
)
def test_own_data_that_does_not_fit_is_refused_by_name(lc, data, given, error):
    search = None
    with pytest.raises(ValueError, match=error):
        search = lc.small(generator=Builders(("net", an.adanet.TrainingData(**given))))
        search.fit(*data, verbose=0)
    assert search is None or search.state.iteration == 0


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, "TrainingData is empty"),
        ({"y": [1]}, "labels y without features"),
        ({"x": [[1.0]], "indices": [0]}, "a sample of fit's rows"),
    ],
)
def test_training_data_is_of_one_kind(given, error):
    with pytest.raises(ValueError, match=error):
        an.adanet.TrainingData(**given)


def test_own_data_needs_finite_data(lc, data):
    endless = tf.data.Dataset.from_tensor_slices(data).repeat().batch(10)
    generator = Builders(("net", an.adanet.TrainingData(indices=[0])))
    with pytest.raises(
        ValueError, match="Builder 'net' has its own training data, which requires finite data"
    ):
        lc.small(generator=generator).fit(endless, verbose=0)


@pytest.mark.parametrize("fraction", [0, -1, float("nan"), float("inf"), "all", True])
def test_bagging_fraction_must_be_positive(fraction):
    with pytest.raises(ValueError, match="fraction must be a finite number > 0"):
        an.generators.Bagging(an.generators.Dense(), fraction)
