"""Optimizer settings: what each gives, that it is fresh, and what is refused."""

import json

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.candidates.stock.optimizers import (
    describe_optimizer,
    describe_rate,
    make_optimizer,
)

schedules = keras.optimizers.schedules


def generators(**settings):
    yield an.generators.Dense(depths=[1, 2], **settings)
    yield an.generators.Conv(depths=[1, 2], **settings)
    models = {"a": lambda: keras.layers.Dense(3), "b": lambda: keras.layers.Dense(3)}
    yield an.generators.Pool(models, **settings)


def rate(optimizer):
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


@pytest.mark.parametrize(
    ("setting", "kind", "own_rate"),
    [
        ("adam", keras.optimizers.Adam, 1e-3),
        ("SGD", keras.optimizers.SGD, 1e-2),
        ({"class_name": "sgd", "config": {"momentum": 0.5}}, keras.optimizers.SGD, 1e-2),
        (keras.optimizers.RMSprop(0.25, rho=0.5), keras.optimizers.RMSprop, 0.25),
        (keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5)), None, 0.5),
    ],
)
@pytest.mark.parametrize("learning_rate", [None, 0.125, np.float32(0.125)])
def test_each_builder_has_its_own_optimizer(setting, kind, own_rate, learning_rate):
    for generator in generators(optimizer=setting, learning_rate=learning_rate):
        first, second = generator.generate(None, 1, [])
        made = [first.optimizer(), first.optimizer(), second.optimizer()]
        assert len({id(optimizer) for optimizer in made}) == 3
        assert setting not in made
        for optimizer in made:
            assert type(optimizer) is (kind or type(setting))
            assert rate(optimizer) == pytest.approx(own_rate if learning_rate is None else 0.125)
        made[0].learning_rate = 7.0
        assert rate(made[1]) != 7.0


def test_other_arguments_of_an_optimizer_are_kept():
    given = keras.optimizers.Adam(0.01, beta_1=0.5, clipnorm=2.0, weight_decay=0.1)
    made = make_optimizer(given, 0.5)
    assert (made.beta_1, made.clipnorm, made.weight_decay) == (0.5, 2.0, 0.1)
    assert rate(given) == pytest.approx(0.01)


@pytest.mark.parametrize("as_config", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", keras.optimizers.SGD(0.5)])
def test_a_schedule_sets_the_rate_of_each_step(as_config, optimizer):
    schedule = schedules.PiecewiseConstantDecay([2, 4], [0.5, 0.25, 0.125])
    setting = schedules.serialize(schedule) if as_config else schedule
    for generator in generators(optimizer=optimizer, learning_rate=setting):
        made = generator.generate(None, 1, [])[0].optimizer()
        weight = keras.Variable(0.0)
        made.build([weight])
        moved = []
        for _ in range(6):
            before = float(weight)
            made.apply([keras.ops.convert_to_tensor(1.0)])
            moved.append(before - float(weight))
        np.testing.assert_allclose(moved, [0.5, 0.5, 0.5, 0.25, 0.25, 0.125], atol=1e-6)


def test_a_number_replaces_the_optimizers_own_schedule():
    decaying = keras.optimizers.SGD(schedules.ExponentialDecay(1.0, 10, 0.5))
    assert rate(make_optimizer(decaying, 0.25)) == 0.25
    assert float(make_optimizer(decaying)._learning_rate(10)) == 0.5


def test_equal_settings_are_equal_as_json():
    first, second = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01)
    assert first.name != second.name
    assert json.dumps(describe_optimizer(first)) == json.dumps(describe_optimizer(second))
    assert describe_optimizer(first) != describe_optimizer(keras.optimizers.Adam(0.02))
    wrapped = [describe_optimizer(keras.optimizers.LossScaleOptimizer(o)) for o in (first, second)]
    assert wrapped[0] == wrapped[1]


def test_what_is_given_is_not_written_into():
    config = {"class_name": "Adam", "config": {"learning_rate": 0.1}}
    make_optimizer(config, 0.5)
    assert config == {"class_name": "Adam", "config": {"learning_rate": 0.1}}


BAD_OPTIMIZERS = ["adamm", 3, None, {"learning_rate": 0.1}, keras.optimizers.Adam]
BAD_OPTIMIZERS += [{"class_name": "adam", "config": {"momentun": 1}}]


@pytest.mark.parametrize("bad", BAD_OPTIMIZERS, ids=repr)
def test_a_bad_optimizer_is_refused_at_construction(bad):
    for kind in (an.generators.Dense, an.generators.Conv):
        with pytest.raises(
            ValueError, match=r"^optimizer must be .*Received: optimizer="
        ) as caught:
            kind(optimizer=bad)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf"), True, "fast", {}, [0.1]])
def test_a_bad_rate_is_refused_at_construction(bad):
    for kind in (an.generators.Dense, an.generators.Conv):
        with pytest.raises(ValueError, match=r"^learning_rate must be .*Received") as caught:
            kind(learning_rate=bad)
        assert "\n" not in str(caught.value)


def test_rates_are_plain_in_a_config():
    assert type(describe_rate(np.float32(0.5))) is float
    assert describe_rate(None) is None
    schedule = describe_rate(schedules.CosineDecay(0.1, 100))
    assert json.loads(json.dumps(schedule)) == schedule
