"""Old names work as the new ones do, and say so once."""

import warnings

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets import estimator as est

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")


def warnings_of(function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = function()
    return value, [each for each in caught if each.category is DeprecationWarning]


def normalized():
    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    for variable in model.variables:
        variable.assign(np.random.default_rng(1).uniform(0.5, 1, variable.shape))
    return model


def test_recalibrate_is_recalibrate_in_place():
    old, new = normalized(), normalized()
    found, caught = warnings_of(lambda: an.majority.recalibrate(old, X, batch_size=16))
    assert found is old
    (warning,) = caught
    assert "`majority.recalibrate_in_place`" in str(warning.message)
    # It points at the line that uses the old name.
    assert warning.filename == __file__
    _, caught = warnings_of(lambda: an.majority.recalibrate_in_place(new, X, batch_size=16))
    assert not caught
    for one, other in zip(old.weights, new.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(new.layers[1].moving_mean, normalized().layers[1].moving_mean)


@pytest.mark.parametrize("name", ["widths", "layers", "report", "scaling", "input_shape"])
def test_energy_net_has_plain_names(name):
    net = an.energy.EnergyNet()
    with pytest.raises(AttributeError, match=rf"no attribute '{name}'"):
        getattr(net, f"{name}_")
    value = object()
    setattr(net, name, value)
    found, caught = warnings_of(lambda: getattr(net, f"{name}_"))
    assert found is value
    (warning,) = caught
    assert f"`EnergyNet.{name}`" in str(warning.message)
    assert warning.filename == __file__


def test_evaluator_of_the_estimator_stays_without_a_warning():
    made, caught = warnings_of(lambda: est.Evaluator(lambda: (X, X), "mae", steps=2))
    assert type(made) is est.InputFnEvaluator and not caught
    assert an.adanet.Evaluator is not est.Evaluator
