"""Small models of the kinds that were once silently wrong: exact, or refused by name."""

import keras
import numpy as np
import pytest
from random_graphs import values
from trying_graphs import computed_in, refused

from adaptive_nets import growth, majority

layers, ops = keras.layers, keras.ops
dense = layers.Dense


@pytest.fixture(autouse=True)
def double():
    """Rounding is not a difference in float64."""
    with computed_in("float64"):
        yield


def row(*steps, shape=(3, 5)):
    """A model of layers in a row."""
    x = inputs = keras.Input(shape)
    for step in steps:
        x = step(x)
    return keras.Model(inputs, x)


def mixing(x):
    """A function that mixes features, and is none of Keras."""
    return x - ops.mean(x, axis=-1, keepdims=True)


def relu(x):
    """Another function than the one that Keras knows by this name."""
    return ops.relu(x) + 1


def block():
    x = keras.Input((3, 5))
    h = dense(6)(x)
    return keras.Model(x, dense(2)(h + layers.ReLU(None, 0.1, 1.0)(dense(6)(h))))


def weighted_mean():
    x = keras.Input((3, 6))
    return keras.Model(x, dense(2)(ops.average(dense(6)(x), axis=1, weights=ops.abs(x))))


def known_vectors(shape=(5, 6)):
    return keras.initializers.Constant(np.arange(np.prod(shape), dtype="float64").reshape(shape))


MODELS = {
    "an activation of one's own": lambda: row(dense(6, mixing), dense(2)),
    "an activation layer of one's own": lambda: row(dense(6), layers.Activation(mixing), dense(2)),
    "a state's activation": lambda: row(layers.LSTM(6, activation=mixing), dense(2)),
    "a gate's activation": lambda: row(layers.GRU(6, recurrent_activation="softmax"), dense(2)),
    "filters' activation": lambda: row(layers.Conv1D(6, 2, activation=mixing), dense(2)),
    "a layer as an activation": lambda: row(
        dense(6, activation=layers.UnitNormalization()), dense(2)
    ),
    "a name of Keras": lambda: row(dense(6, relu), dense(2)),
    "a constant at the end": lambda: row(dense(6, "relu"), dense(2), layers.Rescaling(2.0, 1.0)),
    "a vector of scales": lambda: row(dense(3), layers.Rescaling([1.0, 2, 3]), dense(2)),
    "a vector of offsets": lambda: row(dense(3), layers.Rescaling(1.0, np.arange(3.0)), dense(2)),
    "a slope below a threshold": lambda: row(
        dense(5), layers.ReLU(None, 0.1, 1.0), layers.RMSNormalization(), dense(2)
    ),
    "a slope in a block": block,
    "known vectors": lambda: row(dense(6, kernel_initializer=known_vectors()), dense(2)),
    "a sum of exponentials of zeros": lambda: row(
        dense(6), lambda x: x + ops.logsumexp(ops.zeros_like(x), axis=-1, keepdims=True), dense(2)
    ),
    "weights of a mean": weighted_mean,
}
PLANS = {
    "widen": lambda m: growth.plan_widen(m[0], 2.0, seed=0),
    "replicate": lambda m: growth.plan_widen(m[0], 2.0, "replicate", seed=0),
    "deepen": lambda m: growth.plan_deepen(m[0], 1, seed=0),
    "self_fuse": lambda m: growth.plan_self_fuse(m[0], cross="zero", preserve="exact"),
    "fuse": lambda m: growth.plan_fuse(m, norm="grouped"),
    "sum": lambda m: growth.plan_fuse(m, output="sum"),
}


# What was wrong of them, where it was more or less than widening and fusing.
WRONG = {
    "a name of Keras": ("deepen", "expand"),
    "a constant at the end": ("sum",),
    "a slope in a block": ("deepen",),
    "a slope below a threshold": ("widen",),
    "known vectors": ("widen", "fuse"),
    "weights of a mean": ("widen", "fuse"),
    "a gate's activation": ("widen", "replicate", "self_fuse", "fuse"),
    "a sum of exponentials of zeros": ("widen", "replicate", "fuse"),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_was_wrong_is_exact(gc, name):
    models = [gc.randomise(MODELS[name](), seed) for seed in (0, 1)]
    x = values(models[0])
    one, other = (gc.outputs(model, x)[0] for model in models)
    expected = {"fuse": (one + other) / 2, "sum": one + other}
    for verb in WRONG.get(name, ("widen", "fuse")):
        if verb == "expand":
            grown = majority.expand(models[0], 2, verify=False)
        else:
            grown = growth.apply(PLANS[verb](models), verify=False)[0]
        gap = gc.gap(gc.outputs(grown, x), [expected.get(verb, one)])
        assert gap < 1e-10, (verb, gap)


class Inner(layers.Layer):
    """A layer with a weight and without a configuration of its own."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4), name="kernel")

    def call(self, x):
        return ops.tanh(x @ self.kernel)


class Outer(layers.Layer):
    """A layer of one that is carried, and one that has a rule."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.dense = Inner(), dense(4, "relu")

    def call(self, x):
        return self.inner(x) + self.dense(x)


class Plain(layers.Layer):
    """A layer whose constructor takes neither a name nor keeps what it was given."""

    def __init__(self, units):
        super().__init__()
        self.dense = dense(units, "relu")

    def call(self, x):
        return self.dense(x)


def test_what_a_layer_holds_is_carried_with_it(gc):
    plain = gc.randomise(row(Plain(4), dense(2)))
    for make in (growth.deepen, majority.expand):
        grown = make(plain)
        assert gc.gap(*(gc.outputs(each, values(plain)) for each in (grown, plain))) < 1e-10
    model = gc.randomise(row(Outer(name="outer"), dense(2)))
    x = values(model)
    for make in (lambda m: growth.widen(m, 2.0, verify=False), growth.deepen, majority.expand):
        grown = make(model)
        assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) < 1e-10
        assert grown.get_layer("outer")


def test_known_vectors_are_stored_and_read(gc, tmp_path):
    model = gc.randomise(MODELS["known vectors"]())
    wide = growth.widen(model, 2.0)
    wide.save(tmp_path / "wide.keras")
    x = values(model)
    found = keras.models.load_model(tmp_path / "wide.keras")
    assert gc.gap(gc.outputs(found, x), gc.outputs(model, x)) < 1e-10


def test_a_place_for_noise_of_a_length_does_not_grow(gc):
    model = row(dense(6), layers.Dropout(0.5, noise_shape=(None, 1, 6)), dense(2))
    wide = growth.widen(model, 2.0)
    x = values(model)[0]
    assert wide(x, training=True).shape == (4, 3, 2)
    fused = growth.fuse([model, row(dense(4), layers.Dropout(0.5), dense(2))], verify=False)
    assert gc.gap(gc.outputs(fused, x), gc.outputs(fused, x)) == 0


def shared(first, second):
    """A model that calls the first layer, and then the second, which may be the first again."""
    return row(dense(5), first, dense(5), second, dense(2))


def test_layers_that_only_the_first_source_shares_are_refused(gc):
    layer = layers.ReLU(0.6)
    sharing, other = shared(layer, layer), shared(layers.ReLU(0.6), layers.ReLU(0.3))
    with pytest.raises(ValueError, match="calls one layer more than once") as error:
        growth.fuse([sharing, other])
    assert refused(error.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (layers.TimeDistributed(dense(5)), layers.TimeDistributed(layers.LayerNormalization())),
        (layers.Bidirectional(layers.LSTM(4)), layers.Bidirectional(layers.GRU(4))),
        (layers.RNN(layers.LSTMCell(4)), layers.RNN(layers.SimpleRNNCell(4))),
    ],
)
def test_other_layers_inside_are_kept_once_a_source(gc, one, other):
    sources = [
        gc.randomise(row(dense(5), each, dense(2)), n) for n, each in enumerate((one, other))
    ]
    assert gc.fused_gap(sources, values(sources[0])) < 1e-10


def test_windows_of_recurrent_images_are_compared(gc):
    sources = [
        row(layers.ConvLSTM1D(3, 2, dilation_rate=n, padding="same"), dense(2), shape=(2, 4, 3))
        for n in (1, 2)
    ]
    with pytest.raises(ValueError, match="differ in dilation_rate"):
        growth.fuse(sources)


def test_a_name_of_several_layers_is_refused():
    inner = [
        keras.Sequential([keras.Input((5,)), dense(4, name="dense"), dense(5)], name=name)
        for name in ("one", "two")
    ]
    model = row(*inner, shape=(5,))
    with pytest.raises(ValueError, match="'one/dense', 'two/dense'"):
        growth.widen(model, {"dense": 8})
    assert growth.widen(model, {"two/dense": 8}).get_layer("two").layers[0].units == 8


def test_results_of_a_split_have_names_of_their_own(gc):
    inputs = keras.Input((3, 5))
    one, two = ops.split(dense(6)(inputs), [2], axis=-1)
    model = gc.randomise(keras.Model(inputs, dense(2)(ops.concatenate([two, one], axis=-1))))
    grown = growth.self_fuse(model, cross="zero", preserve="exact", verify=False)
    x = values(model)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) < 1e-10


def joined_with_an_input():
    inputs = keras.Input((5,))
    joined = layers.Concatenate()([inputs, dense(4, "relu")(inputs)])
    x = dense(9, "relu")(joined) + joined
    return keras.Model(inputs, dense(2)(dense(3)(x)))


def test_features_of_which_the_sources_share_some(gc):
    models = [gc.randomise(joined_with_an_input(), seed) for seed in (0, 1)]
    x = values(models[0])
    grown = growth.self_fuse(models[0], 3, cross="zero", preserve="exact", verify=False)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(models[0], x)) < 1e-10
    with pytest.raises(ValueError, match="features that all sources share beside their own"):
        growth.fuse(models)


def test_widening_of_what_cannot_grow_says_so():
    with pytest.warns(UserWarning, match="changes nothing: .* reduces over features"):
        growth.widen(row(dense(4), layers.Lambda(mixing), dense(2)), 2.0)


def test_truths_of_several_sources_are_not_mixed(gc):
    def make():
        inputs = keras.Input((3, 5))
        return keras.Model(inputs, ops.cast(ops.all(dense(4)(inputs) > -1, axis=1), "float64"))

    models = [gc.randomise(make(), seed) for seed in (0, 1)]
    x = values(models[0])
    one, other = (gc.outputs(model, x)[0] for model in models)
    grown = growth.self_fuse(models[0], 3, cross="zero", preserve="exact", verify=False)
    assert gc.gap(gc.outputs(grown, x), [one]) == 0
    assert gc.gap(gc.outputs(growth.fuse(models), x), [(one + other) / 2]) < 1e-10


def test_a_model_inside_that_is_called_on_what_grows_and_on_what_does_not(gc):
    def make():
        inner = keras.Sequential([keras.Input((5,)), layers.ReLU(0.5)])
        inputs = keras.Input((5,))
        return keras.Model(inputs, dense(2)(inner(dense(5)(inputs)) + 2 * dense(5)(inner(inputs))))

    models = [gc.randomise(make(), seed) for seed in (0, 1)]
    x = values(models[0])
    grown = growth.widen(models[0], 2.0, verify=False)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(models[0], x)) < 1e-10
    assert gc.fused_gap(models, x) < 1e-10
