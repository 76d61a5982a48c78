"""A TensorFlow that lacks it fails here by name: what feature columns keep to themselves."""

import tensorflow as tf

from adaptive_nets import keras_internals as internals


def test_shared_embedding_of():
    column = tf.feature_column.categorical_column_with_identity("a", 3)
    with tf.Graph().as_default():
        (shared,) = tf.feature_column.shared_embeddings(
            [column], 4, shared_embedding_collection_name="table", trainable=False
        )
    found = internals.shared_embedding_of(shared.shared_embedding_column_creator)
    assert (found.name, found.dimension, found.trainable) == ("table", 4, False)
    assert found.ckpt_to_load_from is None and callable(found.initializer)
