"""`model_to_estimator` of a compiled Keras model."""

import os

import tensorflow as tf

import adaptive_nets as an

tf.estimator = an.estimator


def input_fn(x, y, training):
    dataset = tf.data.Dataset.from_tensor_slices(({"dense_input": x}, y))
    if training:
        dataset = dataset.shuffle(500, seed=0).repeat()
    return dataset.batch(32)


def serving_input_fn():
    features = {"dense_input": tf.compat.v1.placeholder(tf.float32, [None, 4])}
    return tf.estimator.export.ServingInputReceiver(features, features)


def main(folder, x, y, steps):
    model = tf.keras.models.Sequential(
        [
            tf.keras.layers.InputLayer((4,), name="dense_input"),
            tf.keras.layers.Dense(16, activation="relu"),
            tf.keras.layers.Dropout(0.2),
            tf.keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(loss="sparse_categorical_crossentropy", optimizer=tf.keras.optimizers.Adam(0.01))
    config = tf.estimator.RunConfig(tf_random_seed=0)
    estimator = tf.estimator.from_keras(
        keras_model=model, model_dir=os.path.join(folder, "model"), config=config
    )
    estimator.train(input_fn=lambda: input_fn(x, y, True), steps=steps)
    found = estimator.evaluate(input_fn=lambda: input_fn(x, y, False))
    exported = estimator.export_saved_model(os.path.join(folder, "served"), serving_input_fn)
    return model, estimator, found, exported
