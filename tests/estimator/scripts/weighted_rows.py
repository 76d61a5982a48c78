"""Rows with weights, labels that are words, tables from pandas."""

import os

import tensorflow as tf

import adaptive_nets as an

tf.estimator = an.estimator

LABELS = ["stays", "leaves"]


def get_input_fn(frame, num_epochs, shuffle):
    return tf.estimator.inputs.pandas_input_fn(
        x=frame.drop(columns="outcome"),
        y=frame["outcome"],
        batch_size=64,
        num_epochs=num_epochs,
        shuffle=shuffle,
    )


def serving_input_fn():
    features = {
        "months": tf.compat.v1.placeholder(tf.float32, [None]),
        "plan": tf.compat.v1.placeholder(tf.string, [None]),
    }
    return tf.estimator.export.ServingInputReceiver(features, features)


def main(folder, steps, train, test):
    months = tf.feature_column.numeric_column("months")
    plan = tf.feature_column.categorical_column_with_vocabulary_list("plan", ["basic", "plus"])
    columns = [tf.feature_column.bucketized_column(months, [6, 12, 24]), plan]
    model = tf.estimator.LinearClassifier(
        feature_columns=columns,
        weight_column="importance",
        label_vocabulary=LABELS,
        optimizer=tf.keras.optimizers.Ftrl(0.2, l2_regularization_strength=0.001),
        model_dir=os.path.join(folder, "model"),
        config=tf.estimator.RunConfig(tf_random_seed=0, save_summary_steps=100),
    )
    model.train(input_fn=get_input_fn(train, None, True), steps=steps)
    results = model.evaluate(input_fn=get_input_fn(test, 1, False))
    exported = model.export_saved_model(os.path.join(folder, "served"), serving_input_fn)
    return model, results, exported
