"""A tf.estimator script of many classes: train, go on, evaluate, predict; hooks.

python examples/estimator_multiclass.py [--model_dir=FOLDER]
"""

import argparse
import tempfile

import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import adaptive_nets as an

est = an.estimator


def main(model_dir: str | None = None) -> dict:
    """Trains on scikit-learn's digits; returns the evaluation."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)

    def input_fn(mode, params):
        training = mode == est.ModeKeys.TRAIN
        rows = tf.data.Dataset.from_tensor_slices((x, y) if training else (x_test, y_test))
        rows = rows.shuffle(2000, seed=0).repeat() if training else rows
        return rows.batch(params["batch_size"])

    estimator = est.Estimator(
        head=an.heads.MultiClass(10),
        subnetwork_generator=an.generators.Dense([16, 32], 1),
        max_iteration_steps=300,
        max_iterations=2,
        mixture_weight_type="vector",
        adanet_lambda=1e-3,
        force_grow=True,
        model_dir=model_dir or tempfile.mkdtemp(),
        config=est.RunConfig(tf_random_seed=0),
        params={"batch_size": 64},
    )
    log = est.LoggingTensorHook(["global_step", "loss"], every_n_iter=100)
    estimator.train(input_fn, hooks=[log], steps=450)  # in the middle of the second round
    estimator.train(input_fn, max_steps=600)  # to its end
    found = estimator.evaluate(input_fn)
    print({name: round(value, 4) for name, value in found.items()})
    for one in list(estimator.predict(input_fn, predict_keys=["classes", "probabilities"]))[:3]:
        print(one["classes"][0].decode(), round(float(one["probabilities"].max()), 3))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_dir")
    main(parser.parse_args().model_dir)
