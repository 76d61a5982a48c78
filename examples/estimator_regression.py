"""A tf.estimator script for a number: a batch of tensors, an evaluator, a metric of one's own.

python examples/estimator_regression.py [--model_dir=FOLDER]
"""

import argparse
import tempfile

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import adaptive_nets as an

est = an.estimator


def main(model_dir: str | None = None) -> dict:
    """Trains on scikit-learn's diabetes; returns the evaluation."""
    x, y = load_diabetes(return_X_y=True)
    x, x_test, y, y_test = train_test_split(
        x.astype("float32"), y.astype("float32"), test_size=0.25, random_state=0
    )
    x, x_valid, y, y_valid = train_test_split(x, y, test_size=0.25, random_state=0)

    def metric_fn(labels, predictions):
        error = np.abs(labels - predictions["predictions"])
        return {"median_absolute_error": np.median(error)}

    estimator = est.Estimator(
        head=an.heads.Regression(),
        subnetwork_generator=an.generators.Dense(16, [1, 2]),
        max_iteration_steps=300,
        max_iterations=2,
        adanet_lambda=1e-3,
        # Chosen by what was not trained on, as adanet.Evaluator does.
        evaluator=est.Evaluator(lambda: (x_valid, y_valid), "mae"),
        metric_fn=metric_fn,
        config=est.RunConfig(model_dir=model_dir or tempfile.mkdtemp(), tf_random_seed=0),
    )
    estimator.train(lambda: (x, y), max_steps=600)
    found = estimator.evaluate(lambda: (x_test, y_test))
    print({name: round(value, 4) for name, value in found.items()})
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_dir")
    main(parser.parse_args().model_dir)
