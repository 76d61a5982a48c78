"""A Keras that lacks it fails here by name: how a variable is kept and read."""

import keras
import numpy as np
import pytest
from keras import layers

from adaptive_nets import keras_internals as internals

pytestmark = pytest.mark.backend_agnostic


def waiting_variable(make=lambda: keras.Variable(lambda shape, dtype: 1.0, (), "float32")):
    waiting = []
    with internals.waiting_variables(waiting), keras.StatelessScope(initialize_variables=False):
        variable = make()
    return variable, waiting


def test_initializer_of():
    layer = layers.Dense(2, kernel_initializer="ones")
    _, waiting = waiting_variable(lambda: layer.build((None, 2)))
    assert isinstance(internals.initializer_of(waiting[0]), keras.initializers.Ones)


def test_set_initializer():
    variable, _ = waiting_variable()
    internals.set_initializer(variable, lambda shape, dtype: keras.ops.full(shape, 7, dtype))
    internals.initialize(variable)
    assert float(variable) == 7


def test_initialize():
    variable, _ = waiting_variable()
    internals.initialize(variable)
    assert float(variable) == 1


def test_waiting_variables():
    variable, waiting = waiting_variable()
    assert len(waiting) == 1 and waiting[0] is variable
    keras.Variable(2.0)
    assert len(waiting) == 1


def test_set_path():
    variable = keras.Variable(2.0, name="v")
    internals.set_path(variable, "a/v")
    assert variable.path == "a/v"


def test_without_stateless_scope():
    variable = keras.Variable(2.0)
    with keras.StatelessScope() as scope, internals.without_stateless_scope():
        variable.assign(3.0)
    assert float(variable) == 3 and scope.get_current_value(variable) is None


def test_stateless_scope():
    assert internals.stateless_scope() is None
    with keras.StatelessScope() as scope:
        assert internals.stateless_scope() is scope


def test_call_context():
    found = []

    class Looks(keras.Layer):
        def call(self, x):
            found.append(internals.call_context())
            return x

    layer = Looks()
    layer(np.ones((1, 2)))
    assert internals.call_context() is None and found[-1].entry_layer is layer


def test_full_precision():
    class Reads(keras.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(1,), name="w")

        def call(self, x):
            with internals.full_precision():
                full = self.w.value
            found = (self.w.value, full)
            assert [keras.backend.standardize_dtype(t.dtype) for t in found] == [
                "float16",
                "float32",
            ]
            return x

    Reads(dtype="mixed_float16")(np.ones((1, 2)))


def test_unsafe_deserialization():
    config = keras.saving.serialize_keras_object(layers.Lambda(lambda x: x))
    with pytest.raises(ValueError, match="safe_mode"):
        keras.saving.deserialize_keras_object(config)
    with internals.unsafe_deserialization():
        assert isinstance(keras.saving.deserialize_keras_object(config), layers.Lambda)
