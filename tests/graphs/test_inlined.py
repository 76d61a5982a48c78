"""What the verbs make of models that share layers with models inside can be loaded."""

import keras
import numpy as np
import pytest
from keras import layers

import adaptive_nets as an
from adaptive_nets.graphs.loadable import loadable

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 6)).astype("float32")
TOKENS = RNG.integers(0, 11, (5, 4))


def around(training=None):
    """A layer stands in a model inside and beside it; two layers have one name."""
    shared = layers.Dense(6, "relu", name="shared")
    inputs = keras.Input((6,))
    body = layers.Dense(6, "relu", name="same")(layers.Dropout(0.5)(shared(inputs)))
    inner = keras.Model(inputs, body, name="inner")
    inputs = keras.Input((6,))
    x = shared(inputs)
    x = inner(x) if training is None else inner(x, training=training)
    x = layers.Dense(5, "relu", name="same")(x)
    return keras.Model(inputs, layers.Dense(2, name="out")(x), name="outer"), X


def side_by_side():
    """Two models inside hold one layer, in a third one."""
    shared = layers.Dense(6, "relu", name="shared")
    inner = [
        keras.Sequential([keras.Input((6,)), shared, layers.Dense(6, "relu")], name=name)
        for name in ("left", "right")
    ]
    inputs = keras.Input((6,))
    middle = keras.Model(inputs, layers.Add()([each(inputs) for each in inner]), name="middle")
    return keras.Sequential([keras.Input((6,)), middle, layers.Dense(2, name="out")]), X


def named_inputs():
    """A table for tokens is shared, as language models do; masks, dicts and two outputs."""
    table = layers.Embedding(11, 6, mask_zero=True, name="table")
    one, two = (keras.Input((4,), dtype="int32", name=name) for name in ("one", "two"))
    found = {"x": layers.Dense(6, "relu")(table(one)), "y": layers.GRU(6)(table(two))}
    inner = keras.Model({"two": two, "one": one}, found, name="inner")
    one, two = (keras.Input((4,), dtype="int32", name=name) for name in ("one", "two"))
    found = inner({"one": one, "two": two})
    x = layers.GlobalAveragePooling1D()(layers.Add()([found["x"], table(one)]))
    y = layers.Dense(2)(layers.Concatenate()([x, found["y"]]))
    return keras.Model({"one": one, "two": two}, y), {"one": TOKENS, "two": TOKENS[:, ::-1]}


MODELS = [around, side_by_side, named_inputs]
VERBS = {
    "expand": lambda model: an.majority.expand(model, seed=0),
    "collapse": lambda model: an.majority.collapse(an.majority.expand(model, seed=0))[0],
    "widen": lambda model: an.growth.widen(model, 2.0, seed=0),
    "deepen": lambda model: an.growth.deepen(model, 1, seed=0),
    "self_fuse": lambda model: an.growth.self_fuse(model, cross="zero"),
}


def out(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


@pytest.mark.filterwarnings("ignore:.*same|.*cross")
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("make", MODELS)
def test_what_is_made_can_be_loaded(make, verb, tmp_path):
    model, x = make()
    new = VERBS[verb](model)
    np.testing.assert_allclose(out(new, x), out(model, x), atol=1e-5)
    new.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(out(loaded, x), out(new, x), atol=1e-6)
    # What was shared is shared still, also where it is loaded.
    assert loaded.count_params() == new.count_params()
    if verb == "collapse":
        assert new.count_params() == model.count_params()


def test_layers_are_known_by_their_one_call():
    model, _ = around()
    new = an.majority.expand(model, seed=0)
    assert {"shared", "same", "inner_same"} <= {layer.name for layer in new.layers}
    assert new.get_layer("inner_same").output.shape == (None, 6)


def test_weights_go_back_into_the_model_that_was_expanded():
    model, x = around()
    new = an.majority.expand(model, seed=0)
    for variable in new.trainable_variables:
        variable.assign_add(RNG.normal(size=variable.shape))
    back, _ = an.majority.collapse(new, into=model)
    assert back is model
    np.testing.assert_allclose(out(back, x), out(new, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("said", [True, False])
def test_what_a_call_says_of_training_stays(said):
    model, _ = around(said)
    new = an.growth.widen(model, 2.0, seed=0)
    assert "inner_same" in {layer.name for layer in new.layers}
    for training in (None, True, False):
        draws = []
        for each in (model, new):
            found = [keras.ops.convert_to_numpy(each(X, training=training)) for _ in range(3)]
            draws.append(np.ptp(found, axis=0).max() > 0)
        assert draws[0] == draws[1], training


def test_a_frozen_model_inside_stays_frozen():
    model, _ = around()
    model.get_layer("inner").trainable = False
    model.get_layer("shared").trainable = True
    new = an.growth.widen(model, 2.0, seed=0)
    assert len(new.trainable_variables) == len(model.trainable_variables) == 6
    assert not new.get_layer("inner_same").trainable


def test_a_model_that_shares_nothing_is_left_as_it_is():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6)], name="inner")
    inputs = keras.Input((6,))
    model = keras.Model(inputs, inner(inner(inputs)))
    assert loadable(model, model) == (model, [])


def test_a_model_inside_that_an_attribute_holds_stays_and_the_report_says_so():
    model, _ = around()
    model.encoder = model.get_layer("inner")
    new, report = an.growth.apply(an.growth.plan_widen(model, 2.0, seed=0))
    assert new.encoder is new.get_layer("inner")
    assert any("cannot be loaded: 'inner' inside shares" in note for note in report.notes)
    with pytest.warns(UserWarning, match="cannot be loaded: 'inner' inside shares"):
        an.majority.expand(model, seed=0)
