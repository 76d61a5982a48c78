"""What every verb of `graphs` promises, over models that are easily copied wrongly."""

import importlib.util
import pathlib
import sys

import keras
import numpy as np
import pytest
from keras import layers

from adaptive_nets import graphs
from adaptive_nets.graphs.editable import graph_of
from adaptive_nets.graphs.state import by_path, layer_pairs


def _load_cases():
    path = pathlib.Path(__file__).with_name("graph_cases.py")
    spec = importlib.util.spec_from_file_location("graph_cases", path)
    module = sys.modules["graph_cases"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases = _load_cases()


def parameters(keep=lambda case: True):
    return [
        pytest.param(name, marks=() if case.tensorflow else pytest.mark.backend_agnostic)
        for name, case in cases.CASES.items()
        if keep(case)
    ]


EVERY = pytest.mark.parametrize("name", parameters())
GRAPHS = pytest.mark.parametrize("name", parameters(lambda case: case.is_graph))
EDITABLE = pytest.mark.parametrize("name", parameters(lambda case: case.edits))


def made(name):
    model, inputs = cases.CASES[name].make()
    return cases.disturbed(model), inputs


def outputs(model, inputs, training=False):
    if isinstance(inputs, dict) and keras.backend.backend() == "tensorflow":
        inputs = {key: keras.ops.convert_to_tensor(value) for key, value in inputs.items()}
    found = keras.tree.flatten(model(inputs, training=training))
    return [np.asarray(keras.ops.convert_to_numpy(y)) for y in found]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def states_reset(model):
    """Stateful layers go on with each call, so a comparison begins anew."""
    for layer in by_path(model).values():
        if getattr(layer, "stateful", False):
            layer.reset_state()
    return model


def assert_copied(copy, model, inputs):
    """The copy computes the same, also in training, and nothing done to it reaches the model."""
    assert type(copy) is type(model)
    if hasattr(model, "inputs"):
        assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    for one, other in layer_pairs(model, copy):
        assert one is not other and type(one) is type(other)
        assert one.trainable == other.trainable
    pairs = list(zip(model.variables, copy.variables, strict=True))
    for one, other in pairs:
        assert one is not other
        assert (one.shape, one.dtype, one.trainable) == (other.shape, other.dtype, other.trainable)
        np.testing.assert_array_equal(one, other)
    assert_same(outputs(copy, inputs), outputs(model, inputs))
    assert_same(outputs(copy, inputs, True), outputs(model, inputs, True))
    expected = outputs(states_reset(model), inputs)
    values = [np.array(one) for one, _ in pairs]
    for _, other in pairs:
        if "float" in other.dtype:
            other.assign(other + 1)
    assert_same([np.array(one) for one, _ in pairs], values)
    assert_same(outputs(states_reset(model), inputs), expected)


@EVERY
def test_copy_model(name):
    model, inputs = made(name)
    copy = graphs.copy_model(model)
    assert [v.path for v in copy.variables] == [v.path for v in model.variables]
    assert_copied(copy, model, inputs)


@EVERY
def test_a_copy_is_saved_and_loaded(name, tmp_path):
    if not cases.CASES[name].loads:
        pytest.skip("Keras does not load such a model")
    model, inputs = made(name)
    expected = outputs(states_reset(model), inputs)
    graphs.copy_model(model).save(tmp_path / "copy.keras")
    again = keras.saving.load_model(tmp_path / "copy.keras")
    assert_same(outputs(states_reset(again), inputs), expected)


@EVERY
def test_a_fresh_copy_takes_the_state_when_it_is_built(name):
    model, inputs = made(name)
    copy = graphs.fresh_copy(model)
    outputs(copy, inputs)
    graphs.carry_state(model, copy)
    assert_copied(copy, model, inputs)


@GRAPHS
def test_rewritten_without_a_change(name):
    model, inputs = made(name)
    if type(model) not in graphs.PLAIN_MODELS:
        pytest.skip("it becomes a plain Functional model")
    kept = graphs.Rewriter(lambda layer: None, lambda form, layers: None, lambda layer: True)
    copy = kept.model(model)
    graphs.carry_state(model, copy)
    assert_copied(copy, model, inputs)


@pytest.mark.backend_agnostic
def test_rewritten_layers_are_made_of_their_changed_form():
    def change(layer):
        return type(layer).from_config({**layer.get_config(), "units": 9})

    model, inputs = made("sequential")
    chosen = model.get_layer("a")
    rewriter = graphs.Rewriter(change, lambda form, layers: None, lambda layer: layer is chosen)
    copy = rewriter.model(model)
    assert [copy.get_layer("a").units, model.get_layer("a").units] == [9, 6]
    assert outputs(copy, inputs)[0].shape == outputs(model, inputs)[0].shape
    with pytest.raises(ValueError, match="Cannot copy 'a'.*weights of shapes"):
        graphs.carry_state(model, copy)


@EDITABLE
def test_an_editable_graph_is_made_into_the_same_model(name):
    model, inputs = made(name)
    graph = graph_of(model, name)
    given = {t.name: graphs.input_like(t) for t in graphs.functional(model).inputs}
    features = given if len(given) > 1 else next(iter(given.values()))
    copy = graph.build(features, "built")
    assert not {id(v) for v in copy.variables} & {id(v) for v in model.variables}
    assert_same(outputs(copy, inputs), outputs(states_reset(model), inputs))


@pytest.mark.parametrize("name", ["sequential", "shared_layers", "nested", "normalization"])
@pytest.mark.backend_agnostic
def test_training_goes_on_with_the_slots_of_the_optimizer(name):
    model, x = made(name)
    y = np.random.default_rng(2).normal(size=np.shape(outputs(model, x)[0]))
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.fit(x, y, epochs=2, verbose=0, shuffle=False)
    copy = graphs.copy_model(model)
    assert not copy.compiled
    graphs.compile_like(model, copy, lambda old: graphs.copy_optimizer(old, copy))
    assert copy.optimizer is not model.optimizer
    for each in (model, copy):
        each.fit(x, y, epochs=2, verbose=0, shuffle=False)
    for one, other in zip(model.weights, copy.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
    graphs.compile_like(model, fresh := graphs.copy_model(model))
    assert int(fresh.optimizer.iterations) == 0


@pytest.mark.parametrize("name", ["sequential", "many_inputs_and_outputs", "shared_layers"])
@pytest.mark.backend_agnostic
def test_adopt(name, tmp_path):
    """The object stays; what it computes, learns and saves is the other's from then on."""
    model, inputs = made(name)
    model.compile("sgd", "mse")
    other = graphs.copy_model(model)
    for variable in other.weights:
        if "float" in variable.dtype:
            variable.assign(variable * 1.5)
    expected = outputs(other, inputs)
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(other.trainable_variables)
    graphs.adopt(model, other, optimizer)
    assert model.optimizer is optimizer
    assert [id(v) for v in model.weights] == [id(v) for v in other.weights]
    assert_same(outputs(model, inputs), expected)
    model.save(tmp_path / "adopted.keras")
    assert_same(outputs(keras.saving.load_model(tmp_path / "adopted.keras"), inputs), expected)


@pytest.mark.backend_agnostic
def test_classes_are_found_by_the_names_of_their_modules():
    model, _ = made("one_name_in_two_modules")
    copy = graphs.copy_model(model)
    assert [type(layer.layer) for layer in copy.layers[1:3]] == [cases.One, cases.Two]
    assert [type(x) for x in copy.get_layer("pair").both] == [cases.One, cases.Two]
    assert copy.layers[-1].activation is cases.shifted


@pytest.mark.backend_agnostic
def test_functions_of_one_name_are_told_apart():
    def relu(x):
        return 0.5 * x

    layer = layers.LSTM(2, activation=relu, recurrent_activation="relu")
    x = keras.Input((4, 4))
    model = cases.disturbed(keras.Model(x, layer(x)))
    copy = graphs.copy_model(model)
    assert copy.layers[1].cell.activation is relu
    assert copy.layers[1].cell.recurrent_activation is keras.activations.relu
    assert_copied(copy, model, cases.rows(4, 4))


@pytest.mark.backend_agnostic
def test_a_lambda_keeps_the_names_that_it_sees():
    factor = 3.0
    stages = [keras.Input((4,)), layers.Lambda(lambda x: x * factor + cases.rows(4)[0])]
    model = keras.Sequential(stages)
    assert_same(outputs(graphs.copy_model(model), cases.rows(4)), outputs(model, cases.rows(4)))


@pytest.mark.backend_agnostic
def test_what_cannot_be_copied_is_refused_by_name():
    class Hidden(layers.Layer):
        def __init__(self, size):
            super().__init__(name="hidden")
            self.twice = 2 * size

        def call(self, x):
            return x

    class Forgets(layers.Layer):
        def __init__(self, size=3, **kwargs):
            super().__init__(**kwargs)
            self.size = size

        def build(self, shape):
            self.w = self.add_weight(shape=(self.size,), name="w")

        def call(self, x):
            return x * self.w[0]

        def get_config(self):
            return {"name": self.name}

    class Renames(Forgets):
        def __init__(self, count=3, **kwargs):
            super().__init__(count, **kwargs)

    class Drops(layers.Layer):
        def __init__(self, *sizes):
            super().__init__(name="drops")
            self.total = sum(sizes)

        def call(self, x):
            return x

    x = keras.Input((4,))
    # Keras notes what its constructor was given.
    assert graphs.copy_model(keras.Model(x, Hidden(3)(x))).get_layer("hidden").twice == 6
    with pytest.raises(ValueError, match="Cannot copy .*'drops'.*cannot be made again"):
        graphs.copy_model(keras.Model(x, Drops(3, 4)(x)))
    # Attributes, or Keras, know what a configuration forgets.
    for kind in (Forgets, Renames):
        odd = graphs.copy_model(keras.Model(x, kind(5, name="odd")(x))).get_layer("odd")
        assert odd.w.shape == (5,)
    with pytest.raises(ValueError, match="Cannot copy .*it is not built"):
        graphs.copy_model(keras.Sequential([layers.Dense(2)]))


@pytest.mark.backend_agnostic
def test_weights_that_are_not_finite_are_refused():
    model, _ = made("sequential")
    graphs.check_finite([model])
    model.layers[0].kernel.assign(model.layers[0].kernel * np.nan)
    with pytest.raises(ValueError, match="'.*a/kernel' holds 24 values that are not finite"):
        graphs.check_finite([model])


@pytest.mark.backend_agnostic
def test_a_layer_without_a_configuration_is_made_of_its_attributes():
    class Scaled(layers.Layer):
        def __init__(self, size, by=2.0):
            super().__init__(name="scaled")
            self.size, self._by = size, by

        def build(self, shape):
            self.w = self.add_weight(shape=(self.size,), initializer="random_normal", name="w")

        def call(self, x):
            return x * self.w * self._by

    class Doubled(Scaled):
        def __init__(self, size, by=2.0):
            super().__init__(size, 2 * by)

    x = keras.Input((4,))
    model = keras.Model(x, Scaled(4, by=3.0)(x))
    values = np.ones((1, 4), "float32")
    np.testing.assert_array_equal(graphs.copy_model(model)(values), model(values))
    # Its constructor was given another number than its attribute holds.
    model = keras.Model(x, Doubled(4)(x))
    np.testing.assert_array_equal(graphs.copy_model(model)(values), model(values))
    # Whole numbers may be counts, which are not carried.
    with pytest.raises(ValueError, match="Cannot copy .*'scaled'"):
        graphs.copy_model(keras.Model(x, Doubled(4, by=2)(x)))
