"""Prices of houses by an ensemble of canned estimators."""

import os

import numpy as np
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.estimator import adanet

tf.estimator = an.estimator

FEATURES_KEY = "x"
RANDOM_SEED = 42


def load_houses():
    rng = np.random.RandomState(RANDOM_SEED)
    x = rng.normal(size=(240, 6))
    y = np.maximum(x[:, 0], 0) * 2 + x[:, 1] * x[:, 2] + 0.5 * x[:, 3]
    return (x[:180], y[:180]), (x[180:], y[180:])


def input_fn(partition, training, batch_size):
    def _input_fn():
        (x_train, y_train), (x_test, y_test) = load_houses()
        x, y = (x_train, y_train) if partition == "train" else (x_test, y_test)
        dataset = tf.data.Dataset.from_tensor_slices(({FEATURES_KEY: x}, y[:, None]))
        if training:
            dataset = dataset.shuffle(10 * batch_size, seed=RANDOM_SEED).repeat()
        return dataset.batch(batch_size)

    return _input_fn


def main(folder, steps):
    head = tf.estimator.RegressionHead()
    feature_columns = [tf.feature_column.numeric_column(FEATURES_KEY, shape=[6])]
    estimator = adanet.AutoEnsembleEstimator(
        head=head,
        candidate_pool=lambda config: {
            "linear": tf.estimator.LinearEstimator(
                head=head,
                feature_columns=feature_columns,
                optimizer=lambda: tf.keras.optimizers.Adam(0.05),
                config=config,
            ),
            "dnn": tf.estimator.DNNEstimator(
                head=head,
                feature_columns=feature_columns,
                hidden_units=[16, 8],
                optimizer=lambda: tf.keras.optimizers.Adam(0.01),
                config=config,
            ),
        },
        max_iteration_steps=steps // 2,
        ensemblers=[adanet.ensemble.ComplexityRegularizedEnsembler(adanet_lambda=0.001)],
        ensemble_strategies=[adanet.ensemble.GrowStrategy()],
        config=tf.estimator.RunConfig(
            model_dir=os.path.join(folder, "model"),
            tf_random_seed=RANDOM_SEED,
            save_checkpoints_steps=1000,
            save_summary_steps=100,
        ),
    )
    results, _ = tf.estimator.train_and_evaluate(
        estimator,
        train_spec=tf.estimator.TrainSpec(
            input_fn=input_fn("train", training=True, batch_size=32), max_steps=steps
        ),
        eval_spec=tf.estimator.EvalSpec(
            input_fn=input_fn("test", training=False, batch_size=32), steps=None
        ),
    )
    spec = tf.feature_column.make_parse_example_spec(feature_columns)
    exported = estimator.export_saved_model(
        os.path.join(folder, "served"),
        tf.estimator.export.build_parsing_serving_input_receiver_fn(spec),
    )
    return estimator, results, exported
