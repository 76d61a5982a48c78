"""A regressor that begins with the weights of another."""

import os

import numpy as np
import tensorflow as tf

import adaptive_nets as an

tf.estimator = an.estimator


def input_fn(seed, epochs):
    rng = np.random.RandomState(seed)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    y = (x @ np.array([[1.0], [-2.0], [0.5]], np.float32)).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices(({"x": x}, y)).repeat(epochs).batch(40)


def build_estimator(model_dir, warm_start_from=None):
    return tf.estimator.DNNRegressor(
        hidden_units=[12, 6],
        feature_columns=[tf.feature_column.numeric_column("x", shape=(3,))],
        model_dir=model_dir,
        optimizer=lambda: tf.keras.optimizers.Adam(learning_rate=0.02),
        config=tf.estimator.RunConfig(tf_random_seed=0),
        warm_start_from=warm_start_from,
    )


def serving_input_fn():
    features = {"x": tf.compat.v1.placeholder(tf.float32, [None, 3])}
    return tf.estimator.export.ServingInputReceiver(features, features)


def main(folder, steps):
    first = build_estimator(os.path.join(folder, "first"))
    first.train(lambda: input_fn(0, None), steps=steps)
    before = first.evaluate(lambda: input_fn(1, 1))
    second = build_estimator(os.path.join(folder, "second"), first.model_dir)
    second.train(lambda: input_fn(0, None), steps=5)
    after = second.evaluate(lambda: input_fn(1, 1))
    exported = second.export_saved_model(os.path.join(folder, "served"), serving_input_fn)
    return second, before, after, exported
