"""A script as it is after moving: `model_to_estimator` of a compiled Keras model."""

import os

import keras
import tensorflow as tf

from adaptive_nets import estimator as est


def input_fn(x, y, training):
    data = tf.data.Dataset.from_tensor_slices(({"dense_input": x}, y))
    return (data.shuffle(500, seed=0).repeat() if training else data).batch(32)


def main(folder, x, y, steps):
    model = keras.models.Sequential([
        keras.layers.Input((x.shape[1],), name="dense_input"),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(0.01))
    config = est.RunConfig(tf_random_seed=0)
    estimator = est.from_keras(
        keras_model=model, model_dir=os.path.join(folder, "model"), config=config
    )
    estimator.train(input_fn=lambda: input_fn(x, y, True), steps=steps)
    found = estimator.evaluate(input_fn=lambda: input_fn(x, y, False))

    def serving_input_fn():
        given = {"dense_input": tf.compat.v1.placeholder(tf.float32, [None, x.shape[1]])}
        return est.export.ServingInputReceiver(given, given)

    exported = estimator.export_saved_model(os.path.join(folder, "served"), serving_input_fn)
    return model, estimator, found, exported
