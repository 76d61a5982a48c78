"""Layers of a user's own: what grows through the layers that they call, and what is carried."""

import pathlib
import re

import keras
import numpy as np
import pytest
from keras import layers, ops

from adaptive_nets import growth

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "own_layers.md"
register = keras.saving.register_keras_serializable(package="test_own_layers")


@register
class Block(layers.Layer):
    """A residual block whose positions come from a table."""

    def __init__(self, width=8, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.positions = layers.Embedding(5, width)
        self.norm = layers.LayerNormalization()
        self.network = keras.Sequential([layers.Dense(12, "gelu"), layers.Dense(width)])
        self.dropout = layers.Dropout(0.5)

    def call(self, x, training=None):
        y = self.norm(x + self.positions(ops.arange(5)))
        return x + self.dropout(self.network(y), training=training)

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def randomised(model, seed=0):
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "float" in variable.dtype:
            value = rng.normal(size=variable.shape) / 2 + 0.1
            variable.assign(np.abs(value) if "variance" in variable.path else value)
    return model


def model_of(layer, seed=0):
    x = keras.Input((5, 3))
    h = layer(layers.Dense(8, name="before")(x))
    h = layers.Dense(6, name="after")(layers.Flatten()(h))
    return randomised(keras.Model(x, layers.Dense(2)(h)), seed)


def gap(source, grown, x):
    wanted, got = (ops.convert_to_numpy(each(x)) for each in (source, grown))
    return np.abs(wanted - got).max() / np.abs(wanted).max()


X = np.random.default_rng(1).normal(size=(4, 5, 3)).astype("float32")


def test_a_layer_grows_through_those_that_it_calls(tmp_path):
    model = model_of(Block(name="own"))
    said = "'own' (Block) becomes a Functional model of the layers that it calls"
    assert said not in str(growth.plan_widen(model, {"after": 9}))
    grown = growth.widen(model, {"after": 9}, verify=True)
    assert type(grown.get_layer("own")) is Block  # nothing in it grew
    hidden = model.get_layer("own").network.layers[0].name
    sequential = model.get_layer("own").network.name
    assert said in str(growth.plan_widen(model, {f"own/{sequential}/{hidden}": 20}))
    grown = growth.widen(model, {f"own/{sequential}/{hidden}": 20}, verify=True)
    inner = grown.get_layer("own")
    assert isinstance(inner, keras.Model) and inner.get_layer(sequential).layers[0].units == 20
    assert gap(model, grown, X) < 1e-5
    # The table of positions learns, and dropout acts in training only.
    table = next(w for w in grown.trainable_weights if tuple(w.shape) == (5, 8))
    before = ops.convert_to_numpy(table).copy()
    grown.compile("sgd", "mse")
    grown.fit(X, np.ones((4, 2)), verbose=0)
    assert np.abs(ops.convert_to_numpy(table) - before).max() > 1e-4
    assert np.abs(np.asarray(grown(X, training=True)) - np.asarray(grown(X))).max() > 1e-3
    # What is saved needs neither this package nor the class.
    grown.save(tmp_path / "grown.keras")
    with keras.saving.CustomObjectScope({}):
        keras.saving.get_custom_objects().pop("test_own_layers>Block")
        loaded = keras.models.load_model(tmp_path / "grown.keras")
        register(Block)
    assert gap(grown, loaded, X) < 1e-6


def test_a_layer_that_its_configuration_does_not_make_again_grows():
    class Holds(layers.Layer):
        def __init__(self, layer, **kwargs):
            super().__init__(**kwargs)
            self.layer = layer

        def call(self, x):
            return self.layer(x)

    model = model_of(Holds(layers.Dense(8), name="own"))
    for widths in (2.0, {"after": 9}):
        assert gap(model, growth.widen(model, widths, verify=True), X) < 1e-5


def test_own_layers_are_fused():
    sources = [model_of(Block(name="own"), seed) for seed in (1, 2)]
    fused = growth.fuse(sources, norm="grouped", verify=True)
    wanted = np.mean([np.asarray(model(X)) for model in sources], axis=0)
    assert np.abs(np.asarray(fused(X)) - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_an_own_residual_layer_is_copied_whole():
    model = model_of(Block(name="own"))
    for after in (None, "own"):
        grown = growth.deepen(model, after, verify=True)
        copy = grown.get_layer("own_copy")
        assert type(copy) is Block and not ops.convert_to_numpy(copy.network.layers[1].kernel).any()
        assert ops.convert_to_numpy(copy.network.layers[0].kernel).any()
        assert gap(model, grown, X) == 0


class Hidden(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(8)
        self.other = layers.Dense(8)

    def build(self, shape):
        self.dense.build(shape)
        self.other.build(shape)

    def call(self, x):
        return self.dense(x)  # the other one is not used


@register
class Branches(Hidden):
    def call(self, x, training=None):
        x = self.other(x)
        return self.dense(x) * 2 if training else self.dense(x)


@register
class Reads(Hidden):
    def call(self, x):
        return self.dense(x) + ops.matmul(x, self.dense.kernel) + self.other(x)


@register
class Converts(Hidden):
    def call(self, x):
        return self.dense(self.other(x)) + ops.sum(ops.convert_to_tensor(self.dense.kernel))


@register
class Draws(Hidden):
    def call(self, x, training=None):
        noise = keras.random.normal((8,), seed=3 if training else 4)
        return self.dense(self.other(x)) + noise


@register
class Loses(Hidden):
    def call(self, x):
        x = self.dense(self.other(x))
        self.add_loss(ops.mean(x))
        return x


@register
class Counts(Hidden):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.BatchNormalization()

    def build(self, shape):
        super().build(shape)
        self.norm.build(shape)
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

    def call(self, x):
        self.count.assign_add(1.0)
        return self.norm(self.dense(self.other(x)))


register(Hidden)


@pytest.mark.parametrize("kind", [Hidden, Branches, Reads, Converts, Draws, Loses, Counts])
def test_what_no_graph_says_is_carried(kind):
    model = model_of(kind(name="own"))
    before = [ops.convert_to_numpy(v).copy() for v in model.variables]
    plan = growth.plan_widen(model, 2.0)
    assert all(np.array_equal(a, v) for a, v in zip(before, model.variables, strict=True))
    grown, _ = growth.apply(plan, verify=True)
    assert type(grown.get_layer("own")) is kind
    assert grown.get_layer("after").units == 12
    assert gap(model, grown, X) < 1e-5


def test_a_layer_that_reads_a_mask_is_carried():
    @register
    class Masked(layers.Layer):
        supports_masking = True

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(4)

        def call(self, x, mask=None):
            x = self.dense(x)
            return x if mask is None else x * ops.cast(ops.expand_dims(mask, -1), x.dtype)

    ids = keras.Input((5,), dtype="int32")
    h = Masked(name="own")(layers.Embedding(7, 4, mask_zero=True)(ids))
    model = randomised(keras.Model(ids, layers.Dense(2)(layers.Flatten()(h))))
    grown = growth.widen(model, 2.0)
    x = np.array([[1, 2, 3, 0, 0]])
    assert type(grown.get_layer("own")) is Masked and gap(model, grown, x) < 1e-5


def test_the_rules_of_the_page_hold():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    assert len(blocks) == 4
    names = {"__name__": "page"}
    for block in blocks[:3]:
        exec(block, names)
    ids = keras.Input((6,), dtype="int32")
    h = names["TokensAndPositions"](6, 20, 8, name="tokens")(ids)
    h = names["Block"](5, 12, name="block")(names["GatedUnit"](5, name="gate")(h))
    model = randomised(keras.Model(ids, layers.Dense(2)(layers.Flatten()(h))))
    grown = growth.widen(model, {"tokens": 11, "block": 20}, verify=True)
    assert grown.get_layer("tokens").width == 11 and grown.get_layer("block").hidden == 20
    assert type(grown.get_layer("gate")) is names["GatedUnit"]
    assert gap(model, grown, np.random.default_rng(0).integers(0, 20, (4, 6))) < 1e-5
