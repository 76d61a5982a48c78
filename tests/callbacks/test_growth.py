"""Growth inside fit: nothing jumps, one retrace a growth, slots go on, other callbacks too."""

import textwrap

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets import growth

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
TRAIN, VALID = slice(0, 1408), slice(1408, None)
layers = keras.layers


def net(optimizer="adam", functional=False, activation="relu", **settings):
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(12, activation, name="a"), layers.Dense(12, activation, name="b")]
    if functional:
        inputs = keras.Input((64,))
        x = hidden[0](inputs)
        x = layers.Add()([hidden[1](x), x])
        model = keras.Model(inputs, layers.Dense(10, name="head")(x))
    else:
        model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10, name="head")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], **settings)
    return model


class Traces(keras.callbacks.Callback):
    """Counts how often the training step is traced, and what growth does to outputs."""

    def __init__(self):
        super().__init__()
        self.count, self.gaps, self.before, self.losses = 0, [], None, []

    def set_model(self, model):
        super().set_model(model)
        step = type(model).train_step

        def counted(data):
            self.count += 1
            return step(model, data)

        # A model's own attribute: it stays when the graph is exchanged.
        vars(model)["train_step"] = counted
        model.make_train_function(force=True)

    def on_epoch_end(self, epoch, logs=None):
        self.before = np.array(self.model(X[VALID]))
        self.losses.append(logs["val_loss"])

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0 and self.before is not None:
            gap = np.abs(np.array(self.model(X[VALID])) - self.before).max()
            self.gaps.append(gap / np.abs(self.before).max())


def fit(model, *callbacks, epochs=6, **settings):
    return model.fit(
        X[TRAIN],
        Y[TRAIN],
        epochs=epochs,
        batch_size=64,
        validation_data=(X[VALID], Y[VALID]),
        callbacks=list(callbacks),
        verbose=0,
        **settings,
    )


@pytest.mark.parametrize("functional", [False, True])
def test_six_epochs_with_two_growths(tmp_path, functional):
    model = net(functional=functional)
    traces = Traces()
    schedule = an.callbacks.GrowthSchedule({2: growth.Widen(2.0), 4: growth.Widen(1.5)})
    history = fit(model, schedule, traces)
    # TensorFlow traces twice before variables of an optimizer exist.
    plain = Traces()
    fit(net(functional=functional), plain, epochs=1)
    assert traces.count == plain.count + 2, "exactly one trace more a growth"
    assert max(traces.gaps) <= 1e-6
    assert len(history.history["val_loss"]) == 6
    # It goes on falling through both growths.
    assert all(b < a for a, b in zip(traces.losses, traces.losses[1:], strict=False))
    assert model.get_layer("a").units == 36
    assert int(model.optimizer.iterations) == 6 * 22
    assert [report.exact for report in schedule.reports] == [True, True]
    path = tmp_path / "grown.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    np.testing.assert_array_equal(np.array(loaded(X[:50])), np.array(model(X[:50])))
    for one, other in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.array(one), np.array(other))
    fit(model, epochs=1, shuffle=False)
    fit(loaded, epochs=1, shuffle=False)
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.003, amsgrad=True),
    "adamw": lambda: keras.optimizers.AdamW(0.003, weight_decay=0.01),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.002, momentum=0.5, centered=True),
    "adagrad": lambda: keras.optimizers.Adagrad(0.05),
    "adafactor": lambda: keras.optimizers.Adafactor(0.01),
    "lion": lambda: keras.optimizers.Lion(0.0005),
    "nadam": lambda: keras.optimizers.Nadam(0.003),
    "ema": lambda: keras.optimizers.Adam(0.003, use_ema=True),
    "accumulation": lambda: keras.optimizers.Adam(0.003, gradient_accumulation_steps=2),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.003)),
    "schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.003, 200)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_old_weights_go_on_as_if_nothing_had_grown(name):
    """Where no new unit is read, a zero-widened model's old weights move as the small one's."""
    # Keras' Adafactor divides by zero where a pixel or a unit is always 0.
    small = net(OPTIMIZERS[name](), activation="tanh" if name == "adafactor" else "relu")
    rows = slice(0, 128)
    x = X + 0.1
    small.fit(x[128:1280], Y[128:1280], batch_size=64, epochs=1, verbose=0, shuffle=False)
    grown, _ = growth.apply(growth.plan_widen(small, {"a": 20}, seed=0))
    assert int(grown.optimizer.iterations) == int(small.optimizer.iterations)
    for model in (small, grown):
        model.fit(x[rows], Y[rows], batch_size=128, epochs=1, verbose=0, shuffle=False)
        if name == "accumulation":
            model.fit(x[rows], Y[rows], batch_size=128, epochs=1, verbose=0, shuffle=False)
    for layer in ("a", "head"):
        old, new = (np.array(m.get_layer(layer).kernel) for m in (small, grown))
        new = new[: old.shape[0], : old.shape[1]]
        # Adafactor's factors average over new entries too, so its steps differ a little.
        tolerance = 0.02 if name == "adafactor" else 2e-6
        np.testing.assert_allclose(new, old, atol=tolerance)


def test_slots_of_copies_have_the_scale_of_their_gradients():
    powers = {
        "adam": {"_momentums": 1, "_velocities": 2},
        "rmsprop": {"_momentums": 0, "_velocities": 2, "_average_gradients": 1},
    }
    for name, slots in powers.items():
        small = net(OPTIMIZERS[name]())
        fit(small, epochs=1)
        grown = growth.widen(small, {"a": 24}, "replicate", seed=0)
        for slot, power in slots.items():
            old, new = (np.array(getattr(m.optimizer, slot)[0]) for m in (small, grown))
            expected = np.tile(old * 0.5**power, 2)
            np.testing.assert_allclose(new, expected, atol=1e-6 * np.abs(old).max())


def test_averages_of_copies_compute_what_the_averages_did():
    small = net(keras.optimizers.Adam(0.003, use_ema=True))
    fit(small, epochs=1)
    # A fit ends with the averages as weights; growth in its middle finds both.
    for _ in range(5):
        small.train_on_batch(X, Y)
    grown = growth.widen(small, {"a": 24}, "replicate", seed=0)
    latest = np.array(small(X))
    for model in (small, grown):
        model.optimizer.finalize_variable_values(model.trainable_variables)
    averaged = np.array(small(X))
    assert np.abs(averaged - latest).max() > 1e-3
    np.testing.assert_allclose(np.array(grown(X)), averaged, atol=1e-5)


def test_new_units_begin_with_adagrad_s_first_sum():
    small = net(OPTIMIZERS["adagrad"]())
    fit(small, epochs=1)
    grown = growth.widen(small, {"a": 24}, seed=0)
    sums = np.array(grown.optimizer._accumulators[0])
    np.testing.assert_allclose(sums[:, 12:], small.optimizer.initial_accumulator_value)
    np.testing.assert_allclose(sums[:, :12], np.array(small.optimizer._accumulators[0]), rtol=1e-6)


def test_slots_that_are_not_understood_are_refused():
    model = net(keras.optimizers.Ftrl(0.01))
    fit(model, epochs=1)
    with pytest.raises(ValueError, match="Cannot carry the slots .* of Ftrl.*slots='reset'"):
        growth.widen(model, 2.0)


def test_slots_can_be_reset():
    model = net()
    fit(model, epochs=1)
    growth.grow_in_place(model, growth.plan_widen(model, 2.0, seed=0), slots="reset")
    assert all(not np.array(slot).any() for slot in model.optimizer._momentums)
    assert int(model.optimizer.iterations) == 22


def test_growth_at_steps_with_many_steps_a_call_under_xla():
    model = net(steps_per_execution=4, jit_compile=True)
    schedule = an.callbacks.GrowthSchedule(
        {6: growth.Widen(2.0), 30: growth.SelfFuse(seed=1)}, "step"
    )
    fit(model, schedule, epochs=2)
    assert model.get_layer("a").units == 48 and len(schedule.reports) == 2
    assert int(model.optimizer.iterations) == 44


@pytest.mark.parametrize("scheduled", [False, True])
def test_the_rate_rises_again_and_ends_where_it_was(scheduled):
    rate = keras.optimizers.schedules.CosineDecay(0.01, 1000) if scheduled else 0.01
    model = net(keras.optimizers.Adam(rate))
    seen = []

    class Rates(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(float(self.model.optimizer.learning_rate))

    schedule = an.callbacks.GrowthSchedule({1: growth.Widen(2.0)}, warmup_steps=4)
    fit(model, schedule, Rates(), epochs=2)
    plain = [float(rate(step)) for step in range(44)] if scheduled else [0.01] * 44
    share = [1.0] * 22 + [0.2, 0.4, 0.6, 0.8] + [1.0] * 18
    np.testing.assert_allclose(seen, np.multiply(plain, share), rtol=1e-5)
    config = model.optimizer.get_config()["learning_rate"]
    assert "Rewarmed" not in str(config)


def test_other_callbacks_keep_working(tmp_path):
    model = net(keras.optimizers.Adam(0.003, use_ema=True))
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    schedule = an.callbacks.GrowthSchedule({1: growth.Widen(2.0)}, restart=[stop])
    best = tmp_path / "best.keras"
    fit(
        model,
        schedule,
        stop,
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
        keras.callbacks.ModelCheckpoint(best, save_best_only=True),
        epochs=4,
    )
    assert keras.saving.load_model(best).get_layer("a").units == 24
    assert model.get_layer("a").units == 24


def test_tensorboard_writes_on(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    schedule = an.callbacks.GrowthSchedule({1: growth.Widen(2.0)})
    fit(net(), schedule, keras.callbacks.TensorBoard(tmp_path / "logs"), epochs=2)
    assert list((tmp_path / "logs").rglob("events*"))


def test_growth_on_a_plateau():
    model = net("adam")
    action = growth.Widen(2.0)
    # No loss improves by 100, so every epoch is one of the plateau.
    schedule = an.callbacks.GrowOnPlateau(
        "val_loss", action, patience=2, min_delta=100.0, max_parameters=2500
    )
    fit(model, schedule, epochs=6)
    assert len(schedule.reports) == 1, "a second would pass max_parameters"
    assert model.count_params() == growth.widen(net(), 2.0).count_params()


def test_a_plateau_doubles_by_default_and_knows_the_old_name_of_its_limit():
    schedule = an.callbacks.GrowOnPlateau()
    assert schedule.action == growth.Widen(2.0) and schedule.max_parameters is None
    with pytest.warns(DeprecationWarning, match="max_parameters") as warned:
        schedule = an.callbacks.GrowOnPlateau(max_params=9)
    assert len(warned) == 1 and schedule.max_parameters == 9
    with pytest.warns(DeprecationWarning, match="max_parameters"):
        assert schedule.max_params == 9
    with pytest.raises(ValueError, match="old name"):
        an.callbacks.GrowOnPlateau(max_params=9, max_parameters=8)


def test_growth_under_a_mirrored_strategy(python):
    code = """
        import os
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import tensorflow as tf
        cpus = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpus[0], two)
        import keras, numpy as np, adaptive_nets as an
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        assert strategy.num_replicas_in_sync == 2
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, "relu", name="a"),
                                      keras.layers.Dense(1)])
            model.compile("adam", "mse")
        x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
        before = []
        class Gap(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                before.append(self.model.predict(x, verbose=0))
                if epoch == 0:
                    self.model.stop_training = False
            def on_train_batch_begin(self, batch, logs=None):
                if batch == 0 and before:
                    gap = abs(self.model.predict(x, verbose=0) - before[-1]).max()
                    assert gap < 1e-6, gap
        schedule = an.callbacks.GrowthSchedule({1: an.growth.Widen(2.0)})
        history = model.fit(x, x.sum(1), epochs=3, batch_size=16, verbose=0,
                            callbacks=[schedule, Gap()])
        assert model.get_layer("a").units == 12
        assert history.history["loss"][-1] < history.history["loss"][0]
    """
    python.run("-c", textwrap.dedent(code))


def test_twenty_growths_leave_nothing_behind():
    import gc
    import weakref

    model = net("sgd")
    fit(model, epochs=1)
    gone = []
    for number in range(20):
        gone.append(weakref.ref(model.get_layer("a")))
        growth.grow_in_place(model, growth.plan_widen(model, {"a": 13 + number}, seed=0))
        model.train_on_batch(X[:32], Y[:32])
    assert len(model.weights) == 6 and len(model.optimizer.variables) == 8 - 6
    gc.collect()
    assert sum(ref() is not None for ref in gone) <= 1, "old layers are kept alive"


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: an.callbacks.GrowthSchedule({}), "empty"),
        (lambda: an.callbacks.GrowthSchedule({1: "widen"}), "Expected an action.*'widen'"),
        (lambda: an.callbacks.GrowthSchedule({-1: growth.Widen()}), "integer >= 0"),
        (lambda: an.callbacks.GrowthSchedule({1: growth.Widen()}, "batch"), "unit"),
        (lambda: an.callbacks.GrowthSchedule({1: growth.Widen()}, slots="keep"), "slots"),
        (lambda: an.callbacks.GrowOnPlateau("loss", None), "Expected an action"),
        (lambda: an.callbacks.GrowOnPlateau("loss", growth.Widen(), patience=0), "patience"),
    ],
)
def test_wrong_settings_are_refused(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()


def test_growth_past_the_end_warns():
    with pytest.warns(
        UserWarning, match="Growth at epoch 7 will not happen: training ends after 1"
    ):
        fit(net(), an.callbacks.GrowthSchedule({7: growth.Widen()}), epochs=1)


def test_a_model_that_is_not_compiled_is_refused():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(2)])
    with pytest.raises(ValueError, match="not compiled.*model.compile"):
        growth.grow_in_place(model, growth.plan_widen(model, 2.0))


def test_configurations_round_trip():
    actions = {
        1: growth.Widen({"a": 3}, "replicate"),
        2: growth.Deepen(1),
        3: growth.SelfFuse(3),
        4: growth.FuseWith(net()),
    }
    config = an.callbacks.GrowthSchedule(actions).get_config()
    for when, action in actions.items():
        again = keras.saving.deserialize_keras_object(config["schedule"][when])
        assert type(again) is type(action)
        if when < 4:
            assert again == action
