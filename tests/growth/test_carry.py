"""What has no growth rule is carried as it is, in every verb."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth, majority
from adaptive_nets.graphs.read import ordered_nodes

layers, ops = keras.layers, keras.ops
X = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")


@keras.saving.register_keras_serializable(package="test_carry")
class Mix(layers.Layer):
    """Mixes features by weights of its own and of a layer inside it; draws at inference."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units, self.inside = units, layers.Dense(units)
        self.seeds = keras.random.SeedGenerator(3)

    def build(self, shape):
        self.inside.build(shape)
        self.table = self.add_weight(shape=(self.units, self.units), trainable=False)
        self.built = True

    def call(self, x):
        x = ops.matmul(self.inside(x), self.table)
        return x + keras.random.normal((self.units,), seed=self.seeds)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def model(make=Mix, width=8, units=4, seed=0, gc=None, last=2):
    inputs = keras.Input((6,))
    x = layers.Dense(width, "relu", name="before")(inputs)
    x = make(units, name="mix")(x)
    x = layers.Dense(5, "relu", name="behind")(x)
    built = keras.Model(inputs, layers.Dense(last)(x) if last else x)
    return gc.randomise(built, seed)


@pytest.mark.parametrize("method", ["zero", "replicate"])
def test_a_carried_layer_keeps_its_axes(gc, method):
    source = model(gc=gc)
    source.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    source.train_on_batch(X, np.ones((5, 2)))
    plan = growth.plan_widen(source, 2.0, method, seed=0)
    assert [(row.layer, row.size) for row in plan.rows()] == [("behind", 10)]
    assert "'mix' (Mix) is carried as it is: there is no growth rule for it" in plan.notes
    grown = growth.apply(plan)[0]
    assert plan.parameters == grown.count_params()
    old, new = source.get_layer("mix"), grown.get_layer("mix")
    assert new is not old and np.array_equal(new.seeds.state, old.seeds.state)
    assert gc.gap(gc.outputs(grown, X), gc.outputs(source, X)) <= 1e-6
    places = {v.path: n for n, v in enumerate(grown.trainable_variables)}
    moments = [grown.optimizer.momentums[places[v.path]] for v in new.trainable_variables]
    known = {v.path: m for v, m in zip(source.trainable_variables, source.optimizer.momentums,
                                       strict=True)}  # fmt: skip
    for variable, moment in zip(old.trainable_variables, moments, strict=True):
        assert np.any(moment) and np.array_equal(moment, known[variable.path])
    with pytest.raises(ValueError, match="Cannot grow 'before' from 8 to 9: 'mix': Mix is carried"):
        growth.widen(source, {"before": 9})


def test_deepening_and_functions(gc):
    source = model(lambda units, name: layers.Lambda(lambda x: x * 2 - 1, name=name), gc=gc)
    for grown in (growth.deepen(source, seed=0), growth.widen(source, 2.0, seed=0)):
        assert gc.gap(gc.outputs(grown, X), gc.outputs(source, X)) <= 1e-6


def test_each_source_keeps_its_copy(gc):
    sources = [model(width=8, seed=1, gc=gc), model(width=9, units=5, seed=2, gc=gc)]
    plan = growth.plan_fuse(sources)
    assert "'mix' (Mix) is kept once per source: there is no growth rule for it" in plan.notes
    assert {row.layer: row.size for row in plan.rows()} == {"before": 17, "mix": 9, "behind": 10}
    assert plan.parameters == growth.apply(plan)[0].count_params()
    assert gc.fused_gap(sources, X) <= 1e-6
    growth.self_fuse(sources[0], cross="zero", verify=True)


def test_what_is_kept_once_a_source_is_saved(gc, tmp_path):
    source = model(lambda units, name: layers.Softmax(name=name), gc=gc)
    fused = growth.self_fuse(source, cross="zero")
    fused.save(tmp_path / "fused.keras")
    loaded = keras.models.load_model(tmp_path / "fused.keras")
    assert gc.gap(gc.outputs(loaded, X), gc.outputs(fused, X)) <= 1e-6


def test_what_a_carried_layer_gives_is_mixed_at_an_output(gc):
    sources = [
        gc.randomise(keras.Sequential([keras.Input((6,)), layers.Dense(4, "relu"), Mix(3)]), s)
        for s in (1, 2)
    ]
    assert gc.fused_gap(sources, X) <= 1e-6
    total = growth.fuse(sources, output="sum")
    expected = sum(gc.outputs(source, X)[0] for source in sources)
    assert gc.gap(gc.outputs(total, X), [expected]) <= 1e-6


@pytest.mark.parametrize("same", [True, False])
def test_sources_share_what_is_the_same_in_all(gc, same):
    """On shared features one copy is enough, if the layers hold the same."""

    def source(seed):
        inputs = keras.Input((6,))
        x = layers.Dense(4, "relu")(Mix(3, name="mix")(inputs))
        return gc.randomise(keras.Model(inputs, layers.Dense(2)(x)), seed)

    one, other = source(1), source(2)
    if same:
        for a, b in zip(one.get_layer("mix").weights, other.get_layer("mix").weights, strict=True):
            b.assign(a)
    fused = growth.fuse([one, other])
    assert len([x for x in fused.layers if isinstance(x, Mix)]) == (1 if same else 2)
    assert gc.fused_gap([one, other], X) <= 1e-6


def test_a_shared_layer_stays_one(gc):
    inputs = keras.Input((6,))
    twice = Mix(6, name="mix")
    x = layers.Dense(6)(twice(inputs))
    source = gc.randomise(keras.Model(inputs, layers.Dense(2)(twice(x))))
    grown = growth.widen(source, 2.0)
    assert len({id(n.operation) for n in ordered_nodes(grown) if n.operation.name == "mix"}) == 1
    assert gc.gap(gc.outputs(grown, X), gc.outputs(source, X)) <= 1e-6
    assert gc.fused_gap([source, gc.randomise(keras.models.clone_model(source), 4)], X) <= 1e-6


def test_what_is_declared_has_no_note(gc):
    @growth.carry
    @keras.saving.register_keras_serializable(package="test_carry")
    class Quiet(Mix):
        pass

    assert isinstance(Quiet, type)
    source = model(Quiet, gc=gc)
    assert growth.plan_widen(source, 2.0).notes == ()
    assert gc.gap(gc.outputs(growth.widen(source, 2.0), X), gc.outputs(source, X)) <= 1e-6
    with pytest.raises(TypeError, match="must be layer classes"):
        growth.carry(Quiet(3))


def test_what_cannot_be_carried_is_refused_by_name(gc):
    inner = layers.Dense(3)

    class Holds(layers.Layer):
        def __init__(self, layer, **kwargs):
            super().__init__(**kwargs)
            self.layer = layer
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, x):
            return self.layer(x) * self.scale

    inputs = keras.Input((6,))
    x = Holds(inner, name="holds")(inputs)
    with pytest.raises(ValueError, match="Cannot grow 'holds'.* made again from its config"):
        growth.widen(keras.Model(inputs, layers.Dense(2)(x)), 2.0)
    with pytest.raises(ValueError, match="'holds': the layer cannot be made again"):
        hidden = layers.Dense(3, "relu")(x)
        growth.deepen(keras.Model(inputs, layers.Dense(2)(hidden)))

    class Hides(Holds):
        def __init__(self, parts, **kwargs):
            super().__init__(parts[0], **kwargs)

    hidden = Hides([inner], name="hides")(inputs)
    with pytest.raises(ValueError, match=r"'hides'.*shares the weight|shares the weight.*'hides'"):
        growth.widen(keras.Model(inputs, layers.Add()([hidden, inner(inputs)])), 2.0)
    seen = layers.Lambda(lambda x: ops.matmul(x, inner.kernel), name="seen")(inputs)
    with pytest.raises(ValueError, match="Cannot grow 'seen': its function uses 'dense"):
        growth.widen(keras.Model(inputs, layers.Dense(2)(seen)), 2.0)
    whole = keras.Model(inputs, ops.argmax(layers.Dense(3)(inputs), axis=-1, keepdims=True))
    with pytest.raises(ValueError, match="output 0 is of int32"):
        growth.fuse([whole, keras.models.clone_model(whole)])


def by_keyword():
    """Every layer is called by the names of its arguments."""
    inputs = keras.Input((4, 3))
    h = layers.Dense(6, "relu")(inputs=inputs)
    h = layers.Add()(inputs=[h, layers.LayerNormalization()(inputs=layers.Dense(6)(inputs=h))])
    h = layers.MultiHeadAttention(2, 3)(query=h, value=h)
    h = layers.TimeDistributed(layers.Dense(5))(inputs=h)
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True))(sequences=h)
    h = layers.Concatenate()(inputs=[h, both])
    h = layers.Conv1D(4, 2)(inputs=layers.BatchNormalization()(inputs=h))
    return keras.Model(inputs, layers.Dense(2)(inputs=layers.LSTM(3)(sequences=h)))


def test_layers_called_by_keyword(gc):
    sources = [gc.randomise(by_keyword(), seed) for seed in (1, 2)]
    x = np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32")
    expected = gc.outputs(sources[0], x)
    for grown in (
        growth.widen(sources[0], 2.0, "replicate"),
        growth.deepen(sources[0]),
        growth.self_fuse(sources[0], cross="zero"),
        majority.collapse(majority.expand(sources[0], 2))[0],
    ):
        assert gc.gap(gc.outputs(grown, x), expected) <= 1e-5
    assert gc.fused_gap(sources, x, norm="grouped") <= 1e-5


@pytest.mark.parametrize("end", ["norm", "slopes", "skip"])
def test_shared_features_at_an_output(gc, end):
    """What each source makes of the inputs themselves is mixed where it is an output."""

    def source(seed):
        inputs = keras.Input((6,))
        if end == "skip":
            x = layers.Add()([inputs, layers.Dense(6)(inputs)])
        else:
            x = {"norm": layers.LayerNormalization, "slopes": layers.PReLU}[end]()(inputs)
        return gc.randomise(keras.Model(inputs, x), seed)

    assert gc.fused_gap([source(1), source(2)], X, norm="grouped") <= 1e-6


def test_a_wrapper_at_an_output_is_mixed_behind_its_function(gc):
    def source(seed):
        both = [keras.Input((4, 3)), layers.Bidirectional(layers.LSTM(2), name="both")]
        return gc.randomise(keras.Sequential(both), seed)

    x = np.random.default_rng(0).normal(size=(5, 4, 3)).astype("float32")
    assert gc.fused_gap([source(1), source(2)], x) <= 1e-6


def without_an_axis(seed, gc):
    """No axis of known length behind the batch, so no source can stand beside another."""
    inputs = keras.Input((6,))
    total = ops.sum(ops.cumsum(layers.Dense(3, name="h")(inputs), axis=-1), axis=-1)
    return gc.randomise(keras.Model(inputs, [ops.tanh(total), layers.Dense(2)(inputs)]), seed)


@pytest.mark.parametrize("output", ["mean", "sum"])
def test_results_that_cannot_stand_side_by_side_stay_apart(gc, output):
    sources = [without_an_axis(seed, gc) for seed in (1, 2, 3)]
    fused = growth.fuse(sources, output=output, verify=True)
    found = zip(*(gc.outputs(source, X) for source in sources), strict=True)
    expected = [np.mean(each, 0) if output == "mean" else np.sum(each, 0) for each in found]
    assert gc.gap(gc.outputs(fused, X), expected) <= 1e-6
    with pytest.raises(ValueError, match="output 0 has no axis of known length"):
        growth.fuse(sources, output="concatenate")


class Tied(layers.Layer):
    """A head that was given the embedding whose rows it compares features with."""

    def __init__(self, embedding, **kwargs):
        super().__init__(**kwargs)
        self.embedding = embedding

    def build(self, shape):
        self.bias = self.add_weight(shape=(self.embedding.input_dim,), name="bias")

    def call(self, x):
        return ops.matmul(x, ops.transpose(self.embedding.embeddings)) + self.bias


def tied(seed, gc):
    tokens = keras.Input((4,), dtype="int32")
    embedding = layers.Embedding(7, 5, name="embedding")
    h = layers.Dense(5)(layers.Dense(6, "relu", name="h")(embedding(tokens)))
    return gc.randomise(keras.Model(tokens, Tied(embedding, name="head")(h)), seed)


def test_a_layer_that_was_given_another_is_carried_with_it(gc):
    tokens = np.random.default_rng(0).integers(0, 7, (3, 4))
    sources = [tied(seed, gc) for seed in (1, 2)]
    wider = growth.widen(sources[0], 2.0, seed=0)
    assert wider.get_layer("h").units == 12
    assert wider.get_layer("head").embedding is wider.get_layer("embedding")
    assert gc.gap(gc.outputs(wider, tokens), gc.outputs(sources[0], tokens)) <= 1e-6
    plan = growth.plan_fuse(sources)
    fused, _ = growth.apply(plan)
    assert gc.fused_gap(sources, tokens) <= 1e-6
    assert fused.count_params() == plan.parameters
    for number in range(2):
        given = fused.get_layer(f"head_{number}").embedding
        assert given is fused.get_layer(f"embedding_{number}")
    fused.compile(keras.optimizers.SGD(0.1), "mse")
    before = np.array(fused.get_layer("embedding_1").embeddings)
    fused.train_on_batch(tokens, np.ones((3, 4, 7), "float32"))
    assert np.abs(np.array(fused.get_layer("embedding_1").embeddings) - before).max() > 0


class Rows(layers.Layer):
    """Reads the size of the batch, which a graph does not know."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(6)

    def call(self, x):
        rows = ops.shape(x)[0]
        return self.dense(ops.reshape(ops.reshape(x, (rows, 2, 3)), (rows, 6)))


def test_a_call_that_reads_the_batch_s_size_is_carried(gc):
    inputs = keras.Input((6,))
    x = layers.Dense(5, "relu", name="h")(Rows(name="rows")(inputs))
    source = gc.randomise(keras.Model(inputs, layers.Dense(2)(x)))
    wider = growth.widen(source, 2.0, seed=0)
    assert wider.get_layer("h").units == 10
    assert gc.gap(gc.outputs(wider, X), gc.outputs(source, X)) <= 1e-6


class Longer(layers.Layer):
    """Makes its name longer each time, and keeps of its arguments only what it makes of them."""

    def __init__(self, units, name=None, **kwargs):
        super().__init__(**kwargs)
        self.name = f"{name}_0"
        self.dense = layers.Dense(units)

    def build(self, shape):
        self.dense.build(shape)
        self.gain = self.add_weight(shape=(), name="gain")

    def call(self, x):
        return self.dense(x) * self.gain

    def get_config(self):
        return {**super().get_config(), "size": 3}


def test_names_and_arguments_of_a_layer_made_again(gc):
    inputs = keras.Input((6,))
    x = layers.Dense(5, "relu", name="h")(Longer(4, name="long")(inputs))
    source = gc.randomise(keras.Model(inputs, layers.Dense(2)(x)))
    wider = growth.widen(source, 2.0, seed=0)
    assert wider.get_layer("long_0").dense.units == 4
    assert gc.gap(gc.outputs(wider, X), gc.outputs(source, X)) <= 1e-6
    wide = majority.expand(source, 2, exclude=["long_0"], seed=0)
    assert gc.gap(gc.outputs(wide, X), gc.outputs(source, X)) <= 1e-6


class Staged(layers.Layer):
    """Was given a class of layers, which its configuration does not hold."""

    def __init__(self, units, last=None, **kwargs):
        super().__init__(**kwargs)
        self.units, self._kept = units, last
        self.last = None if last is None else last(units, name="last")

    def build(self, shape):
        self.gain = self.add_weight(shape=(), name="gain")
        self.last.build(shape)

    def call(self, x):
        return self.last(x) * self.gain

    def get_config(self):
        return {**super().get_config(), "last": "a class"}


def test_a_layer_that_was_given_a_class_is_made_again(gc):
    inputs = keras.Input((6,))
    x = layers.Dense(5, "relu", name="h")(Staged(4, layers.Dense, name="staged")(inputs))
    source = gc.randomise(keras.Model(inputs, layers.Dense(2)(x)))
    wider = growth.widen(source, 2.0, seed=0)
    assert wider.get_layer("h").units == 10
    assert gc.gap(gc.outputs(wider, X), gc.outputs(source, X)) <= 1e-6
