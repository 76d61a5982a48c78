"""A Keras that lacks it fails here by name: how a model's graph is kept."""

import keras
import numpy as np
import pytest
from keras import layers

from adaptive_nets import keras_internals as internals

pytestmark = pytest.mark.backend_agnostic


def dense_model():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, "relu", name="a"), layers.Dropout(0.1)], name="m"
    )
    model.compile(keras.optimizers.Adam(), "mse")
    return model


def functional_model():
    x = keras.Input((3,), name="x")
    return keras.Model({"x": x}, [layers.Dense(2, name="d")(x)])


def test_functional_class():
    assert type(functional_model()) is internals.functional_class()


def test_takes_a_graph():
    class Own(keras.Model):
        def __init__(self, units=1, **kwargs):
            inputs = keras.Input((1,))
            super().__init__(inputs, layers.Dense(units)(inputs), **kwargs)

    class Plain(keras.Model):
        pass

    assert internals.takes_a_graph(keras.Model) and internals.takes_a_graph(Plain)
    assert internals.takes_a_graph(keras.Sequential) and not internals.takes_a_graph(Own)


def test_attributes_of_keras():
    found = internals.attributes_of_keras()
    model = dense_model()
    data = np.zeros((2, 3)), np.zeros((2, 2))
    model.fit(*data, validation_data=data, verbose=0)
    model.evaluate(np.zeros((2, 3)), np.zeros((2, 2)), verbose=0)
    model.predict(np.zeros((2, 3)), verbose=0)
    model.own = 1
    assert {name for name in vars(model) if name not in found} == {"own"}


def test_has_graph():
    assert internals.has_graph(functional_model())
    assert not internals.has_graph(keras.Model())


def test_graph_inside():
    model = dense_model()
    graph = internals.graph_inside(model)
    assert internals.has_graph(graph) and graph.outputs[0] is model.outputs[0]
    assert internals.graph_inside(keras.Sequential([layers.Dense(2)])) is None


def test_nodes_by_depth():
    found = internals.nodes_by_depth(functional_model())
    assert sorted(found) == [0, 1] and found[0][0].operation.name == "d"
    assert found[1][0].is_input and not found[0][0].is_input
    (tensor,) = found[0][0].input_tensors
    args, kwargs = found[0][0].arguments.fill_in({id(tensor): "other"})
    assert args == ("other",)


def test_input_structure():
    model = functional_model()
    assert internals.input_structure(model) == {"x": model.inputs[0]}


def test_output_structure():
    model = functional_model()
    assert internals.output_structure(model) == [model.outputs[0]]


def test_origin():
    model = functional_model()
    assert internals.origin(model.outputs[0]) == (model.get_layer("d"), 0, 0)


def test_call_of():
    model = functional_model()
    call = internals.call_of(model.outputs[0])
    assert call.operation is model.get_layer("d") and call.input_tensors == [model.inputs[0]]


def test_take_graph():
    model, other = dense_model(), dense_model()
    internals.take_graph(model, other)
    assert model.layers == other.layers and model.outputs[0] is other.outputs[0]
    assert [id(v) for v in model.weights] == [id(v) for v in other.weights]
    if keras.backend.backend() == "tensorflow":
        names = model._trackable_children()  # what a checkpoint would write
        assert names["_functional"] is internals.graph_inside(other)


def test_mask_of():
    ids = keras.Input((3,), dtype="int32")
    assert internals.mask_of(ids) is None
    for zero in (True, False):
        found = internals.mask_of(keras.layers.Embedding(4, 2, mask_zero=zero)(ids))
        assert (found is not None) == zero


def test_forget_calls():
    layer, inputs = layers.Dense(2), keras.Input((3,))
    layer(inputs)
    first = layer.output
    internals.forget_calls(layer)
    second = layer(inputs)
    assert layer.output is second and second is not first
    assert keras.Model(inputs, second).get_config()["layers"][1]["name"] == layer.name
