"""Collapsing while `fit` runs, and when it ends."""

import json

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.callbacks import CollapsedCheckpoint, CollapseOnEnd

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(192, 6)).astype("float32")
Y = np.argmax(X[:, :3] + 0.3 * X[:, 3:], axis=1)


def majority_model(units=16, **options):
    options = {"factor": 3, **options}
    hidden = an.layers.MajorityDense(units, mixing_seed=1, **options)
    end = an.layers.MajorityDense(3, mixing_seed=2, **options)
    rest = [layers.BatchNormalization(momentum=0.9), layers.Activation("relu")]
    model = keras.Sequential([keras.Input((6,)), hidden, *rest, end])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


def logits(model, x=X):
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))


def test_the_model_is_collapsed_at_the_end_and_fits_on(tmp_path):
    keras.utils.set_random_seed(1)
    model = majority_model()
    seen = {}

    class Before(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            seen["logits"] = logits(self.model)

    end = CollapseOnEnd(sample=X[:5])
    history = model.fit(X, Y, 32, 3, verbose=0, callbacks=[Before(), end]).history
    assert len(history["loss"]) == 3
    assert [type(layer) for layer in model.layers if layer.weights] == [
        layers.Dense, layers.BatchNormalization, layers.Dense,
    ]  # fmt: skip
    assert model.count_params() == end.report.parameters < end.report.parameters_before
    assert end.report.gap <= 1e-6 and 0 < end.report.flops < end.report.flops_before
    np.testing.assert_allclose(logits(model), seen["logits"], atol=1e-6)
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    again = model.fit(X, Y, 32, 5, verbose=0).history
    assert again["loss"][-1] < found["loss"]
    after = logits(model)
    model.save(tmp_path / "small.keras")
    loaded = keras.saving.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(logits(loaded), after, atol=1e-6)
    assert type(loaded.optimizer) is keras.optimizers.Adam
    assert int(loaded.optimizer.iterations) == 30
    loaded.fit(X, Y, 32, verbose=0)


def test_statistics_are_estimated_anew_at_the_end():
    keras.utils.set_random_seed(1)
    model = majority_model()
    model.fit(X, Y, 32, 2, verbose=0, callbacks=[CollapseOnEnd(calibration_data=X)])
    hidden, norm = model.layers[0], model.layers[1]
    values = np.asarray(keras.ops.convert_to_numpy(hidden(X)))
    np.testing.assert_allclose(norm.moving_mean, values.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, values.var(axis=0), rtol=1e-4)


def test_checkpoints_hold_the_collapsed_model(tmp_path):
    keras.utils.set_random_seed(1)
    model = majority_model()
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logits(self.model))

    saving = CollapsedCheckpoint(
        tmp_path / "{epoch}.keras", "collapsed_accuracy", validation_data=(X, Y),
        save_best_only=False,
    )  # fmt: skip
    history = model.fit(
        X, Y, 32, 3, validation_data=(X, Y), verbose=0, callbacks=[Watch(), saving]
    ).history
    assert type(model.layers[0]) is an.layers.MajorityDense
    for epoch in range(3):
        small = keras.saving.load_model(tmp_path / f"{epoch + 1}.keras")
        assert type(small.layers[0]) is layers.Dense
        np.testing.assert_allclose(logits(small), seen[epoch], atol=1e-6)
    # Without calibration the collapsed model is the one that fit validates.
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(history[f"collapsed_{name}"], history[f"val_{name}"], rtol=1e-5)


def test_the_best_collapsed_model_is_kept(tmp_path):
    keras.utils.set_random_seed(1)
    model = majority_model()
    path = tmp_path / "best.keras"
    best = CollapsedCheckpoint(
        path, "collapsed_loss", validation_data=(X[:64], Y[:64]), calibration_data=X,
        save_best_only=True,
    )  # fmt: skip
    model.optimizer.learning_rate = 0.3  # so that the last epoch need not be the best
    history = model.fit(X, Y, 32, 6, verbose=0, callbacks=[best]).history["collapsed_loss"]
    small = keras.saving.load_model(path)
    found = small.evaluate(X[:64], Y[:64], verbose=0, return_dict=True)["loss"]
    assert found == pytest.approx(min(history), rel=1e-5)
    assert max(history) > min(history)


def test_the_collapsed_model_is_made_and_traced_once(tmp_path, monkeypatch):
    calls, call = [], layers.Dense.call

    def counted(self, inputs, training=None):
        calls.append(type(self))
        return call(self, inputs, training=training)

    monkeypatch.setattr(layers.Dense, "call", counted)
    counts = []
    for epochs in (1, 4):
        calls.clear()
        model = majority_model()
        saving = CollapsedCheckpoint(tmp_path / "a.keras", validation_data=(X, Y), save_freq=4)
        model.fit(X, Y, 32, epochs, verbose=0, callbacks=[saving])
        counts.append(calls.count(layers.Dense))
    # Python runs through a layer when it is made and when a function is traced.
    assert counts[0] == counts[1] >= 4


def test_growth_in_between_is_followed(tmp_path):
    keras.utils.set_random_seed(1)
    model = majority_model(8)
    growth = an.callbacks.GrowthSchedule({1: an.growth.Widen(2.0)})
    saving = CollapsedCheckpoint(tmp_path / "{epoch}.keras", validation_data=(X, Y))
    end = CollapseOnEnd()
    history = model.fit(
        X, Y, 32, 2, validation_data=(X, Y), verbose=0, callbacks=[growth, saving, end]
    ).history
    small = [keras.saving.load_model(tmp_path / f"{epoch}.keras") for epoch in (1, 2)]
    assert [each.layers[0].units for each in small] == [8, 16]
    assert type(model.layers[0]) is layers.Dense and model.layers[0].units == 16
    np.testing.assert_allclose(logits(model), logits(small[1]), atol=1e-6)
    np.testing.assert_allclose(history["collapsed_loss"], history["val_loss"], rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="files are of no backend")
def test_a_checkpoint_loads_where_this_package_is_not(tmp_path, python):
    model = majority_model()
    model.fit(X, Y, 64, verbose=0, callbacks=[CollapsedCheckpoint(tmp_path / "a.keras")])
    np.save(tmp_path / "x.npy", X[:4])
    script = (
        "import json, sys\n"
        "sys.modules['adaptive_nets'] = None\n"
        "import keras, numpy as np\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "out = keras.ops.convert_to_numpy(model(np.load(sys.argv[2]), training=False))\n"
        "model.fit(np.load(sys.argv[2]), np.zeros(4, int), verbose=0)\n"
        "print(json.dumps(np.asarray(out).tolist()))\n"
    )
    given = [str(tmp_path / name) for name in ("a.keras", "x.npy")]
    done = python.run("-c", script, *given, package=False)
    found = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found, logits(model, X[:4]), atol=1e-6)


@pytest.mark.parametrize("make", [CollapseOnEnd, lambda: CollapsedCheckpoint("never.keras")])
def test_a_model_without_majority_layers_is_refused_before_training(make):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(ValueError, match="no majority layers"):
        model.fit(X, np.zeros((192, 3)), verbose=0, callbacks=[make()])
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
