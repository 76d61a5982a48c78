"""Slots of grown weights: a source's gradient, mapped, is the grown model's own gradient."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth
from adaptive_nets.growth.core.grown_values import grown_slot, maps_of
from adaptive_nets.growth.core.weight_roles import variable_of

layers = keras.layers
X = np.random.default_rng(0).normal(size=(9, 5)).astype("float32")
C = np.random.default_rng(1).normal(size=(9, 3)).astype("float32")


def net(width=4, name="net"):
    inputs = keras.Input((5,))
    a = layers.Dense(width, "gelu", name="a")(inputs)
    b = layers.Dense(width, "tanh", name="b")(a)
    shared = layers.Dense(width, "relu", name="shared")
    x = layers.Add()([shared(shared(b)), a])
    x = layers.Concatenate()([x, b, inputs])
    return keras.Model(inputs, layers.Dense(3, name="head")(x), name=name)


def gradients(model):
    """The gradient of a loss that is linear in the outputs, by variable path."""
    tf = pytest.importorskip("tensorflow")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(X) * C)
    values = tape.gradient(loss, [v.value for v in model.trainable_variables])
    return {v.path: np.array(g) for v, g in zip(model.trainable_variables, values, strict=True)}


@pytest.mark.parametrize(
    "make",
    [
        lambda s: growth.plan_widen(s[0], 2.0, seed=0),
        lambda s: growth.plan_widen(s[0], 3.0, "replicate", seed=0),
        lambda s: growth.plan_widen(s[0], {"a": 7}, "replicate", seed=0),
        lambda s: growth.plan_fuse(s, seed=0),
        lambda s: growth.plan_fuse(s, output="sum", seed=0),
        lambda s: growth.plan_self_fuse(s[0], copies=3, cross="zero", seed=0),
    ],
    ids=["zero", "replicate", "uneven", "mean", "sum", "self"],
)
def test_mapped_gradient_is_the_grown_model_s_gradient(gc, make):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the gradient is taken by TensorFlow")
    sources = [gc.randomise(net(4), 1), gc.randomise(net(6), 2)]
    plan = make(sources)
    grown, _ = growth.apply(plan)
    found = gradients(grown)
    of_sources = [gradients(model) for model in plan.trace.models]
    compared = 0
    for record in plan.trace.records.values():
        for weight in record.weights.values():
            variables = [variable_of(layer, weight.attribute) for layer in record.layers]
            values = [g[v.path] for g, v in zip(of_sources, variables, strict=True)]
            maps = maps_of(weight, [v.shape for v in values], plan.maps)
            expected = grown_slot(weight, values, maps, plan.gradient, 1)
            old = grown_slot(weight, [np.ones_like(v) for v in values], maps, plan.gradient, 0) != 0
            got = found[variables[0].path]
            np.testing.assert_allclose(
                got[old], expected[old], rtol=0, atol=1e-5 * np.abs(expected).max()
            )
            compared += int(old.sum())
    assert compared >= sum(v.size for v in of_sources[0].values())


def test_second_moments_scale_by_the_square(gc):
    plan = growth.plan_widen(gc.randomise(net(4)), 2.0, "replicate", seed=0)
    record = next(r for r in plan.trace.records.values() if r.path == "a")
    weight = record.weights["_kernel"]
    maps = maps_of(weight, [(5, 4)], plan.maps)
    slot = np.arange(20, dtype="float32").reshape(5, 4)
    for power, share in ((0, 1), (1, 0.5), (2, 0.25)):
        grown = grown_slot(weight, [slot], maps, (1.0,), power)
        np.testing.assert_allclose(grown, np.tile(slot * share, 2))
