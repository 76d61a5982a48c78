"""A task of a cluster: the chief trains, an evaluator evaluates what it writes, and exports."""

import json
import os
import sys

import numpy as np
import tensorflow as tf

import adaptive_nets as an

tf.estimator = an.estimator


def input_fn(seed, repeat):
    rng = np.random.RandomState(seed)
    x = rng.normal(size=(160, 2)).astype(np.float32)
    y = (x[:, 0] > x[:, 1]).astype(np.int32)
    dataset = tf.data.Dataset.from_tensor_slices(({"x": x}, y))
    return dataset.repeat(repeat).batch(20)


def serving_input_fn():
    x = tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")
    return tf.estimator.export.ServingInputReceiver({"x": x}, {"x": x})


def build_estimator(folder, steps):
    run_config = tf.estimator.RunConfig(
        model_dir=os.path.join(folder, "model"),
        tf_random_seed=0,
        save_checkpoints_steps=steps,
        keep_checkpoint_max=3,
    )
    return tf.estimator.DNNClassifier(
        hidden_units=[8],
        feature_columns=[tf.feature_column.numeric_column("x", shape=(2,))],
        optimizer=tf.keras.optimizers.Adagrad(0.2),
        config=run_config,
    )


def main(folder, steps, task):
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"chief": ["localhost:0"]}, "task": {"type": task, "index": 0}}
    )
    estimator = build_estimator(folder, steps)
    train_spec = tf.estimator.TrainSpec(lambda: input_fn(0, None), max_steps=steps)
    eval_spec = tf.estimator.EvalSpec(
        lambda: input_fn(1, 1),
        steps=None,
        exporters=tf.estimator.LatestExporter("served", serving_input_fn),
        start_delay_secs=0,
        throttle_secs=1,
    )
    tf.estimator.train_and_evaluate(estimator, train_spec, eval_spec)
    return estimator


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
