"""A TensorFlow that lacks it fails here by name: how it calls what it has traced."""

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets import keras_internals as internals


def test_call_with():
    one, other = tf.Variable(2.0), tf.Variable(5.0)
    function = tf.function(lambda x, y: (x * one, y))
    concrete = function.get_concrete_function(*[tf.TensorSpec((), tf.float32)] * 2)
    assert [id(t) for t in concrete.captured_inputs] == [id(one.handle)]
    given = [tf.constant(3.0), tf.constant(1.0)]
    found = internals.call_with(concrete, given, [other.handle])
    assert [float(t) for t in found] == [15.0, 1.0]


def test_without_rewriting(rewritten_graphs):
    from tensorflow.python.eager import context

    def options():
        found = context.context().function_call_options.config_proto_serialized
        return tf.compat.v1.ConfigProto.FromString(found)

    before = options()
    with internals.without_rewriting():
        inside = options()
        assert float(tf.function(lambda x: x + 1.0)(tf.constant(2.0))) == 3.0
    assert options() == before != inside
    before.graph_options.rewrite_options.disable_meta_optimizer = True
    assert inside == before


def test_layer_calls_changed():
    inner = keras.layers.Dense(2)
    inner.build((None, 3))
    outer = keras.Sequential([keras.Input((3,)), inner])
    seen = []

    def change(layer, args, kwargs):
        seen.append(layer)
        return (args[0] * 0,), kwargs

    before = keras.layers.Layer.__call__
    with internals.layer_calls_changed(change):
        found = outer(np.ones((1, 3), "float32"))
    # Only what this thread calls itself is changed, and nothing afterwards.
    assert seen == [outer] and not np.asarray(found).any()
    assert keras.layers.Layer.__call__ is before
    assert np.asarray(outer(np.ones((1, 3), "float32"))).any()


def test_repeats():
    batches = tf.data.Dataset.range(6).batch(2)
    assert internals.repeats(batches.repeat(3).map(lambda x: x + 1).prefetch(1))
    assert internals.repeats(tf.data.Dataset.zip((batches, batches.repeat())))
    assert not internals.repeats(batches.repeat(1)) and not internals.repeats(batches)
