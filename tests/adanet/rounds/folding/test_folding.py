"""Subnetworks of one network per fold: what each has seen, and what it is judged on."""

import keras
import numpy as np
import pytest
from scipy import special

import adaptive_nets as an
from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.rounds.folding.shared_trace import SharedTrace
from adaptive_nets.adanet.rounds.stopping.best_weights import BestWeights
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.data.folds import fold_numbers

FOLDS = 3
STOPPING = an.adanet.EarlyStopping(patience=4, every=2)


def search(lc, model_dir=None, **settings):
    given = {"folds": FOLDS, "max_iterations": 1, "steps_per_iteration": 8}
    return lc.small(model_dir, **{**given, "training": "independent", **settings})


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(rows=120)


@pytest.fixture(scope="module")
def fitted(lc, data):
    return search(lc, mixture_weights="uniform").fit(*data, verbose=0)


def assigned(found, classes, rows=120):
    """The number of each row's fold."""
    return fold_numbers(classes, rows, FOLDS, derive_seed(found.seed, "folds"))


def outputs(found, x):
    (member,) = found.ensemble.members
    return {key: np.array(value) for key, value in member.model(x).items()}


def test_a_member_predicts_the_mean_of_its_networks_probabilities(fitted, data):
    found = outputs(fitted, data[0])
    each = [special.softmax(found[f"fold_{fold}"], axis=1) for fold in range(FOLDS)]
    assert np.abs(each[0] - each[1]).max() > 0.01
    np.testing.assert_allclose(
        special.softmax(found["logits"], axis=1), np.mean(each, axis=0), atol=1e-6
    )
    np.testing.assert_allclose(fitted.model(data[0]), found["logits"], atol=1e-6)


def test_training_rows_are_judged_by_the_network_that_has_not_seen_them(fitted, data):
    x, y = data
    found, folds = outputs(fitted, x), assigned(fitted, y)
    own = np.stack([found[f"fold_{fold}"] for fold in range(FOLDS)], axis=1)
    logits = own[np.arange(len(y)), folds].astype("float64")
    loss = -special.log_softmax(logits, axis=1)[np.arange(len(y)), y].mean()
    assert fitted.leaderboard().loss[0] == pytest.approx(loss, abs=1e-6)
    # What it would be on rows that the networks have seen.
    seen = found["logits"].astype("float64")
    assert abs(-special.log_softmax(seen, axis=1)[np.arange(len(y)), y].mean() - loss) > 1e-3


def test_networks_of_folds_are_traced_once_and_train_as_if_each_had_been(lc, data, monkeypatch):
    steps, measurements = [], []
    for kind, name, calls in (
        (RoundTrainer, "_step", steps), (BestWeights, "measure", measurements)
    ):  # fmt: skip
        plain = getattr(kind, name)

        def counted(self, k, *given, plain=plain, calls=calls):
            calls.append(k)
            return plain(self, k, *given)

        monkeypatch.setattr(kind, name, counted)
    generator = an.generators.Dense(widths=4, depths=[1], dropout=0.2)
    given = {"generator": generator, "early_stopping": STOPPING, "steps_per_iteration": 40}
    shared = search(lc, **given).fit(*data, verbose=0)
    assert steps == measurements == [0]
    monkeypatch.setattr(SharedTrace, "__call__", lambda self, k, *given: self._function(k, *given))
    lc.assert_same(search(lc, **given).fit(*data, verbose=0), shared)
    assert steps[1:] == measurements[1:] == list(range(FOLDS))


def test_a_network_knows_nothing_of_the_labels_of_its_fold(lc, data):
    x = data[0]
    y = x[:, 0] * x[:, 1]
    given = {"head": an.heads.Regression(), "mixture_weights": "uniform"}
    one = search(lc, **given).fit(x, y, verbose=0)
    # Without classes, labels do not change the folds.
    mine = np.flatnonzero(assigned(one, None, len(y)) == 1)
    other = y.copy()
    other[mine] = np.roll(y[mine], 1)
    found = [outputs(each, x) for each in (one, search(lc, **given).fit(x, other, verbose=0))]
    gaps = [np.abs(found[0][f"fold_{f}"] - found[1][f"fold_{f}"]).max() for f in range(FOLDS)]
    # The labels' mean and spread, by which outputs are scaled, differ by their rounding.
    assert gaps[1] < 1e-5 and min(gaps[0], gaps[2]) > 1e-2


def test_an_ensemble_is_weighed_by_outputs_out_of_fold(lc, data):
    x, y = data
    found = search(lc, training="residual", max_iterations=2).fit(x, y, verbose=0)
    assert len(found.ensemble.members) == 2
    weights, losses = found.ensemble.mixture.weights, []
    folds = assigned(found, y)
    logits = np.zeros((len(y), 3))
    for weight, member in zip(weights, found.ensemble.members, strict=True):
        each = {k: np.array(v, "float64") for k, v in member.model(x).items()}
        own = np.stack([each[f"fold_{fold}"] for fold in range(FOLDS)], axis=1)
        logits += float(weight) * own[np.arange(len(y)), folds]
        losses.append(-special.log_softmax(logits, axis=1)[np.arange(len(y)), y].mean())
    assert found.leaderboard().query("status == 'selected'").loss.iloc[-1] == pytest.approx(
        losses[-1], abs=1e-6
    )


def test_each_network_stops_by_the_rows_of_its_fold(lc, data):
    found = search(lc, early_stopping=STOPPING, steps_per_iteration=40).fit(*data, verbose=0)
    report = found.state.reports[0].metrics
    # All rows of a fold are measured, and folds are of equal size.
    assert report["held_out_loss"] == pytest.approx(report["loss"], abs=1e-6)
    assert 0 < report["best_step"] <= found.leaderboard().steps[0]
    curves = found.learning_curves()
    assert curves.held_out_loss.notna().any() and (curves.candidate == "1_layer_dense").all()


@pytest.mark.parametrize("moment", [(1, 5), (2, 3)])
def test_a_search_that_is_interrupted_ends_as_if_it_had_not_been(
    moment, lc, data, tmp_path, one_step_calls
):
    settings = {"early_stopping": STOPPING, "max_iterations": 2, "training": "residual"}
    whole = search(lc, **settings).fit(*data, verbose=0)
    search(lc, tmp_path, **settings).fit(*data, verbose=0, callbacks=[lc.StopAt(*moment)])
    # What networks have seen is known again after loading.
    again = an.AdaNet.load(tmp_path).fit(*data, verbose=0)
    lc.assert_same(again, whole)


def test_majority_kernels_are_replaced_by_their_mean_in_every_network(lc, data, tmp_path):
    generator = an.generators.Dense(widths=4, depths=[1], majority=2)
    found = search(lc, generator=generator).fit(*data, verbose=0)
    path = tmp_path / "model.keras"
    found.model.save(path)
    assert "Majority" not in str(keras.saving.load_model(path).get_config())
    plain = keras.saving.load_model(path)(data[0])
    np.testing.assert_array_equal(plain, found.model(data[0]))


class Sampling(an.adanet.Builder):
    name = "sampling"

    def build(self, inputs, units, previous=None):
        return an.adanet.Subnetwork(keras.layers.Dense(units)(inputs))

    def training_data(self, rows, seed):
        return an.adanet.TrainingData(indices=np.arange(rows // 2))


class Samplers(an.adanet.Generator):
    def generate(self, previous, iteration, reports):
        return [Sampling()]


def test_what_has_no_folds_is_refused(lc, data):
    for settings, words in (
        ({"folds": 1}, "folds must be an integer >= 2"),
        ({"mixture_weights": "matrix"}, "folds requires mixture weights and a complexity that"),
        ({"complexity": "std"}, "folds requires mixture weights and a complexity that"),
        ({"placement": "round_robin"}, "folds requires placement='replicated'"),
    ):
        with pytest.raises(ValueError, match=words):
            search(lc, **settings)
    with pytest.raises(ValueError, match="folds=200 requires at least 400 training rows"):
        search(lc, folds=200).fit(*data, verbose=0)
    with pytest.raises(ValueError, match="Builder 'sampling' has its own training data"):
        search(lc, generator=Samplers()).fit(*data, verbose=0)
    found = search(lc).fit(*data, verbose=0)
    with pytest.raises(ValueError, match="A search with folds goes on only with the training"):
        found.fit(data[0][:60], data[1][:60], verbose=0)
