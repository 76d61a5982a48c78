"""Exporters: the latest model, the final one, and the best by a comparison of one's own."""

import os

import numpy as np
import tensorflow as tf

import adaptive_nets as an

tf.estimator = an.estimator


def rows(seed):
    rng = np.random.RandomState(seed)
    x = rng.uniform(-1, 1, size=(200, 3)).astype(np.float32)
    return x, (x[:, 0] ** 2 + x[:, 1]).astype(np.float32)


def get_input_fn(mode, batch_size=25):
    def input_fn():
        x, y = rows(0 if mode == tf.estimator.ModeKeys.TRAIN else 1)
        dataset = tf.data.Dataset.from_tensor_slices(({"x": x}, y))
        if mode == tf.estimator.ModeKeys.TRAIN:
            dataset = dataset.shuffle(200, seed=0).repeat()
        return dataset.batch(batch_size)

    return input_fn


def lower_rmse(best_eval_result, current_eval_result):
    return current_eval_result["average_loss"] < best_eval_result["average_loss"]


def main(folder, steps):
    feature_columns = [tf.feature_column.numeric_column("x", shape=[3])]
    feature_spec = tf.feature_column.make_parse_example_spec(feature_columns)
    serving_input_fn = tf.estimator.export.build_parsing_serving_input_receiver_fn(feature_spec)
    estimator = tf.estimator.DNNRegressor(
        hidden_units=[16],
        feature_columns=feature_columns,
        optimizer="Adam",
        activation_fn=tf.nn.tanh,
        config=tf.estimator.RunConfig(
            model_dir=os.path.join(folder, "model"),
            tf_random_seed=0,
            save_checkpoints_steps=steps // 2,
        ),
    )
    exporters = [
        tf.estimator.BestExporter(
            name="best",
            serving_input_receiver_fn=serving_input_fn,
            compare_fn=lower_rmse,
            exports_to_keep=2,
        ),
        tf.estimator.LatestExporter("latest", serving_input_fn, exports_to_keep=1),
        tf.estimator.FinalExporter("final", serving_input_fn),
    ]
    train_spec = tf.estimator.TrainSpec(get_input_fn(tf.estimator.ModeKeys.TRAIN), max_steps=steps)
    eval_spec = tf.estimator.EvalSpec(
        get_input_fn(tf.estimator.ModeKeys.EVAL),
        steps=None,
        exporters=exporters,
        start_delay_secs=0,
        throttle_secs=0,
    )
    results = tf.estimator.train_and_evaluate(estimator, train_spec, eval_spec)
    return estimator, results, os.path.join(folder, "model", "export")
