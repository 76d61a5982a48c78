"""Candidates that train k-fold kernels, and members that have their mean."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.data.specs import FeatureSpec
from adaptive_nets.majority.convert import has_majority

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
IMAGES = X.reshape(-1, 8, 8, 1)
VECTOR = FeatureSpec((5,), "float32")


def dense(depth, **settings):
    return an.generators.Dense(16, depth, learning_rate=0.02, **settings)


def search(generator, folder=None, **settings):
    settings = {"max_iterations": 2, "steps_per_iteration": 40, "force_grow": True, **settings}
    head = an.heads.MultiClass(10)
    return an.AdaNet(head, generator, model_dir=folder, seed=0, jit_compile=False, **settings)


def members_of(found):
    return list(found.state.members().values())


@pytest.mark.parametrize(
    "make",
    [
        lambda k: dense(2, norm="batch", majority=k),
        lambda k: dense(2, connect="all", kernel_constraint=an.adanet.NormBall(2), majority=k),
        lambda k: an.generators.Bagging(dense(1, majority=k)),
        # One candidate a round: which of several is best may hang on rounding.
        lambda k: an.generators.Growth(dense(1, majority=k), "widen", majority=k),
        lambda k: an.generators.Growth(dense(1, majority=k), "deepen", majority=k),
    ],
    ids=["dense", "connected", "bagging", "widened", "deepened"],
)
def test_members_are_as_small_as_without_and_predict_the_same_when_loaded(make, tmp_path):
    plain, majority = search(make(1)), search(make(3), tmp_path / "search")
    for each in (plain, majority):
        each.fit(X[:600], Y[:600], verbose=0)
    for one, other in zip(members_of(plain), members_of(majority), strict=True):
        assert one.parameters == other.parameters
        assert not has_majority(other.model)
        assert [w.shape for w in one.model.weights] == [w.shape for w in other.model.weights]
    expected = majority.predict(X[600:700], "logits")
    loaded = an.AdaNet.load(tmp_path / "search")
    np.testing.assert_allclose(loaded.predict(X[600:700], "logits"), expected, atol=1e-6)
    assert majority.evaluate(X, Y)["accuracy"] > 0.5


def test_statistics_are_those_of_the_mean_kernels():
    found = search(an.generators.Dense(8, 1, norm="batch", majority=3), max_iterations=1)
    found.fit(X[:500], Y[:500], verbose=0)
    model = members_of(found)[0].model
    (norm,) = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    before = keras.Model(model.input, norm.input)
    rows = found.preprocessing(X[:500])
    values = np.asarray(before(rows, training=False))
    # Over batches of 256 rows: the variance between their means is not in it.
    np.testing.assert_allclose(norm.moving_mean, values.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(norm.moving_variance, values.var(axis=0), rtol=0.1)


def test_candidates_draw_and_repeat(built):
    def candidate():
        (builder,) = propose_builders(an.generators.Dense(16, 1, majority=3), None, 1, [])
        return built(builder, VECTOR)

    x = np.random.default_rng(0).normal(size=(7, 5)).astype("float32")
    one, other = candidate().model, candidate().model
    draws = [np.asarray(one(x, training=True)["logits"]) for _ in range(2)]
    assert np.abs(draws[0] - draws[1]).max() > 1e-3
    np.testing.assert_array_equal(draws[0], other(x, training=True)["logits"])
    plain = built(propose_builders(an.generators.Dense(16, 1), None, 1, [])[0], VECTOR).model
    # Kernels lie around those of the plain candidate.
    np.testing.assert_allclose(one(x)["logits"], plain(x)["logits"], atol=1e-5)


def test_kernels_of_a_trained_model_stay_close_and_fresh_ones_do_not(built):
    def spread(model):
        (layer,) = [x for x in model._flatten_layers() if type(x) is an.layers.MajorityDense]
        kernel = np.asarray(layer.kernels["kernel"])
        return (kernel - kernel.mean(axis=0)).std() / kernel.mean(axis=0).std()

    def fresh():
        return keras.Sequential([keras.Input((40,)), keras.layers.Dense(30)])

    pool = an.generators.Pool({"given": fresh(), "made": fresh}, majority=3)
    spec = FeatureSpec((40,), "float32")
    given, made = (built(b, spec, 30).model for b in propose_builders(pool, None, 1, []))
    shrink = np.sqrt(2 / 3)  # of k = 3 draws about their mean
    assert spread(given) == pytest.approx(0.1 * shrink, rel=0.1)
    assert spread(made) == pytest.approx(shrink, rel=0.1)


def test_an_interrupted_round_goes_on_with_its_draws(tmp_path):
    """The weights are those of a search that was not interrupted."""

    class Stop(an.callbacks.SearchCallback):
        def on_train_batch_end(self, batch, logs=None):
            if batch >= 1:
                self.model.stop_training = True

    generator = an.generators.Dense(8, 1, norm="batch", majority=3)
    settings = {"max_iterations": 1, "steps_per_iteration": 2000}
    whole = search(generator, **settings)
    whole.fit(X[:500], Y[:500], verbose=0)
    cut = search(generator, tmp_path / "search", **settings)
    cut.fit(X[:500], Y[:500], verbose=0, callbacks=[Stop()])
    assert cut.state.partial is not None
    assert not has_majority(cut.state.partial.ensemble.members[0].model)
    again = an.AdaNet.load(tmp_path / "search", jit_compile=False)
    again.fit(X[:500], Y[:500], verbose=0)
    for one, other in zip(members_of(whole), members_of(again), strict=True):
        for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_penalty_is_that_of_the_mean_and_the_export_needs_no_package(tmp_path, python):
    generator = an.generators.Dense(8, 1, majority=3)
    found = search(generator, penalize_training=True, adanet_lambda=0.1, max_iterations=1)
    weak = search(generator, penalize_training=True, adanet_lambda=1e-6, max_iterations=1)
    for each in (found, weak):
        each.fit(X[:500], Y[:500], verbose=0)
    norms = [np.abs(m.model.layers[-1].kernel).sum() for s in (found, weak) for m in members_of(s)]
    assert norms[0] < norms[1]
    found.export(str(tmp_path / "served"))
    np.save(tmp_path / "x.npy", X[:3])
    script = (
        "import sys\nsys.modules['adaptive_nets'] = None\n"
        "import numpy as np, tensorflow as tf\n"
        "served = tf.saved_model.load(sys.argv[1])\n"
        "serve = served.signatures['serving_default']\n"
        "(name,) = serve.structured_input_signature[1]\n"
        "out = serve(**{name: tf.constant(np.load(sys.argv[2]))})\n"
        "print({k: v.shape for k, v in out.items()})\n"
    )
    given = [str(tmp_path / name) for name in ("served", "x.npy")]
    done = python.run("-c", script, *given, package=False)
    assert "logits" in done.stdout


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (0, "factor must be an integer >= 1"),
        (2.5, "factor must be an integer >= 1"),
        (True, "factor must be an integer >= 1"),
        ({"factor": 3, "distribution": "beta"}, "distribution must be one of"),
        ({"seed": 1}, "majority must be an integer k or a dict of the options"),
        ({"factor": 3, "kernel_spread": -1.0}, "kernel_spread must be a finite number"),
        ({"factor": 3, "subspace_penalty": -1.0}, "subspace_penalty must be a finite number"),
    ],
)
def test_wrong_settings_are_refused_at_once(setting, words):
    for make in (an.generators.Dense, an.generators.Conv, an.generators.Growth):
        with pytest.raises(ValueError, match=words):
            make(majority=setting)
    with pytest.raises(ValueError, match=words):
        an.generators.Pool({"a": lambda: keras.layers.Dense(3)}, majority=setting)


def test_plain_settings_change_nothing():
    for setting in (1, None, {"factor": 1}):
        assert an.generators.Dense(majority=setting).get_config()["majority"] is None
