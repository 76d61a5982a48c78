"""Flowers from CSV files, feature columns, `DNNClassifier`."""

import os

import tensorflow as tf

import adaptive_nets as an

tf.estimator = an.estimator

NAMES = ["stem", "leaf", "petal", "kind"]
KINDS = ["aster", "briar", "clover"]


def train_input_fn(path, batch_size):
    return tf.data.experimental.make_csv_dataset(
        path, batch_size, column_names=NAMES, label_name="kind", num_epochs=None, shuffle_seed=0
    )


def eval_input_fn(features, labels, batch_size):
    features = dict(features)
    given = features if labels is None else (features, labels)
    return tf.data.Dataset.from_tensor_slices(given).batch(batch_size)


def main(folder, steps, test):
    columns = [tf.feature_column.numeric_column(key=key) for key in NAMES[:-1]]
    classifier = tf.estimator.DNNClassifier(
        feature_columns=columns,
        hidden_units=[10, 10],
        n_classes=3,
        optimizer=tf.keras.optimizers.Adam(0.02),
        model_dir=os.path.join(folder, "model"),
        config=tf.estimator.RunConfig(tf_random_seed=0),
    )
    classifier.train(
        input_fn=lambda: train_input_fn(os.path.join(folder, "train.csv"), 32), steps=steps
    )
    features, labels = test
    found = classifier.evaluate(input_fn=lambda: eval_input_fn(features, labels, 32))
    predictions = list(
        classifier.predict(input_fn=lambda: eval_input_fn(features, labels=None, batch_size=32))
    )
    kinds = [KINDS[one["class_ids"][0]] for one in predictions]
    spec = tf.feature_column.make_parse_example_spec(columns)
    exported = classifier.export_saved_model(
        os.path.join(folder, "served"),
        tf.estimator.export.build_parsing_serving_input_receiver_fn(spec),
    )
    return found, kinds, predictions, exported
