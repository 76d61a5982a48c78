"""A Keras that lacks it fails here by name: how a model keeps what it is trained with."""

import contextlib
import io
import types

import keras
import numpy as np
import pytest
from keras import layers

from adaptive_nets import keras_internals as internals

pytestmark = pytest.mark.backend_agnostic


def dense_model():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, "relu", name="a"), layers.Dropout(0.1)], name="m"
    )
    model.compile(keras.optimizers.Adam(), "mse")
    return model


def test_compiled_loss():
    model = dense_model()
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    loss = internals.compiled_loss(model)
    assert float(loss(keras.ops.ones((4, 2)), keras.ops.zeros((4, 2)))) == 1
    assert internals.compiled_loss(keras.Sequential([layers.Dense(2)])) is None


def test_set_optimizer():
    model = dense_model()
    optimizer = keras.optimizers.SGD()
    internals.set_optimizer(model, optimizer)
    assert model.optimizer is optimizer
    assert model.get_compile_config()["optimizer"]["class_name"] == "SGD"


def test_forget_traces():
    model = dense_model()
    x, y = np.ones((4, 3)), np.ones((4, 2))
    model.fit(x, y, verbose=0)
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()
    internals.forget_traces(model)
    assert model.train_function is None
    optimizer = keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)
    internals.set_optimizer(model, optimizer)
    model.fit(x, y, verbose=0)
    for one, other in zip(before, model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_decays():
    kernel, bias = (keras.Variable(0.0, name=name) for name in ("kernel", "bias"))
    optimizer = keras.optimizers.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    assert internals.decays(optimizer, kernel) and not internals.decays(optimizer, bias)
    assert not internals.decays(keras.optimizers.Adam(), kernel)


def test_learning_rate_of():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 3)
    assert internals.learning_rate_of(keras.optimizers.SGD(schedule)) is schedule


def test_set_learning_rate():
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 3))
    internals.set_learning_rate(optimizer, keras.optimizers.schedules.CosineDecay(0.7, 3))
    assert abs(float(optimizer.learning_rate) - 0.7) < 1e-6


def built_adam():
    model = dense_model()
    model.optimizer.build(model.trainable_variables)
    return model, model.optimizer


def test_optimized_variables():
    model, optimizer = built_adam()
    found = internals.optimized_variables(optimizer)
    assert [id(v) for v in found] == [id(v) for v in model.trainable_variables]


def test_optimizer_variables():
    _, optimizer = built_adam()
    assert [id(v) for v in internals.optimizer_variables(optimizer)] == [
        id(v) for v in optimizer.variables
    ]


def test_optimizer_slots():
    model, optimizer = built_adam()
    slots = internals.optimizer_slots(optimizer)
    assert set(slots) == {"momentums", "velocities"}
    assert slots["momentums"][0].shape == model.layers[0].kernel.shape
    kinds = {
        keras.optimizers.SGD: {"momentums"},
        keras.optimizers.RMSprop: {"velocities", "momentums", "average_gradients"},
        keras.optimizers.Adagrad: {"accumulators"},
        keras.optimizers.Adadelta: {"accumulated_grads", "accumulated_delta_vars"},
        keras.optimizers.Adamax: {"m", "u"},
        keras.optimizers.Adafactor: {"r", "c", "v"},
        keras.optimizers.Lion: {"momentums"},
    }
    for kind, names in kinds.items():
        momentum = {"momentum": 0.9} if names & {"momentums"} and kind.__name__ != "Lion" else {}
        centered = {"centered": True} if "average_gradients" in names else {}
        optimizer = kind(use_ema=True, gradient_accumulation_steps=2, **momentum, **centered)
        optimizer.build(model.trainable_variables)
        extra = {"model_variables_moving_average", "accumulated_gradients"}
        assert set(internals.optimizer_slots(optimizer)) == names | extra, kind


def test_drop_all_reduce():
    optimizer = keras.optimizers.SGD()
    internals.drop_all_reduce(optimizer)
    if keras.backend.backend() == "tensorflow":
        assert optimizer._all_reduce_sum_gradients("as they are") == "as they are"
        assert hasattr(keras.optimizers.SGD(), "_all_reduce_sum_gradients")


def test_replica_loss():
    assert float(internals.replica_loss(dense_model(), keras.ops.convert_to_tensor(2.0))) == 2


def test_loss_settings():
    assert internals.loss_settings(keras.losses.Huber(delta=3.0))["delta"] == 3
    assert internals.loss_settings(keras.losses.Loss()) == {}


def test_model_of():
    callback = keras.callbacks.Callback()
    model = dense_model()
    callback.set_model(model)
    assert internals.model_of(callback) is model


def test_metric_direction():
    assert internals.metric_direction(keras.metrics.AUC()) == "up"
    assert internals.metric_direction(keras.metrics.MeanSquaredError()) == "down"
    assert internals.metric_direction(keras.metrics.Mean()) is None


@pytest.mark.parametrize(("way", "stops"), [("up", True), ("down", False)])
def test_metrics_list(way, stops):
    """`EarlyStopping` reads there whether less is better."""
    model = types.SimpleNamespace(metrics=[internals.metrics_list({"f": way})], stop_training=False)
    callback = keras.callbacks.EarlyStopping("val_f")
    callback.set_model(model)
    for epoch, value in enumerate((2.0, 1.0)):
        callback.on_epoch_end(epoch, {"val_f": value})
    assert model.stop_training == stops


def test_print_message():
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        internals.print_message("grown")
    assert "grown" in printed.getvalue()
