"""Fusing dense graphs: the mean of the sources, and the refusals."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth, majority
from adaptive_nets.graphs.read import ordered_nodes

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers
X = np.random.default_rng(0).normal(size=(9, 5)).astype("float32")


def net(width=6, features=5, classes=3, depth=2, activation="relu", last=None, name="net"):
    """Dense layers with a skip from the inputs, which both sources read."""
    inputs = keras.Input((features,))
    x = inputs
    for number in range(depth):
        x = layers.Dense(width, activation, name=f"h{number}")(x)
    x = layers.Concatenate(name="join")([x, inputs])
    x = layers.Add(name="sum")([layers.Dense(features, name="back")(x), inputs])
    return keras.Model(inputs, layers.Dense(classes, last, name="head")(x), name=name)


@pytest.mark.parametrize("output", ["mean", "sum"])
@pytest.mark.parametrize("widths", [(6, 6), (4, 7), (3, 4, 5)])
def test_fused_outputs_are_the_mean_or_sum_of_the_sources(gc, widths, output):
    sources = [gc.randomise(net(width), seed) for seed, width in enumerate(widths)]
    fused = growth.fuse(sources, output=output, seed=0)
    total = np.sum([gc.outputs(source, X)[0] for source in sources], axis=0)
    expected = total / len(sources) if output == "mean" else total
    assert gc.gap(gc.outputs(fused, X), [expected]) <= 1e-6
    assert fused.get_layer("h0").units == sum(widths)


def test_blocks_between_sources_are_zero_and_get_gradients(gc):
    a, b = (gc.randomise(net(4), seed) for seed in (1, 2))
    fused = growth.fuse([a, b], seed=0)
    kernel = np.array(fused.get_layer("h1").kernel)
    assert (kernel[:4, 4:] == 0).all() and (kernel[4:, :4] == 0).all()
    np.testing.assert_array_equal(kernel[:4, :4], np.array(a.get_layer("h1").kernel))
    fused.compile(keras.optimizers.SGD(0.1), "mse")
    fused.train_on_batch(X, np.ones((9, 3), "float32"))
    moved = np.array(fused.get_layer("h1").kernel)
    assert np.abs(moved[:4, 4:]).max() > 0 and np.abs(moved[4:, :4]).max() > 0


def test_a_last_softmax_is_applied_to_the_mean_logits(gc):
    a, b = (gc.randomise(net(4, last="softmax"), seed) for seed in (1, 2))
    plan = growth.plan_fuse([a, b], preserve="approximate", seed=0)
    fused, report = growth.apply(plan, sample=X)
    log = [np.log(gc.outputs(source, X)[0]) for source in (a, b)]
    expected = np.exp((log[0] + log[1]) / 2)
    expected /= expected.sum(axis=1, keepdims=True)
    assert gc.gap(gc.outputs(fused, X), [expected]) <= 1e-5
    assert not plan.exact and report.gap > 1e-3


@pytest.mark.parametrize("last", ["softmax", "sigmoid", "log_softmax", "softplus", "tanh"])
def test_what_the_last_function_gives_is_mixed_exactly(gc, last):
    a, b = (gc.randomise(net(4, last=last), seed) for seed in (1, 2))
    plan = growth.plan_fuse([a, b])
    assert any(f"{last} comes before the outputs are mixed" in note for note in plan.notes)
    expected = (gc.outputs(a, X)[0] + gc.outputs(b, X)[0]) / 2
    assert gc.gap(gc.outputs(growth.apply(plan)[0], X), [expected]) <= 1e-5
    copies = growth.self_fuse(a, cross="zero", preserve="exact")
    assert gc.gap(gc.outputs(copies, X), gc.outputs(a, X)) <= 1e-5


def test_self_fusion_keeps_the_function_and_warns_of_equal_halves(gc):
    model = gc.randomise(net(4))
    plan = growth.plan_self_fuse(model, copies=3, cross="zero", preserve="exact")
    assert any("stay equal" in note for note in plan.notes)
    grown, _ = growth.apply(plan)
    assert gc.gap(gc.outputs(grown, X), gc.outputs(model, X)) <= 1e-6
    noisy, report = growth.apply(growth.plan_self_fuse(model, seed=0), sample=X)
    assert not report.exact and 0 < report.gap < 1


def test_cross_noise_has_the_size_that_was_asked_for(gc):
    model = gc.randomise(net(200))
    kernel = np.array(growth.self_fuse(model, cross=0.5, seed=0).get_layer("h1").kernel)
    for block in (kernel[:200, 200:], kernel[200:, :200]):
        assert abs(block.std() * np.sqrt(400) - 0.5) < 0.01
        assert abs(block.mean()) < 3 * 0.5 / np.sqrt(400) / 200


def test_random_blocks_come_from_the_layer_s_initializer(gc):
    sources = [gc.randomise(net(100), seed) for seed in (1, 2)]
    fused = growth.fuse(sources, cross="random", preserve="approximate", seed=0)
    block = np.array(fused.get_layer("h1").kernel)[:100, 100:]
    assert abs(block.std() - np.sqrt(2 / 400)) < 0.005


def test_the_gap_of_mixing_before_a_function_is_reported(gc):
    sources = [gc.randomise(net(4, last="tanh"), seed) for seed in (1, 2)]
    _, report = growth.apply(growth.plan_fuse(sources, preserve="approximate"), sample=X)
    assert report.gap > 1e-3
    assert f" parameters, approximate, largest relative gap {report.gap:.2g}, " in str(report)


@pytest.mark.parametrize(
    ("others", "complaint"),
    [
        ({"features": 4}, "different inputs"),
        ({"classes": 4}, "different outputs"),
        ({"depth": 3}, "different depth"),
    ],
)
def test_sources_that_do_not_match_are_refused(others, complaint):
    with pytest.raises(ValueError, match=complaint):
        growth.fuse([net(), net(**others)])


def test_another_topology_is_refused():
    inputs = keras.Input((5,))
    chain = keras.Model(inputs, layers.Dense(3)(layers.Dense(4)(inputs)))
    inputs = keras.Input((5,))
    dropped = keras.Model(inputs, layers.Dropout(0.5)(layers.Dense(3)(inputs)))
    with pytest.raises(ValueError, match=r"different topology: 'dense.*' \(Dense\) meets"):
        growth.fuse([chain, dropped])


def test_calls_with_other_arguments_are_kept_once_a_source(gc):
    sources = []
    for training in (True, False):
        inputs = keras.Input((5,))
        dropped = layers.Dropout(0.5, name="drop")(inputs, training=training)
        sources.append(keras.Model(inputs, layers.Dense(3)(dropped)))
    plan = growth.plan_fuse(sources)
    assert plan.carried == [
        "'drop' (Dropout) is kept once per source: it is called with other arguments in each source"
    ]
    fused = growth.apply(plan, verify=False)[0]
    calls = [node for node in ordered_nodes(fused) if "drop_" in node.operation.name]
    assert [node.arguments.kwargs["training"] for node in calls] == [True, False]


def test_another_number_of_kernels_is_refused():
    sources = [majority.expand(net(), k) for k in (2, 3)]
    with pytest.raises(ValueError, match=r"'h0'.*the same factor\. Received: 2, 3\."):
        growth.fuse(sources)


def test_one_model_is_not_fused():
    with pytest.raises(ValueError, match="two or more"):
        growth.fuse([net()])


@pytest.mark.parametrize(
    "wrong", [{"cross": "some"}, {"cross": -1.0}, {"norm": "none"}, {"output": "max"}]
)
def test_wrong_words_are_refused(wrong):
    with pytest.raises(ValueError, match="Received"):
        growth.fuse([net(), net()], **wrong)


def behind(function, seed, units=None):
    """A function of the inputs, or of a first layer, in front of dense layers."""
    inputs = keras.Input((8,))
    x = inputs if units is None else layers.Dense(units, name="first")(inputs)
    x = layers.Dense(3, name="head")(layers.Dense(4, "relu", name="hidden")(function(x)))
    return keras.Model(inputs, x), seed


def act(x):
    return keras.ops.tanh(x) * 2.0


def other_act(x):
    return keras.ops.tanh(x) * 3.0


def grid(x):
    return layers.Reshape((4, 2))(x)


def turned(rows, columns):
    def function(x):
        x = keras.ops.transpose(keras.ops.reshape(x, (-1, rows, columns)), (0, 2, 1))
        return keras.ops.reshape(x, (-1, 8))

    return function


def attended(mask):
    def function(x):
        x = grid(x)
        return layers.Flatten()(layers.MultiHeadAttention(2, 2)(x, x, attention_mask=mask))

    return function


def scaled_by(factor):
    return lambda x: layers.Activation(lambda y: y * factor)(x)


ROW = np.arange(8, dtype="float32")
UNLIKE = {
    "factor": (lambda x: x * 2.0, lambda x: x * 3.0),
    "divisor": (lambda x: x / 2.0, lambda x: x / 5.0),
    "side": (lambda x: x - 2.0, lambda x: 2.0 - x),
    "vector": (lambda x: x + ROW, lambda x: x + 2 * ROW),
    "slice": (lambda x: x[:, :3], lambda x: x[:, 4:7]),
    "step": (lambda x: x[:, ::-1], lambda x: x[:, ::1]),
    "dtype": (
        lambda x: keras.ops.cast(keras.ops.cast(x, "int32"), "float32"),
        lambda x: keras.ops.cast(keras.ops.cast(x, "float32"), "float32"),
    ),
    "shape": (turned(2, 4), turned(4, 2)),
    "mask": (attended(np.ones((1, 4, 4))), attended(np.tri(4)[None])),
    "function": (layers.Activation(act), layers.Activation(other_act)),
    "closure": (scaled_by(2.0), scaled_by(3.0)),
    "activation": (lambda x: layers.Dense(4, act)(x), lambda x: layers.Dense(4, other_act)(x)),
    "inner layer": tuple(
        (lambda x, name=name: layers.Flatten()(
            layers.TimeDistributed(layers.Dense(3, name))(grid(x))
        ))
        for name in ("relu", "tanh")
    ),
}  # fmt: skip


# These settings of layers and operations would have to be two.
SETTINGS = ("dtype", "shape", "function", "closure", "activation", "inner layer")


@pytest.mark.parametrize("name", UNLIKE)
def test_sources_that_hold_other_constants_are_refused_or_kept_apart(gc, name):
    one, other = UNLIKE[name]
    sources = [gc.randomise(*behind(one, 1)), gc.randomise(*behind(other, 2))]
    if name in SETTINGS:
        with pytest.raises(ValueError, match=r"Cannot fuse at .*Received: "):
            growth.plan_fuse(sources)
    else:
        x = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
        assert gc.fused_gap(sources, x) <= 1e-5


@pytest.mark.parametrize(
    "function",
    [lambda x: x * 2.0 + ROW, lambda x: x[:, 4:7], scaled_by(2.0), attended(np.tri(4)[None])],
    ids=["vector", "slice", "closure", "mask"],
)
def test_sources_that_hold_equal_constants_are_fused(gc, function):
    sources = [gc.randomise(*behind(function, seed)) for seed in (1, 2)]
    x = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    expected = np.mean([gc.outputs(source, x)[0] for source in sources], axis=0)
    assert gc.gap(gc.outputs(growth.fuse(sources), x), [expected]) <= 1e-5


def test_features_with_a_constant_each_are_kept_once_a_source(gc):
    sources = [gc.randomise(*behind(lambda x: x + ROW, seed, units=8)) for seed in (1, 2)]
    x = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    assert gc.fused_gap(sources, x) <= 1e-5
    assert "each of its features meets a constant of its own" in str(growth.plan_fuse(sources))


def ending(last, width, name="net"):
    """A model with one output of each kind: a Dense with a function, and a layer of its own."""
    inputs = keras.Input((5,))
    x = layers.Dense(width, "relu", name="h")(inputs)
    one = layers.Dense(3, last, name="one")(x)
    two = layers.Softmax(name="two")(layers.Dense(4, name="logits")(x))
    return keras.Model(inputs, [one, two], name=name)


def shares(x):
    """A function of one's own that reads all features."""
    return keras.ops.abs(x) / keras.ops.sum(keras.ops.abs(x), axis=-1, keepdims=True)


@pytest.mark.parametrize("last", ["softmax", "sigmoid", "log_softmax", shares, None])
def test_a_mixture_is_the_mean_behind_each_source_s_own_function(gc, last):
    sources = [gc.randomise(ending(last, width), width) for width in (4, 6, 3)]
    plan = growth.plan_fuse(sources, seed=0)
    assert plan.exact
    fused, _ = growth.apply(plan, verify=True)
    found = [gc.outputs(source, X) for source in sources]
    expected = [np.mean(each, axis=0) for each in zip(*found, strict=True)]
    assert gc.gap(gc.outputs(fused, X), expected) <= 1e-6
    assert fused.output_names == sources[0].output_names
    assert fused.count_params() == plan.parameters
    assert fused.get_layer("h").units == 13


def test_a_mixture_lives_on(gc, tmp_path):
    sources = [gc.randomise(net(4, last="softmax"), seed) for seed in (1, 2)]
    sources[0].compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    y = np.arange(9) % 3
    sources[0].fit(X, y, verbose=0)
    expected = np.mean([gc.outputs(source, X)[0] for source in sources], axis=0)
    fused = growth.fuse(sources, seed=0)
    fused.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    before = fused.evaluate(X, y, verbose=0)
    np.testing.assert_allclose(before, -np.log(expected[np.arange(9), y]).mean(), rtol=1e-5)
    fused.fit(X, y, epochs=20, verbose=0)
    assert fused.evaluate(X, y, verbose=0) < before
    fused.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    assert gc.gap(gc.outputs(again, X), gc.outputs(fused, X)) == 0
    again.export(tmp_path / "served", verbose=False)
    bigger = growth.widen(again, 2.0, verify=True)
    assert gc.gap(gc.outputs(bigger, X), gc.outputs(fused, X)) <= 1e-5
    # In the middle of training, with the optimizer's slots.
    action = growth.FuseWith(sources[1])
    growth.grow_in_place(sources[0], action.plan(sources[0]), verify=True)
    assert gc.gap(gc.outputs(sources[0], X), [expected]) <= 1e-6
    sources[0].fit(X, y, verbose=0)


@pytest.mark.parametrize("output", ["mean", "sum"])
def test_outputs_that_are_read_or_stand_behind_functions_are_mixed_behind_the_graph(gc, output):
    def pyramid(seed):
        inputs = keras.Input((5,))
        one = layers.Dense(4, "relu", name="one")(inputs)
        two = layers.BatchNormalization(name="norm")(layers.Add(name="two")([one, one]))
        three = layers.Dense(4, name="three")(two)
        ends = [one, layers.Add()([two, three]), three, layers.Softmax()(three)]
        return gc.randomise(keras.Model(inputs, ends), seed)

    sources = [pyramid(seed) for seed in (1, 2, 3)]
    plan = growth.plan_fuse(sources, output=output)
    assert plan.exact
    fused, _ = growth.apply(plan, verify=True)
    assert fused.get_layer("one_of_sources").units == 12
    assert fused.output_names == sources[0].output_names
    found = zip(*(gc.outputs(source, X) for source in sources), strict=True)
    expected = [np.mean(each, axis=0) if output == "mean" else np.sum(each, 0) for each in found]
    assert gc.gap(gc.outputs(fused, X), expected) <= 1e-6
    reported = growth.plan_fuse(sources, output=output, preserve="approximate")
    assert not reported.exact


def test_losses_and_targets_by_the_names_of_outputs_that_are_mixed_go_on(gc, tmp_path):
    def network(seed):
        inputs = keras.Input((5,))
        hidden = layers.Dense(4, "relu", name="hidden")(inputs)
        ends = [hidden, layers.Dense(2, name="end")(hidden)]
        return gc.randomise(keras.Model(inputs, ends), seed)

    model, other = network(1), network(2)
    model.hidden_layer = model.get_layer("hidden")
    loss, weights = {"hidden": "mse", "end": "mae"}, {"hidden": 0.5, "end": 1.0}
    model.compile("adam", loss=loss, loss_weights=weights)
    rng = np.random.default_rng(0)
    targets = {"hidden": rng.normal(size=(len(X), 4)), "end": rng.normal(size=(len(X), 2))}
    expected = [
        (a + b) / 2 for a, b in zip(gc.outputs(model, X), gc.outputs(other, X), strict=True)
    ]
    growth.grow_in_place(model, growth.FuseWith(other).plan(model), verify=False)
    assert gc.gap(gc.outputs(model, X), expected) <= 1e-6
    assert model.output_names == ["hidden", "end"]
    assert model.hidden_layer.units == 8
    model.save(tmp_path / "fused.keras")
    again = keras.models.load_model(tmp_path / "fused.keras")
    value = 0.5 * np.mean((expected[0] - targets["hidden"]) ** 2)
    value += np.mean(np.abs(expected[1] - targets["end"]))
    for each in (model, again):
        found = each.evaluate(X, targets, verbose=0, return_dict=True)
        assert found["loss"] == pytest.approx(value, rel=1e-5)
        each.fit(X, targets, verbose=0)


@pytest.mark.parametrize("output", ["mean", "sum"])
def test_what_an_output_holds_of_the_inputs_is_mixed_as_well(gc, output):
    def network(seed):
        inputs = keras.Input((5,))
        ends = [layers.Concatenate()([layers.Dense(4)(inputs), inputs])]
        return gc.randomise(keras.Model(inputs, ends), seed)

    sources = [network(seed) for seed in (1, 2)]
    fused = growth.fuse(sources, output=output, verify=False)
    expected = sum(gc.outputs(source, X)[0] for source in sources)
    assert gc.gap(gc.outputs(fused, X), [expected / (2 if output == "mean" else 1)]) <= 1e-6
