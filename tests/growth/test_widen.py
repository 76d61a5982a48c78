"""Widening dense graphs: the function stays, new units learn, wrong wishes are refused."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers


def graph(width=6, dtype="float32"):
    """Residual sums, concatenation, a shared layer, a nested model, two inputs and outputs."""
    keras.backend.clear_session()
    first, second = keras.Input((5,), name="first"), keras.Input((3,), name="second")
    make = {"dtype": dtype}
    a = layers.Dense(width, "relu", name="a", **make)(first)
    b = layers.Dense(width, "gelu", name="b", **make)(a)
    total = layers.Add(name="add", **make)([a, b])
    shared = layers.Dense(width, "tanh", name="shared", **make)
    twice = shared(shared(total))
    inner = keras.Sequential(
        [keras.Input((width,)), layers.Dense(width + 1, "sigmoid", name="deep", **make)],
        name="inner",
    )
    joined = layers.Concatenate(name="joined", **make)([inner(twice), second, total])
    c = layers.Dense(width, "relu", name="c", **make)(joined)
    one = layers.Dense(2, name="one", **make)(c)
    two = layers.Dense(3, "softmax", name="two", **make)(layers.Multiply(**make)([c, b]))
    return keras.Model({"first": first, "second": second}, {"one": one, "two": two}, name="graph")


def inputs(rows=7, dtype="float32"):
    rng = np.random.default_rng(3)
    return {
        "first": rng.normal(size=(rows, 5)).astype(dtype),
        "second": rng.normal(size=(rows, 3)).astype(dtype),
    }


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize(
    "settings",
    [
        {"widths": 2.0},
        {"widths": 1.7, "method": "replicate"},
        {"widths": 2.0, "method": "replicate", "noise": 0.5},
        {"widths": {"a": 9, "inner/deep": 2.0}},
        {"widths": {"shared": 13}, "method": "replicate"},
    ],
)
def test_function_is_preserved(gc, settings, dtype, tolerance):
    model = gc.randomise(graph(dtype=dtype))
    before = [np.array(w) for w in model.get_weights()]
    x = inputs(dtype=dtype)
    grown = growth.widen(model, seed=0, **settings)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= tolerance
    assert grown.count_params() > model.count_params()
    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)


def test_tied_layers_grow_together(gc):
    grown = growth.widen(gc.randomise(graph()), {"a": 11}, seed=0)
    units = {layer.name: getattr(layer, "units", None) for layer in grown.layers}
    # a + b are added, shared reads and makes what it reads, c is multiplied with b.
    assert units["a"] == units["b"] == units["shared"] == units["c"] == 11
    assert grown.get_layer("inner").get_layer("deep").units == 7
    assert (units["one"], units["two"]) == (2, 3)


def test_new_units_read_old_ones_and_nothing_reads_them_yet(gc):
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, "relu", name="h"), layers.Dense(2, name="out")]
    )
    gc.randomise(model)
    grown = growth.widen(model, {"h": 6}, seed=0)
    first, second = (np.array(grown.get_layer(name).kernel) for name in ("h", "out"))
    old_first, old_second = (np.array(model.get_layer(name).kernel) for name in ("h", "out"))
    np.testing.assert_array_equal(first[:, :4], old_first)
    np.testing.assert_array_equal(second[:4], old_second)
    assert (first[:, 4:] != 0).all()
    assert (second[4:] == 0).all()


def test_copies_share_the_load_exactly(gc):
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, "relu", name="h"), layers.Dense(2, name="out")]
    )
    gc.randomise(model)
    grown = growth.widen(model, {"h": 4}, method="replicate", seed=0)
    kernel, out = (np.array(grown.get_layer(name).kernel) for name in ("h", "out"))
    np.testing.assert_array_equal(kernel[:, :2], kernel[:, 2:])
    np.testing.assert_allclose(out[:2], np.array(model.get_layer("out").kernel) / 2, rtol=1e-6)


def test_the_same_seed_gives_the_same_model_and_another_another(gc):
    model = gc.randomise(graph())
    one, same, other = (growth.widen(model, 2.0, seed=s) for s in (1, 1, 2))
    pairs = list(zip(one.get_weights(), same.get_weights(), strict=True))
    assert all(np.array_equal(a, b) for a, b in pairs)
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("grow", [growth.widen, growth.self_fuse, growth.deepen])
def test_names_that_keras_counts_up_do_not_matter(grow):
    def grown():
        seeds = [keras.initializers.GlorotUniform(seed) for seed in range(3)]
        made = [layers.Dense(4, "relu", kernel_initializer=each) for each in seeds]
        more = {growth.widen: [2.0], growth.deepen: [1]}.get(grow, [])
        return grow(keras.Sequential([keras.Input((4,)), *made]), *more, seed=0)

    for one, other in zip(grown().get_weights(), grown().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_layers_of_one_shape_get_different_new_units(gc):
    model = keras.Sequential([keras.Input((4,)), *(layers.Dense(4) for _ in range(3))])
    grown = growth.widen(gc.randomise(model), 2.0, seed=0)
    first, second = (np.array(layer.kernel)[:4, 4:] for layer in grown.layers[:2])
    assert np.abs(first - second).max() > 0.1


def test_plan_prints_what_will_grow_and_changes_nothing(gc):
    model = gc.randomise(graph())
    plan = growth.plan_widen(model, {"inner/deep": 9}, seed=0)
    text = str(plan)
    assert "inner/deep" in text and "exact" in text
    assert [(row.layer, row.sources, row.size) for row in plan.rows()] == [("inner/deep", (7,), 9)]
    grown, report = growth.apply(plan, sample=inputs())
    assert report.parameters == grown.count_params() > report.parameters_before
    assert report.gap <= 1e-6 and report.exact


def test_plans_and_reports_are_read_alike_and_as_they_were(gc):
    plan = growth.plan_widen(gc.randomise(graph()), {"inner/deep": 9}, seed=0)
    deeper = growth.plan_deepen(plan.models[0], after="a", seed=0)
    assert isinstance(plan, growth.Plan) and isinstance(deeper, growth.Plan)
    for each in (plan, deeper):
        grown, report = each.apply()
        assert report.table.equals(each.table) and report.notes == each.notes
        assert type(report.table).__name__ == "DataFrame" and type(report.notes) is tuple
        assert report.parameters == each.parameters == grown.count_params()
        counts = f"{report.parameters_before:,} -> {report.parameters:,}"
        assert str(report).startswith(f"{counts} parameters, exact, {report.seconds:.2f} s, ")
        for name in ("table", "notes"):
            value = getattr(each, name)
            with pytest.warns(DeprecationWarning, match=f"Use `plan.{name}`") as warned:
                old = value()
            assert len(warned) == 1 and type(old) in (tuple, type(report.table))
            assert old.equals(value) if name == "table" else old == value


def test_noise_is_for_copies_only(gc):
    model = gc.randomise(graph())
    with pytest.raises(ValueError, match="noise is drawn for copies.*noise=0.5 with method='zero'"):
        growth.widen(model, 2.0, noise=0.5)
    with pytest.raises(ValueError, match="noise is drawn for copies"):
        growth.Widen(2.0, noise=0.5)
    assert growth.widen(model, 2.0, "replicate", noise=0.5, verify=True) is not model


def test_round_to_rounds_up(gc):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(5, name="h"), layers.Dense(2)])
    grown = growth.widen(gc.randomise(model), 1.5, round_to=8, seed=0)
    assert grown.get_layer("h").units == 8


@pytest.mark.parametrize(
    ("widths", "complaint"),
    [
        ({"a": 4}, r"Cannot grow 'a' from 6 to 4 units: growth never shrinks. Pass units >= 6"),
        ({"a": 0.5}, "growth never shrinks"),
        ({"nobody": 4}, "no such layer. Expected one of"),
        ({"one": 5}, "output of the model"),
        ({"add": 9}, "no axis"),
        ({"a": 9, "b": 10}, "grows together with 'a'"),
        ({"a": "wide"}, "a number of units"),
        ({"a": float("nan")}, "finite factor"),
        (0.5, "growth never shrinks"),
        (128, r"could mean a factor or a number of units.*Pass 128.0, or \{layer name: 128\}"),
        (np.int64(2), "could mean a factor"),
        (True, "a number of units"),
    ],
)
def test_wrong_widths_are_refused(gc, widths, complaint):
    with pytest.raises((ValueError, TypeError), match=complaint):
        growth.plan_widen(graph(), widths)


def test_what_cannot_grow_is_refused_by_name():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="subclassed model hides its graph"):
        growth.widen(Own(), 2.0)
    with pytest.raises(ValueError, match="not built"):
        growth.widen(keras.Sequential([layers.Dense(3)]), 2.0)
    with pytest.raises(TypeError, match="not a Keras model"):
        growth.widen("model.keras", 2.0)


def test_weights_that_are_not_finite_are_refused(gc):
    model = gc.randomise(graph())
    kernel = np.array(model.get_layer("b").kernel)
    kernel[0, 0] = np.nan
    model.get_layer("b").kernel.assign(kernel)
    with pytest.raises(ValueError, match=r"weight 'b/kernel' holds 1 values that are not finite"):
        growth.widen(model, 2.0)


def test_a_rule_that_forgets_a_weight_is_found_out():
    class Scaled(layers.Layer):
        def build(self, shape):
            self.gain = self.add_weight(shape=shape[-1:], initializer="ones", name="gain")

        def call(self, x):
            return x * self.gain

    @growth.register_rule(Scaled)
    class Forgetful(growth.Rule):
        def trace(self, call):
            return call.output(call.inputs)

    inputs_ = keras.Input((3,))
    model = keras.Model(inputs_, layers.Dense(2)(Scaled()(layers.Dense(4)(inputs_))))
    with pytest.raises(ValueError, match="does not name this weight"):
        growth.widen(model, 2.0)


@pytest.mark.parametrize("thawed", [False, True])
def test_a_frozen_model_inside_a_model_stays_frozen(thawed):
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(5, name="in"), layers.Dense(3)])
    inner.trainable = False
    inner.get_layer("in").trainable = thawed
    model = keras.Sequential([keras.Input((4,)), inner, layers.Dense(4, name="hidden")])
    model.add(layers.Dense(2))
    for grown in (growth.widen(model, 2.0), growth.deepen(model, after="hidden")):
        kept = grown.layers[0]
        assert not kept.trainable and not kept.trainable_variables
        assert [each.trainable for each in kept.layers] == [thawed, False]


@pytest.mark.parametrize("method", ["zero", "replicate"])
def test_features_with_a_constant_each_stay(gc, method):
    inputs = keras.Input((5,))
    x = layers.Dense(6, name="fixed")(inputs) * np.arange(6, dtype="float32")
    x = layers.Dense(4, "relu", name="free")(inputs=x)
    model = gc.randomise(keras.Model(inputs, layers.Dense(2)(x)))
    wider = growth.widen(model, 2.0, method, seed=0)
    assert (wider.get_layer("fixed").units, wider.get_layer("free").units) == (6, 8)
    rows = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    assert gc.gap(gc.outputs(wider, rows), gc.outputs(model, rows)) <= 1e-6
    with pytest.raises(ValueError, match="meets a constant of its own"):
        growth.widen(model, {"fixed": 2.0}, method)
