"""Ways in which people write models that growth once refused, crashed on or got wrong."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from adaptive_nets import growth
from adaptive_nets.graphs.scope import again

register = keras.saving.register_keras_serializable(package="test_model_kinds")


@register
class Noisy(keras.Model):
    def train_step(self, data):
        x, y = data
        return super().train_step((x, y + 100.0))


def randomised(model, seed=0):
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "float" in variable.dtype:
            value = rng.normal(size=variable.shape) / 2 + 0.1
            variable.assign(np.abs(value) if "variance" in variable.path else value)
    return model


def gap(wanted, grown, x):
    got = ops.convert_to_numpy(grown(x))
    return np.abs(ops.convert_to_numpy(wanted) - got).max() / np.abs(got).max()


def noisy(width=4, **kwargs):
    x = keras.Input((5,))
    return Noisy(x, layers.Dense(width)(layers.Dense(8, "relu")(x)), **kwargs)


def twice(seed=0):
    one, two = keras.Input((5,)), keras.Input((5,))
    inner = noisy(name="inner")
    h = layers.Dense(6, "relu")(layers.concatenate([inner(one), inner(two)]))
    return randomised(keras.Model([one, two], layers.Dense(1)(h)), seed)


def test_a_model_of_a_derived_class_inside_another_is_called_twice():
    x = list(np.random.default_rng(0).normal(size=(2, 4, 5)).astype("float32"))
    one, two = twice(1), twice(2)
    wider = growth.widen(one, 2.0)
    inner = wider.get_layer("inner")
    assert type(inner) is Noisy and inner.layers[1].units == 16
    assert gap(one(x), wider, x) < 1e-5
    assert gap((one(x) + two(x)) / 2, growth.fuse([one, two]), x) < 1e-5
    assert gap(one(x), growth.self_fuse(one, cross="zero"), x) < 1e-5
    assert gap(one(x), growth.deepen(one), x) < 1e-5


def test_a_training_step_of_its_own_stays():
    model = randomised(noisy(2))
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    for grown in (growth.widen(model, 2.0), growth.deepen(model), growth.fuse([model, noisy(2)])):
        assert type(grown) is Noisy
        grown.compile(keras.optimizers.SGD(0.0), "mse")
        assert grown.fit(x, np.zeros((4, 2)), verbose=0).history["loss"][0] > 1000


def decoder(seed=0):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(2 * 2 * 4),
            layers.Reshape((2, 2, 4)),
            layers.Conv2DTranspose(5, 3, 2, "same"),
            layers.LeakyReLU(),
            layers.Conv2D(2, 3),
        ]
    )
    return randomised(model, seed)


def test_features_that_become_an_image_are_fused():
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    one, two = decoder(1), decoder(2)
    assert gap((one(x) + two(x)) / 2, growth.fuse([one, two]), x) < 1e-5
    assert gap(one(x), growth.self_fuse(one, cross="zero"), x) < 1e-5


def test_one_feature_meets_each_of_several():
    x = keras.Input((4,))
    h = layers.Dense(6, "relu")(x)
    out = layers.Dense(3)(h) + layers.Dense(1, name="one")(h) * layers.Dense(1, name="two")(h)
    model = randomised(keras.Model(x, out))
    grown = growth.widen(model, 2.0)
    assert grown.get_layer("one").units == 1
    rows = np.random.default_rng(0).normal(size=(4, 4)).astype("float32")
    assert gap(model(rows), grown, rows) < 1e-5


def test_nothing_is_put_where_nothing_is_gained():
    generator = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4 * 4 * 64),
            layers.Reshape((4, 4, 64)),
            layers.Conv2DTranspose(8, 3, 2, "same"),
            layers.LeakyReLU(),
            layers.Conv2D(3, 3),
        ]
    )
    plan = growth.plan_deepen(generator, 1)
    assert list(plan.table["new"]) == ["Conv2D, Conv2D, Add"]
    assert plan.parameters < 1.2 * generator.count_params()
    linear = keras.Sequential([keras.Input((4,)), *(layers.Dense(n) for n in (6, 6, 2))])
    assert list(growth.plan_deepen(linear, 1).table["method"]) == ["residual"]
    # A wide layer is left where a narrow one is cheaper.
    cone = [keras.Input((4,)), *(layers.Dense(n, "relu") for n in (8, 600)), layers.Dense(1)]
    assert list(growth.plan_deepen(keras.Sequential(cone), 1).table["shape"]) == ["(None, 8)"]
    with pytest.raises(ValueError, match="no place for it .it is an output layer"):
        growth.deepen(keras.Sequential([keras.Input((4,)), layers.Dense(2)]))


@pytest.mark.parametrize("sided", [False, True])
def test_states_that_last_stay(sided):
    x = keras.Input(batch_shape=(2, 3, 4))
    lstm = layers.LSTM(5, stateful=True, return_sequences=True)
    h = (layers.Bidirectional(lstm) if sided else lstm)(x)
    model = randomised(keras.Model(x, layers.Dense(2)(h)))
    for variable in model.non_trainable_variables:
        variable.assign(ops.zeros_like(variable))
    rows = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype("float32")
    grown = [growth.deepen(model), growth.widen(model, 2.0), again(model.layers[1])]
    for batch in rows:  # the second begins where the first has ended
        wanted = model(batch)
        for each in grown[:2]:
            assert gap(wanted, each, batch) < 1e-5


def test_a_sequence_with_its_states_is_deepened():
    x, y = keras.Input((3, 4)), keras.Input((3, 2))
    _, *states = layers.LSTM(5, return_state=True, name="reads")(x)
    h = layers.LSTM(5, return_sequences=True, return_state=True, name="writes")(
        y, initial_state=states
    )[0]
    model = randomised(keras.Model([x, y], layers.Dense(2)(h)))
    grown = growth.deepen(model)
    rows = [np.random.default_rng(0).normal(size=(2, 3, n)).astype("float32") for n in (4, 2)]
    assert grown.count_params() > model.count_params()
    assert gap(model(rows), grown, rows) < 1e-5
    with pytest.raises(ValueError, match="nothing reads its first output"):
        growth.deepen(model, after="reads")
