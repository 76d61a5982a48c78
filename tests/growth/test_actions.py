"""Actions: the same defaults and meaning as the functions that they stand for."""

import inspect

import keras
import pytest

from adaptive_nets import growth

layers = keras.layers


def stack():
    return keras.Sequential([keras.Input((4,)), *(layers.Dense(4, "relu") for _ in range(3))])


@pytest.mark.parametrize(
    ("action", "function"),
    [
        (growth.Widen, growth.widen),
        (growth.Deepen, growth.deepen),
        (growth.SelfFuse, growth.self_fuse),
        (growth.FuseWith, growth.fuse),
    ],
)
def test_an_action_has_the_arguments_of_its_function(action, function):
    own = inspect.signature(action).parameters
    given = inspect.signature(function).parameters
    # An action takes models only, so that what concerns files has no place in it; who applies its
    # plan says whether to verify it.
    elsewhere = {"custom_objects", "trust", "verify"}
    assert set(own) - {"other"} == set(given) - {"model", "models"} - elsewhere
    for name, argument in own.items():
        if name not in ("other", "widths"):
            assert argument.default == given[name].default, name


def test_deepening_by_default_and_in_stacks():
    model = stack()
    assert str(growth.Deepen().plan(model, 0)) == str(growth.plan_deepen(model, seed=0))
    action = growth.Deepen(method="stack", preserve="approximate", times=3)
    grown, report = growth.apply(action.plan(model, 0))
    expected = growth.deepen(model, method="stack", preserve="approximate", times=3)
    assert len(grown.layers) == len(expected.layers) == 9 and not report.exact
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(action))
    assert again == action
