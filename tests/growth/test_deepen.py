"""Deepening: the function stays, new layers learn, wrong wishes are refused."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers


def mlp(dtype="float32"):
    return keras.Sequential(
        [
            keras.Input((6,), dtype=dtype),
            layers.Dense(8, "relu", name="a", dtype=dtype),
            layers.Dense(8, name="b", dtype=dtype),
            layers.BatchNormalization(name="norm", dtype=dtype),
            layers.ReLU(name="bend", dtype=dtype),
            layers.Dropout(0.3, name="drop", dtype=dtype),
            layers.Dense(7, "tanh", name="c", dtype=dtype),
            layers.Dense(3, name="out", dtype=dtype),
        ],
        name="mlp",
    )


def residual_cnn(dtype="float32"):
    def unit(x, filters, name, stride=1):
        make = {"padding": "same", "use_bias": False, "dtype": dtype}
        skip = x
        h = layers.Conv2D(filters, 3, stride, name=f"{name}_conv1", **make)(x)
        h = layers.BatchNormalization(name=f"{name}_bn1", dtype=dtype)(h)
        h = layers.Activation("relu", name=f"{name}_relu1", dtype=dtype)(h)
        h = layers.Conv2D(filters, 3, name=f"{name}_conv2", **make)(h)
        h = layers.BatchNormalization(name=f"{name}_bn2", dtype=dtype)(h)
        if stride > 1:
            skip = layers.Conv2D(filters, 1, stride, name=f"{name}_skip", dtype=dtype)(x)
        h = layers.Add(name=f"{name}_add", dtype=dtype)([skip, h])
        return layers.ReLU(name=f"{name}_out", dtype=dtype)(h)

    image = keras.Input((8, 8, 3), dtype=dtype)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem", dtype=dtype)(image)
    x = unit(unit(x, 4, "one"), 4, "two")
    x = unit(unit(x, 6, "three", 2), 6, "four")
    x = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    return keras.Model(image, layers.Dense(3, name="out", dtype=dtype)(x), name="cnn")


def vit(dtype="float32", blocks=2):
    image = keras.Input((8, 8, 3), dtype=dtype)
    make = {"dtype": dtype}
    x = layers.Conv2D(8, 4, 4, name="patches", **make)(image)
    x = layers.Reshape((4, 8), name="tokens", **make)(x)
    for i in range(blocks):
        h = layers.LayerNormalization(name=f"norm_a{i}", **make)(x)
        h = layers.MultiHeadAttention(2, 4, name=f"attention{i}", **make)(h, h)
        x = layers.Add(name=f"add_a{i}", **make)([x, h])
        h = layers.LayerNormalization(name=f"norm_m{i}", **make)(x)
        h = layers.Dense(16, "gelu", name=f"up{i}", **make)(h)
        h = layers.Dropout(0.1, name=f"drop{i}", **make)(
            layers.Dense(8, name=f"down{i}", **make)(h)
        )
        x = layers.Add(name=f"add_m{i}", **make)([x, h])
    x = layers.LayerNormalization(name="norm", **make)(x)
    x = layers.GlobalAveragePooling1D(**make)(x)
    return keras.Model(image, layers.Dense(3, name="out", **make)(x), name="vit")


def recurrent(dtype="float32"):
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(9, 5, mask_zero=True, name="words", dtype=dtype)(tokens)
    lstm = layers.LSTM(4, return_sequences=True, dtype=dtype)
    x = layers.Bidirectional(lstm, name="lstm", dtype=dtype)(x)
    x = layers.Bidirectional(layers.LSTM(3, dtype=dtype), name="last", dtype=dtype)(x)
    return keras.Model(tokens, layers.Dense(3, name="out", dtype=dtype)(x), name="recurrent")


def nested(dtype="float32"):
    """Two inputs and outputs, a shared layer, a model inside that is called twice."""
    first, second = keras.Input((5,), name="first", dtype=dtype), keras.Input((8,), name="second")
    inner = keras.Sequential(
        [keras.Input((8,)), layers.Dense(8, "relu", name="deep", dtype=dtype)], name="inner"
    )
    shared = layers.Dense(8, "tanh", name="shared", dtype=dtype)
    a = layers.Dense(8, "relu", name="a", dtype=dtype)(first)
    b = inner(shared(shared(inner(a))))
    total = layers.Add(name="total", dtype=dtype)([b, second, a])
    c = layers.Dense(8, "gelu", name="c", dtype=dtype)(total)
    one = layers.Dense(2, name="one", dtype=dtype)(c)
    two = layers.Dense(3, name="two", dtype=dtype)(layers.Multiply(dtype=dtype)([c, b]))
    return keras.Model({"first": first, "second": second}, {"one": one, "two": two}, name="nested")


MODELS = {f.__name__: f for f in (mlp, residual_cnn, vit, recurrent, nested)}


def batch(model, rows=4, seed=1):
    rng = np.random.default_rng(seed)
    if model.name == "recurrent":
        tokens = rng.integers(1, 9, (rows, 6)).astype("int32")
        tokens[:, 4:] = 0  # masked
        return tokens
    made = {t.name: rng.normal(size=(rows, *t.shape[1:])).astype(t.dtype) for t in model.inputs}
    return made if len(made) > 1 else next(iter(made.values()))


CASES = [
    ("mlp", {}),
    ("mlp", {"after": 3}),
    ("mlp", {"after": ["a", "norm"], "method": "identity"}),
    ("mlp", {"after": ["c", "a"]}),
    ("residual_cnn", {}),
    ("residual_cnn", {"after": 4}),
    ("residual_cnn", {"after": ["two_add", "four_out"]}),
    ("residual_cnn", {"after": "three_add"}),
    ("residual_cnn", {"after": ["one_conv1", "stem"], "method": "identity"}),
    ("vit", {}),
    ("vit", {"after": 3, "method": "residual"}),
    ("vit", {"after": ["add_a0", "up1", "patches"]}),
    ("recurrent", {"after": 2}),
    ("recurrent", {"after": ["words", "last"]}),
    ("nested", {"after": ["inner/deep", "c"]}),
    ("nested", {"after": "total"}),
]


def old_and_new(model, grown):
    names = {layer.name for layer in model._flatten_layers()}
    return [x for x in grown._flatten_layers() if x.name not in names]


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_function_is_preserved_and_new_weights_matter(gc, name, settings):
    model = gc.randomise(MODELS[name]())
    before = [np.array(w) for w in model.get_weights()]
    x = batch(model)
    expected = gc.outputs(model, x)
    plan = growth.plan_deepen(model, seed=0, **settings)
    grown, pairs = plan.build()
    assert plan.exact
    assert gc.gap(gc.outputs(grown, x), expected) <= 1e-5
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert {id(old) for old, _ in pairs} == {id(w) for w in model.weights}
    assert all(np.array_equal(old, new) for old, new in pairs)
    carried = {id(new) for _, new in pairs}
    fresh = [w for w in grown.weights if id(w) not in carried]
    assert len(fresh) + len(carried) == len(grown.weights)
    rng = np.random.default_rng(2)
    for variable in fresh:
        if "moving" not in variable.path and "seed" not in variable.path:
            variable.assign(variable + 0.3 * rng.normal(size=variable.shape))
    assert gc.gap(gc.outputs(grown, x), expected) > 1e-3


@pytest.mark.parametrize("name", ["mlp", "residual_cnn", "vit", "recurrent"])
def test_function_is_preserved_in_float64(gc, name):
    model = gc.randomise(MODELS[name]("float64"))
    x = batch(model)
    grown = growth.deepen(model, after=2, seed=0)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 1e-10


@pytest.mark.parametrize(
    ("name", "after"), [("mlp", "a"), ("mlp", "c"), ("residual_cnn", "two_add"), ("vit", 1)]
)
def test_one_step_moves_the_new_layers(gc, name, after):
    model = gc.randomise(MODELS[name]())
    grown, pairs = growth.plan_deepen(model, after=after, seed=0).build()
    grown.compile(keras.optimizers.SGD(0.1), "mse")
    carried = {id(new) for _, new in pairs}
    fresh = [w for w in grown.trainable_variables if id(w) not in carried]
    before = [np.array(w) for w in fresh]
    for _ in range(2):
        grown.train_on_batch(batch(model), np.ones((4, 3), "float32"))
    moved = [not np.array_equal(a, w) for a, w in zip(before, fresh, strict=True)]
    # A key's bias adds the same to all scores of a query, so softmax gives it no gradient.
    still = [w.path for w, ok in zip(fresh, moved, strict=True) if not ok]
    assert all("key/bias" in path for path in still)


def test_training_mode_is_preserved_by_a_copied_block(gc):
    model = gc.randomise(residual_cnn())
    grown = growth.deepen(model, after="two_out", seed=0)
    x = batch(model)
    gap = np.abs(np.asarray(grown(x, training=True)) - np.asarray(model(x, training=True))).max()
    assert gap <= 1e-5


def test_copies_are_what_was_asked_for(gc):
    deeper = growth.deepen(vit(), after="add_m0")
    new = [x.name for x in old_and_new(vit(), deeper)]
    halves = {"norm_a0_copy", "attention0_copy", "add_a0_copy", "norm_m0_copy", "add_m0_copy"}
    assert halves <= set(new)
    half = [x.name for x in old_and_new(vit(), growth.deepen(vit(), after="add_a1"))]
    assert set(half) >= {"norm_a1_copy", "attention1_copy", "add_a1_copy"}
    assert not any("norm_m" in name for name in half)
    twice = growth.deepen(deeper, after="add_m0")
    assert len({layer.name for layer in twice.layers}) == len(twice.layers)


def test_a_sequential_stays_one_where_it_can():
    assert isinstance(growth.deepen(mlp(), after="a"), keras.Sequential)
    assert not isinstance(growth.deepen(mlp(), after="c"), keras.Sequential)
    names = [layer.name for layer in growth.deepen(mlp(), after=["a", "b"]).layers]
    expected = ["a", "a_identity", "b", "norm", "bend", "b_identity", "bend_identity", "drop"]
    assert names == [*expected, "c", "out"]


def test_places_are_spread_evenly_the_deepest_first():
    def after(count):
        return [path for path, _ in growth.plan_deepen(vit(blocks=4), after=count).places]

    assert after(0) == []
    assert after(1) == ["add_m3"]
    assert after(2) == ["add_m1", "add_m3"]
    assert after(4) == ["add_m0", "add_m1", "add_m2", "add_m3"]
    assert sorted(after(5)) == ["add_m0", "add_m1", "add_m2", "add_m3", "add_m3"]


def test_stacking_repeats_the_blocks_with_their_weights(gc):
    model = gc.randomise(vit(blocks=3))
    plan = growth.plan_deepen(model, method="stack", preserve="approximate")
    grown, report = growth.apply(plan)
    assert not report.exact
    assert report.gap > 0
    by_hand = vit(blocks=6)
    for layer in by_hand.layers:
        digits = "".join(c for c in layer.name if c.isdigit())
        known = {x.name for x in model.layers}
        name = layer.name.replace(digits, str(int(digits) % 3)) if digits else layer.name
        if layer.weights and name in known:
            layer.set_weights(model.get_layer(name).get_weights())
    x = batch(model)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(by_hand, x)) <= 1e-5
    three = growth.deepen(model, method="stack", preserve="approximate", times=3)
    assert len([x for x in three.layers if isinstance(x, layers.MultiHeadAttention)]) == 9


def test_a_plan_prints_and_a_seed_repeats(gc):
    model = gc.randomise(residual_cnn())
    text = str(growth.plan_deepen(model, after="two_add"))
    assert "deepen cnn: exact" in text
    assert "BatchNormalization" in text
    one, two, other = (growth.deepen(model, after=1, seed=seed) for seed in (3, 3, 4))
    same = [np.array_equal(a, b) for a, b in zip(one.weights, two.weights, strict=True)]
    assert all(same)
    assert not all(np.array_equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))


def test_a_deeper_model_is_saved_and_grows_on(gc, tmp_path):
    model = gc.randomise(mlp())
    grown = growth.widen(growth.deepen(model, after=["a", "c"], seed=0), {"b": 11}, seed=0)
    grown.save(tmp_path / "deep.keras")
    again = keras.saving.load_model(tmp_path / "deep.keras")
    x = batch(model)
    assert gc.gap(gc.outputs(again, x), gc.outputs(model, x)) <= 1e-5


class Own(keras.Model):
    """A model that hides its graph."""

    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (mlp, {"after": "c", "method": "identity"}, "'c' by an identity: tanh changes"),
        (vit, {"after": "up0", "method": "identity"}, "gelu.*method='residual'"),
        (vit, {"after": "attention0", "method": "identity"}, "there is no Dense or convolution"),
        (mlp, {"after": "out"}, "'out': it is an output layer"),
        (mlp, {"after": "nothing"}, "no such layer.*'a', 'b'"),
        (nested, {"after": "shared"}, "called 2 times"),
        (nested, {"after": "inner"}, "called 2 times"),
        (mlp, {"after": -1}, "never shrinks.*after=-1"),
        (mlp, {"method": "deep"}, "method must be one of"),
        (mlp, {"times": 1}, "times=1"),
        (vit, {"method": "stack"}, "preserve='approximate'"),
        (mlp, {"after": "c", "method": "stack", "preserve": "approximate"}, "reads and gives"),
        (residual_cnn, {"after": "three_add", "method": "stack"}, "reads and gives"),
        (Own, {}, "subclassed"),
        (lambda: keras.Sequential([layers.Dense(3)]), {}, "not built"),
    ],
)
def test_wrong_wishes_are_refused(make, settings, message):
    with pytest.raises(ValueError, match=message):
        growth.plan_deepen(make(), **settings)


@pytest.mark.parametrize("first", ["relu6", "relu"])
def test_an_identity_behind_a_norm_does_not_cut(gc, first):
    stages = [keras.Input((5,)), layers.Dense(6, first, name="a"), layers.BatchNormalization()]
    model = gc.randomise(keras.Sequential([*stages, layers.ReLU(name="r"), layers.Dense(2)]))
    for variable in model.layers[1].weights:
        variable.assign(variable * 20)
    x = batch(model)
    for place in ("a", "r"):
        grown = growth.deepen(model, after=place, seed=0)
        assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 1e-5


@pytest.mark.parametrize(
    "settings", [{"groups": 2}, {"dilation_rate": 2, "kernel_size": 2}, {"padding": "causal"}]
)
def test_identity_kernels_of_all_convolutions(gc, settings):
    made = {"kernel_size": 3, "padding": "same", **settings}
    conv = layers.Conv1D(6, activation="relu", name="conv", **made)
    stages = [keras.Input((9, 4)), conv, layers.Flatten(), layers.Dense(2)]
    model = gc.randomise(keras.Sequential(stages))
    grown = growth.deepen(model, after="conv", method="identity")
    x = batch(model)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 1e-5


def decoder():
    """Cross attention with a mask, sums by `+`, an EinsumDense, a norm without a gain."""
    x, context = keras.Input((5, 8), name="x"), keras.Input((7, 8), name="context")
    seen = keras.Input((7,), name="seen")
    mask = keras.ops.expand_dims(seen > 0, 1)
    a = x + layers.GroupQueryAttention(4, 4, 2, name="attention")(x, x)
    h = layers.MultiHeadAttention(2, 4, name="cross")(a, context, attention_mask=mask)
    b = layers.Add(name="add_cross")([layers.SpatialDropout1D(0.1)(h), a])
    h = layers.EinsumDense("bsf,fk->bsk", (None, 12), activation="silu")(b)
    c = layers.Add(name="add_einsum")([b, layers.EinsumDense("bsf,fk->bsk", (None, 8))(h)])
    h = layers.Conv1D(8, 3, padding="same", name="conv")(c)
    h = layers.BatchNormalization(scale=False, name="norm")(h)
    d = layers.Add(name="add_conv")([c, layers.Activation("gelu")(h)])
    return keras.Model([x, context, seen], layers.Dense(2)(layers.RMSNormalization()(d)))


def test_blocks_of_many_kinds_add_nothing_at_first(gc):
    model = gc.randomise(decoder())
    x = batch(model)
    names = ["add_cross", "add_einsum", "add_conv"]
    plan = growth.plan_deepen(model, after=4, seed=0)
    assert [path for path, _ in plan.places][1:] == names
    assert {each.method for _, each in plan.places} == {"residual"}
    assert not any("Conv1D, Conv1D" in each.kinds for _, each in plan.places)
    grown, pairs = plan.build()
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 1e-5
    carried = {id(new) for _, new in pairs}
    for variable in grown.weights:
        if id(variable) not in carried and "seed" not in variable.path:
            variable.assign(variable + 0.3)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) > 1e-3


def test_frozen_layers_stay_frozen_and_new_ones_learn():
    model = mlp()
    model.get_layer("a").trainable = False
    grown = growth.deepen(model, after="a")
    assert not grown.get_layer("a").trainable_variables
    assert len(grown.get_layer("a_identity").trainable_variables) == 2


def adapted(kind):
    """A model whose hidden layers train by LoRA, with random adapters."""
    inputs = keras.Input((6, 6, 2))
    x = layers.Flatten()(inputs) if kind is layers.Dense else inputs
    size = (4,) if kind is layers.Dense else (4, 3)
    make = {} if kind is layers.Dense else {"padding": "same"}
    x = kind(*size, activation="relu", name="hidden", **make)(x)
    h = kind(*size, activation="relu", name="inside", **make)(x)
    h = kind(*size, name="last", **make)(h)
    x = layers.Flatten()(layers.Add(name="sum")([x, h]))
    model = keras.Model(inputs, layers.Dense(2)(x))
    for name in ("hidden", "inside", "last"):
        model.get_layer(name).enable_lora(2)
    return model


@pytest.mark.parametrize("kind", [layers.Dense, layers.Conv2D])
@pytest.mark.parametrize(
    ("after", "method"), [("hidden", "identity"), ("hidden", "residual"), ("sum", "residual")]
)
def test_layers_with_adapters_keep_the_function_and_new_ones_learn(gc, kind, after, method):
    model = gc.randomise(adapted(kind))
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype("float32")
    deeper = growth.deepen(model, after=after, method=method)
    assert gc.gap(gc.outputs(deeper, x), gc.outputs(model, x)) <= 1e-6
    new = [y for y in deeper.layers if y.weights and y.name not in {z.name for z in model.layers}]
    assert new and all(not y.lora_enabled and y.kernel.trainable for y in new)


def test_a_rule_that_names_a_computed_tensor_is_refused(monkeypatch):
    from adaptive_nets.growth.core.registry import find_rule

    rule = type(find_rule(layers.Dense))
    monkeypatch.setattr(rule, "identity_values", lambda self, layer: {id(layer.kernel * 1.0): 0})
    with pytest.raises(ValueError, match="a value to what is not a variable of it"):
        growth.deepen(mlp(), after="a", method="identity")
