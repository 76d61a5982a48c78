"""λ and β mean the same whatever the unit of the targets."""

import json

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.rounds.scoring import ScoredCandidate
from adaptive_nets.adanet.rounds.selection import select_best

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)).astype("float32")
Z = X[:, 0] + X[:, 1] * X[:, 2]
Z = (Z - Z.mean()) / Z.std()


def fitted(y, head=None, **settings):
    settings = {"max_iterations": 2, "steps_per_iteration": 60, "seed": 0, **settings}
    generator = an.generators.Dense(8, [1], optimizer=keras.optimizers.Adam(0.05))
    return an.AdaNet(head or an.heads.Regression(), generator, **settings).fit(X, y, verbose=0)


def measures(y, **settings):
    search = fitted(y, adanet_lambda=0.05, adanet_beta=0.02, **settings)
    return search.evaluate(X, y)["r2"], search


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mixture_weights": "vector"},
        {"mixture_weights": "matrix", "mixture_bias": True, "penalize_training": True},
        {"mixture_weights": "uniform"},
    ],
    ids=str,
)
def test_the_same_search_on_targets_of_any_scale(settings):
    expected, usual = measures(Z, **settings)
    assert expected > 0.3
    for scale in (0.01, 1e6):
        found, search = measures(Z * scale, **settings)
        assert found == pytest.approx(expected, abs=0.01)
        board, same = search.leaderboard(), usual.leaderboard()
        for column in ("penalty", "objective", "loss"):
            # Reported in the user's units.
            np.testing.assert_allclose(board[column] / scale**2, same[column], rtol=0.02)


@pytest.mark.parametrize("loss", ["mean_absolute_error", keras.losses.MeanAbsoluteError()])
def test_other_losses_have_their_own_size(loss):
    losses = [an.heads.Regression(1, loss).loss_scale(Z[:, None] * s) for s in (1.0, 1e-3)]
    assert losses[0].overall == pytest.approx(1.0, rel=1e-6)
    assert losses[1].overall == pytest.approx(1e-3, rel=1e-6)


def test_it_is_the_weighted_variance_of_squared_errors_also_far_from_zero():
    y = np.stack([Z, 100 * Z + 1e6], axis=1).astype("float32")
    w = np.linspace(0, 2, len(y)).astype("float32")
    found = an.heads.Regression(2).loss_scale(y, w)
    mean = np.average(y.astype("float64"), axis=0, weights=w)
    variances = np.average((y - mean) ** 2, axis=0, weights=w)
    np.testing.assert_allclose(found.each, variances, rtol=1e-6)
    np.testing.assert_allclose(found.deviation, np.sqrt(variances), rtol=1e-6)
    assert found.overall == pytest.approx(variances.mean())


def test_targets_that_do_not_vary_have_scale_1():
    assert an.heads.Regression(1).loss_scale(np.full((5, 1), 0.1, "float32")).overall == 1.0


def test_several_heads_are_joined_as_in_their_loss():
    heads = {"kind": an.heads.BinaryClass(), "size": an.heads.Regression(1)}
    head = an.heads.Multi(heads, weights={"kind": 1.0, "size": 3.0})
    y = {"kind": (Z > 0).astype(int), "size": 10 * Z}
    head.adapt(y)
    found = head.loss_scale(head.encode(y))
    np.testing.assert_allclose(found.each, [1.0, 100.0], rtol=1e-5)
    np.testing.assert_allclose(found.deviation, [1.0, 10.0], rtol=1e-5)
    assert found.overall == pytest.approx((1 + 3 * 100) / 4, rel=1e-5)
    assert an.heads.BinaryClass().adapt([0, 1]).loss_scale(np.zeros((2, 1))) is None


def test_a_small_target_beside_a_large_one_is_weighed_for_itself():
    y = np.stack([0.01 * Z, 1e4 * X[:, 0]], axis=1)
    search = fitted(y, mixture_weights="vector", adanet_lambda=0.05, max_iterations=1)
    (weight,) = search.ensemble.mixture.weights
    assert (weight > 0.5).all()


def test_it_is_stored_and_a_state_without_it_goes_on_without(tmp_path):
    search = fitted(Z * 100, model_dir=tmp_path, max_iterations=1)
    stored = ModelDirReader(tmp_path).read_state()
    assert stored["loss_scale"]["overall"] == pytest.approx(1e4, rel=1e-4)
    assert an.AdaNet.load(tmp_path).context.loss_scale == search.context.loss_scale

    file = max(tmp_path.glob("state-*.json"))
    then = {**json.loads(file.read_text()), "version": 2, "files": list(stored["files"])}
    file.write_text(
        json.dumps({k: v for k, v in then.items() if k not in ("loss_scale", "sha256")})
    )
    old = an.AdaNet.load(tmp_path, max_iterations=2)
    assert old.context.loss_scale is None
    old.fit(X, Z * 100, verbose=0)
    assert ModelDirReader(tmp_path).read_state()["loss_scale"] is None


def test_candidates_of_a_small_loss_differ():
    class Small:
        parameters = 1

        def __init__(self, objective):
            self.objective = objective

    better, before = ScoredCandidate(Small(1e-14), {}, ("a",)), Small(2e-14)
    assert select_best([better], before, False, unit=1e-13) is better
    assert select_best([better], before, False) is None


@pytest.mark.parametrize("scale", [30.0, 0.1])
def test_a_model_of_the_users_own_is_trained_as_keras_trains_it(scale):
    y = (Z * scale).astype("float32")

    def network():
        inputs = keras.Input((3,))
        start, small = keras.initializers.Constant(0.1), keras.regularizers.L2(0.05)
        dense = keras.layers.Dense(1, kernel_initializer=start, kernel_regularizer=small)
        return keras.Model(inputs, dense(inputs))

    expected = network()
    expected.compile(keras.optimizers.SGD(0.05), "mse")
    expected.fit(X, y, batch_size=200, epochs=20, verbose=0)
    pool = an.generators.Pool({"own": network()}, keras.optimizers.SGD(0.05))
    search = an.AdaNet(
        an.heads.Regression(), pool, max_iterations=1, steps_per_iteration=20, preprocessing=None,
        seed=0,
    )  # fmt: skip
    search.fit(X, y, batch_size=200, verbose=0)
    (member,) = search.ensemble.members
    for found, wanted in zip(member.model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6 * scale)


def test_what_grows_from_a_network_of_targets_scale_keeps_its_unit(monkeypatch):
    seen = []
    kept = an.adanet.rounds.setup.loss_units

    def units(context, members):
        seen.append(kept(context, members))
        return seen[-1]

    monkeypatch.setattr(an.adanet.rounds.setup, "loss_units", units)
    dense = an.generators.Dense(8, [1])
    grown = an.generators.Growth(dense)
    settings = {"max_iterations": 2, "steps_per_iteration": 60, "seed": 0, "force_grow": True}
    search = an.AdaNet(an.heads.Regression(), grown, **settings).fit(X, Z * 30, verbose=0)
    assert len(seen) == 2 and search.state.iteration == 2
    np.testing.assert_allclose(np.concatenate(seen), 900.0, rtol=1e-3)
