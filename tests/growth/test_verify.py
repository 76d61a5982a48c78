"""Verification: a plan that says exact and is not is refused, and what it cost is said."""

import keras
import numpy as np
import pytest

from adaptive_nets import callbacks, growth
from adaptive_nets.growth.core.registry import find_rule

layers = keras.layers
X = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")


def model():
    stack = [layers.Dense(4, "relu", name="a"), layers.Dense(4, "relu", name="b")]
    return keras.Sequential([keras.Input((5,)), *stack, layers.Dense(2, name="head")])


@pytest.fixture
def wrong(monkeypatch):
    """A rule for Dense layers that forgets that the kernel's inputs are features."""
    rule = type(find_rule(layers.Dense))
    monkeypatch.setattr(rule, "identity_values", lambda self, layer: {})


def test_a_plan_that_is_not_exact_is_refused_at_the_first_layer_that_differs(gc, wrong):
    source = gc.randomise(model())
    plan = growth.plan_deepen(source, after="a", method="identity")
    with pytest.raises(ValueError, match=r"says exact, and the outputs differ by .* first at 'b'"):
        growth.apply(plan, verify=True)
    with pytest.raises(ValueError, match=r"says exact"):
        growth.apply(plan, sample=X)
    with pytest.raises(ValueError, match=r"says exact"):
        growth.deepen(source, after="a", method="identity", verify=True)
    grown, report = growth.apply(plan, verify=False)
    assert len(grown.layers) == 4 and "not verified: verify=False" in str(report)


def test_a_callback_leaves_the_model_as_it_was(gc, wrong):
    source = gc.randomise(model())
    source.compile("sgd", "mse")
    action = growth.Deepen(after="a", method="identity")
    schedule = callbacks.GrowthSchedule({0: action}, verify=True)
    before = gc.outputs(source, X)
    with pytest.raises(ValueError, match="says exact"):
        source.fit(X, X[:, :2], epochs=1, verbose=0, callbacks=[schedule])
    assert len(source.layers) == 3 and gc.gap(gc.outputs(source, X), before) == 0


@pytest.mark.parametrize("method", ["zero", "replicate"])
def test_an_exact_growth_is_verified_and_says_so(gc, method):
    plan = growth.plan_widen(gc.randomise(model()), 2.0, method)
    report = growth.apply(plan, verify=True)[1]
    assert report.verified.gap <= 1e-5 and report.gap is None
    assert "verified to " in str(report)


@pytest.mark.parametrize("cross", ["zero", "random", 1.0])
@pytest.mark.parametrize("output", ["mean", "sum", "concatenate"])
def test_settings_that_change_what_is_computed_make_no_exact_plan(gc, cross, output):
    sources = [gc.randomise(model()), gc.randomise(model(), seed=1)]
    plan = growth.plan_fuse(sources, cross, output=output, preserve="approximate")
    assert plan.exact == (cross == "zero")
    verified = growth.apply(plan, verify=True)[1].verified
    if plan.exact:
        assert verified.gap <= 1e-5
    else:
        assert verified is None
        with pytest.raises(ValueError, match="lets the sources read each other"):
            growth.plan_fuse(sources, cross, output=output)


def test_states_of_layers_are_not_changed_by_verification(gc):
    inputs = keras.Input(batch_shape=(2, 3, 2))
    x = layers.GRU(3, stateful=True, name="gru")(inputs)
    source = gc.randomise(keras.Model(inputs, layers.Dense(1)(x)))
    grown, report = growth.apply(growth.plan_widen(source, 2.0), verify=True)
    assert report.verified.gap <= 1e-5
    for each in (source, grown):
        states = each.get_layer("gru").states
        assert all(not keras.ops.convert_to_numpy(state).any() for state in states)


def test_inputs_that_cannot_be_drawn_are_said(gc):
    inputs = keras.Input((None, None, 1))
    x = layers.Conv2D(2, 3, name="a")(inputs)
    for _ in range(3):
        x = layers.Conv2D(2, 3)(layers.MaxPooling2D(2)(x))
    source = keras.Model(inputs, layers.Dense(1)(layers.GlobalMaxPooling2D()(x)))
    plan = growth.plan_widen(source, {"a": 4})
    with pytest.raises(ValueError, match=r"Cannot verify .*sample=\.\.\."):
        growth.apply(plan, verify=True)
    report = growth.apply(plan)[1]
    assert report.verified.gap is None and "pass a sample" in str(report)


def test_wrong_words_are_refused():
    for call in (
        lambda: growth.widen(model(), 2.0, verify="yes"),
        lambda: callbacks.GrowOnPlateau(verify=None),
    ):
        with pytest.raises(ValueError, match=r"verify must be 'auto', True or False\. Received: v"):
            call()
