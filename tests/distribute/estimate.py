"""One task of a cluster that runs `train_and_evaluate`; `test_workers` starts it.

python estimate.py MODEL_DIR PLACEMENT
"""

import json
import pathlib
import sys

import tensorflow as tf
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets import estimator as est

folder, placement = pathlib.Path(sys.argv[1]), sys.argv[2]
together = placement == "replicated"
config = est.RunConfig(tf_random_seed=0, train_distribute="auto" if together else None)
x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")


def rows(part, times):
    # So few that one process reads all of them before it trains, as those that share rounds do.
    return tf.data.Dataset.from_tensor_slices((x[part], y[part])).repeat(times).batch(48)


estimator = est.Estimator(
    an.heads.MultiClass(10),
    an.generators.Dense([8, 12], 1, optimizer="sgd", learning_rate=0.05),
    40, adanet_lambda=1e-3, force_grow=True, model_dir=folder, config=config, placement=placement,
)  # fmt: skip
found, _ = est.train_and_evaluate(
    estimator,
    est.TrainSpec(lambda: rows(slice(0, 480), 8), max_steps=80),
    est.EvalSpec(lambda: rows(slice(480, 900), 1), None, start_delay_secs=0, throttle_secs=0),
)
print(json.dumps(found))
