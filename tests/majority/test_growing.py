"""Growing a majority model, and making a grown one a majority model."""

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.majority import collapse, expand

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 6)).astype("float32")
IMAGES = RNG.normal(size=(3, 8, 8, 2)).astype("float32")


def mlp(seed=0):
    keras.utils.set_random_seed(seed)
    hidden = [layers.Dense(8, "relu", name="a"), layers.Dense(8, "relu", name="b")]
    return keras.Sequential([keras.Input((6,)), *hidden, layers.Dense(3, name="end")])


def residual():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(inputs)
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="one")(x)
    x = layers.Add()([x, layers.Conv2D(4, 3, padding="same", name="two")(y)])
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    return keras.Model(inputs, layers.Dense(3, name="end")(x))


MODELS = {"mlp": (mlp, X), "residual": (residual, IMAGES)}
GROWTHS = {
    "widen": lambda model: an.growth.widen(model, 2.0, seed=0),
    "replicate": lambda model: an.growth.widen(model, 2.0, "replicate", seed=0),
    "deepen": lambda model: an.growth.deepen(model, seed=0),
    "self_fuse": lambda model: an.growth.self_fuse(model, cross=0.0, preserve="exact", seed=0),
}


def outputs(model, x, training=False):
    found = keras.ops.convert_to_numpy(model(x, training=training))
    return np.asarray(found)


@pytest.mark.parametrize("growth", GROWTHS)
@pytest.mark.parametrize("name", MODELS)
def test_it_grows_with_its_draws(name, growth):
    """Mean and mixtures are preserved, for each kernel is; and it collapses to the grown model."""
    make, x = MODELS[name]
    model = make()
    bigger = expand(model, 3, kernel_spread=0.5, seed=0)
    grown = GROWTHS[growth](bigger)
    assert grown.count_params() > bigger.count_params()
    np.testing.assert_allclose(outputs(grown, x), outputs(model, x), atol=1e-5)
    for _ in range(2):
        np.testing.assert_allclose(outputs(grown, x, True), outputs(bigger, x, True), atol=1e-5)
    small, report = collapse(grown, x)
    assert report.gap <= 1e-6
    plain = GROWTHS[growth](model)
    assert small.count_params() == plain.count_params()
    np.testing.assert_allclose(outputs(small, x), outputs(model, x), atol=1e-5)


@pytest.mark.parametrize("growth", GROWTHS)
def test_a_grown_model_is_expanded(growth):
    model = mlp()
    grown = GROWTHS[growth](model)
    bigger = expand(grown, 3, seed=0)
    np.testing.assert_allclose(outputs(bigger, X), outputs(model, X), atol=1e-5)
    assert np.abs(outputs(bigger, X, True) - outputs(model, X)).max() > 1e-3
    small, report = collapse(bigger, X)
    assert report.gap <= 1e-6 and small.count_params() == grown.count_params()


def test_an_identity_passes_every_kernel_on():
    bigger = expand(mlp(), 3, seed=0)
    deeper = an.growth.deepen(bigger, after="a", method="identity", seed=0)
    new = deeper.get_layer("a_identity")
    assert isinstance(new, an.layers.MajorityDense)
    kernels = keras.ops.convert_to_numpy(new.kernels["kernel"])
    np.testing.assert_array_equal(kernels, np.broadcast_to(np.eye(8), (3, 8, 8)))


def test_two_majority_models_are_fused():
    one, other = (expand(mlp(seed), 3, seed=seed) for seed in (0, 1))
    fused = an.growth.fuse([one, other], seed=0)
    expected = (outputs(one, X) + outputs(other, X)) / 2
    np.testing.assert_allclose(outputs(fused, X), expected, atol=1e-6)
    with pytest.raises(ValueError, match="factor"):
        an.growth.fuse([one, expand(mlp(2), 2, seed=2)])


def test_growth_in_the_middle_of_fit_and_a_collapse_at_its_end(tmp_path):
    keras.utils.set_random_seed(0)
    x = RNG.normal(size=(128, 6)).astype("float32")
    y = x @ RNG.normal(size=(6, 3)).astype("float32")
    model = expand(mlp(), 3, seed=0)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    growth = an.callbacks.GrowthSchedule({1: an.growth.Widen(2.0), 2: an.growth.Deepen(1)})
    end = an.callbacks.CollapseOnEnd(sample=x)
    history = model.fit(x, y, 32, 8, verbose=0, callbacks=[growth, end]).history["loss"]
    assert history[-1] < history[0] and end.report.gap <= 1e-6
    assert [type(layer) for layer in model.layers] == [layers.Dense] * 4
    model.save(tmp_path / "small.keras")
    loaded = keras.saving.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(outputs(loaded, x), outputs(model, x), atol=1e-6)
