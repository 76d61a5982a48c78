"""A model function of one's own, with feature columns and parameters."""

import os

import tensorflow as tf

import adaptive_nets as an

tf.estimator = an.estimator


def model_fn(features, labels, mode, params):
    net = tf.estimator.columns.DenseColumns(params["feature_columns"])(features)
    for units in params["hidden_units"]:
        net = tf.keras.layers.Dense(units, activation=tf.nn.relu)(net)
    logits = tf.keras.layers.Dense(params["n_classes"])(net)

    predicted_classes = tf.argmax(logits, axis=1)
    if mode == tf.estimator.ModeKeys.PREDICT:
        predictions = {
            "class_ids": predicted_classes[:, tf.newaxis],
            "probabilities": tf.nn.softmax(logits),
            "logits": logits,
        }
        return tf.estimator.EstimatorSpec(mode, predictions=predictions)

    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    if mode == tf.estimator.ModeKeys.EVAL:
        accuracy = tf.keras.metrics.Accuracy(name="acc_op")
        accuracy.update_state(labels, predicted_classes)
        return tf.estimator.EstimatorSpec(mode, loss=loss, eval_metric_ops={"accuracy": accuracy})

    train_op = tf.keras.optimizers.Adagrad(learning_rate=0.1)
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op)


def train_input_fn(features, labels, batch_size):
    dataset = tf.data.Dataset.from_tensor_slices((dict(features), labels))
    return dataset.shuffle(1000, seed=0).repeat().batch(batch_size)


def eval_input_fn(features, labels, batch_size):
    return tf.data.Dataset.from_tensor_slices((dict(features), labels)).batch(batch_size)


def serving_input_receiver_fn():
    inputs = {
        "length": tf.compat.v1.placeholder(tf.float32, [None, 1]),
        "width": tf.compat.v1.placeholder(tf.float32, [None, 1]),
    }
    return tf.estimator.export.ServingInputReceiver(inputs, inputs)


def main(folder, steps, train, test):
    classifier = tf.estimator.Estimator(
        model_fn=model_fn,
        model_dir=os.path.join(folder, "model"),
        params={
            "feature_columns": [
                tf.feature_column.numeric_column("length"),
                tf.feature_column.numeric_column("width"),
            ],
            "hidden_units": [10, 10],
            "n_classes": 3,
        },
        config=tf.estimator.RunConfig(tf_random_seed=0),
    )
    classifier.train(input_fn=lambda: train_input_fn(*train, batch_size=30), steps=steps)
    eval_result = classifier.evaluate(input_fn=lambda: eval_input_fn(*test, batch_size=30))
    exported = classifier.export_saved_model(
        os.path.join(folder, "served"), serving_input_receiver_fn
    )
    return classifier, eval_result, exported
