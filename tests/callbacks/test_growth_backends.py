"""Growth inside fit on every backend that the package grows on."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets import growth

pytestmark = pytest.mark.backend_agnostic
X, Y = load_digits(return_X_y=True)
X = (X[:640] / 16).astype("float32")
Y = Y[:640]
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def net(optimizer="adam"):
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(12, "relu", name=name) for name in "ab"]
    model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10, name="head")])
    model.compile(optimizer, LOSS, metrics=["accuracy"])
    return model


class Watch(keras.callbacks.Callback):
    """Losses by epoch, the model's size at each step, and how often JAX's state is fetched."""

    def __init__(self):
        super().__init__()
        self.losses, self.units, self.fetched = [], [], 0

    def set_model(self, model):
        super().set_model(model)
        sync = getattr(model, "jax_state_sync", None)
        if sync is not None and "jax_state_sync" not in vars(model):

            def counted():
                self.fetched += not model._jax_state_synced
                return sync()

            vars(model)["jax_state_sync"] = counted

    def on_train_batch_begin(self, batch, logs=None):
        self.units.append(self._model.get_layer("a").units)

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["val_loss"])


def fit(model, *callbacks, epochs=4, **settings):
    return model.fit(
        X, Y, 64, epochs, 0, list(callbacks), validation_data=(X, Y), shuffle=False, **settings
    )


@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_two_growths_in_fit(tmp_path, unit):
    whens = (1, 2) if unit == "epoch" else (13, 25)
    schedule = {whens[0]: growth.Widen(2.0), whens[1]: growth.Deepen(1)}
    schedule = an.callbacks.GrowthSchedule(schedule, unit=unit, warmup_steps=5)
    model, watch = net(), Watch()
    fit(model, schedule, watch)
    at = 10 if unit == "epoch" else 13
    assert watch.units == [12] * at + [24] * (40 - at)
    assert [layer.name for layer in model.layers] == ["a", "b", "b_identity", "head"]
    assert int(model.optimizer.iterations) == 40
    assert np.all(np.diff(watch.losses) < 0), watch.losses
    # Epochs end, growths and their five steps of warm-up fetch the weights; other steps do not.
    assert watch.fetched <= 20

    model.save(tmp_path / "grown.keras")
    loaded = keras.saving.load_model(tmp_path / "grown.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)
    for each in (model, loaded):
        fit(each, epochs=1)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_step_after_growth_is_the_one_without_it():
    """Slots go on: the old units move as they would have moved, in momentum too."""
    models = [net(keras.optimizers.SGD(0.05, momentum=0.9)) for _ in range(2)]
    for model in models:
        fit(model, epochs=1)
    alone, grown = models
    before = grown.predict(X, verbose=0)
    growth.grow_in_place(grown, growth.plan_widen(grown, {"b": 20}, seed=1))
    np.testing.assert_allclose(grown.predict(X, verbose=0), before, atol=1e-6)
    start = alone.get_layer("b").get_weights()[0]
    for model in models:
        model.fit(X[:64], Y[:64], 64, verbose=0)
    expected = [w for layer in alone.layers for w in layer.get_weights()]
    found = [w for layer in grown.layers for w in layer.get_weights()]
    assert np.abs(expected[2] - start).max() > 1e-4
    for one, other in zip(expected, found, strict=True):
        old = tuple(slice(size) for size in one.shape)
        np.testing.assert_allclose(other[old], one, atol=1e-6)
