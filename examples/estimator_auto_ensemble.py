"""An ensemble of the models that you have: a linear one, a network, and a bagged one.

python examples/estimator_auto_ensemble.py [--model_dir=FOLDER]
"""

import argparse
import tempfile

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import adaptive_nets as an

est = an.estimator


def network(width: int) -> keras.Model:
    """A model that gives logits."""
    return keras.Sequential([keras.layers.Dense(width, "relu"), keras.layers.Dense(10)])


def main(model_dir: str | None = None) -> dict:
    """Trains on scikit-learn's digits; returns the evaluation."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)

    def rows(index, times=1):
        return tf.data.Dataset.from_tensor_slices((x[index], y[index])).repeat(times).batch(64)

    sample = np.random.default_rng(0).integers(0, len(x), len(x))
    estimator = est.AutoEnsembleEstimator(
        head=an.heads.MultiClass(10),
        candidate_pool={
            "linear": lambda: keras.layers.Dense(10),
            "network": lambda: network(32),
            "bagged": est.AutoEnsembleSubestimator(lambda: network(32), lambda: rows(sample)),
        },
        max_iteration_steps=200,
        max_iterations=2,
        ensemble_strategies=["grow", "all"],
        adanet_lambda=1e-3,
        learning_rate=0.01,
        config=est.RunConfig(model_dir=model_dir or tempfile.mkdtemp(), tf_random_seed=0),
    )
    estimator.train(lambda: rows(np.arange(len(x)), times=20), max_steps=400)
    found = estimator.evaluate(lambda: tf.data.Dataset.from_tensors((x_test, y_test)))
    print({name: round(value, 4) for name, value in found.items()})
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_dir")
    main(parser.parse_args().model_dir)
