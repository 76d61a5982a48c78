"""What the package adds to a model keeps float32 under every dtype policy and floatx."""

import keras
import numpy as np
import pytest

import adaptive_nets as an

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 3))
Z = X[:, 0] + 0.5 * X[:, 1]


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16", "float64", "float16"])
def precision(request):
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    if request.param.startswith("mixed"):
        keras.config.set_dtype_policy(request.param)
    else:
        keras.config.set_floatx(request.param)
        keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


def fitted(head, x, y, **settings):
    generator = an.generators.Dense(8, [1], optimizer=keras.optimizers.Adam(0.05))
    settings = {"max_iterations": 1, "steps_per_iteration": 80, "seed": 0, **settings}
    return an.AdaNet(head, generator, **settings).fit(x, y, verbose=0)


def test_it_is_fitted_saved_loaded_and_exported(precision, tmp_path):
    search = fitted(an.heads.BinaryClass(), X, (Z > 0).astype(int), mixture_weights="uniform",
                    model_dir=tmp_path / "search")  # fmt: skip
    assert search.evaluate(X, (Z > 0).astype(int))["accuracy"] > 0.8
    wanted = "float64" if precision == "float64" else "float32"
    assert search.model.output.dtype == search.best_single.output.dtype == wanted
    found = search.predict(X[:5], output="probabilities")
    search.model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    few = X[:5].astype(keras.config.floatx())
    np.testing.assert_allclose(again(few), search.model(few), rtol=1e-6)
    loaded = an.AdaNet.load(tmp_path / "search")
    np.testing.assert_allclose(loaded.predict(X[:5], output="probabilities"), found, atol=1e-6)
    search.export(tmp_path / "served")


@pytest.mark.parametrize(("features", "scale", "offset"), [(1, 100, 20000), (1e3, 1e5, 0)])
def test_offsets_and_scales_survive(precision, features, scale, offset):
    y = scale * Z + offset
    search = fitted(an.heads.Regression(), X * features, y)
    assert search.evaluate(X * features, y)["r2"] > 0.7
    assert np.isfinite(search.predict(X * features)).all()


@pytest.mark.parametrize("precision", ["mixed_float16", "float16"], indirect=True)
def test_features_of_a_million_survive_half_precision(precision):
    assert fitted(an.heads.Regression(), X * 1e6, Z).evaluate(X * 1e6, Z)["r2"] > 0.7
