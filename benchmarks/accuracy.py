"""Test accuracy of default searches on scikit-learn's bundled data, three seeds each.

    python benchmarks/accuracy.py

A quarter of the rows is held out, by class, with `random_state=0`.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn import datasets
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import adaptive_nets as an

SEEDS = (0, 1, 2)


def split(name, stratify=True):
    """Training and test rows."""
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    labels = y if stratify else None
    return train_test_split(x, y, test_size=0.25, random_state=0, stratify=labels)


def measured(name, head, metric, generator=None, stratify=True, **settings):
    """The metric of each seed's search on the test rows."""
    x, x_test, y, y_test = split(name, stratify)
    values = []
    for seed in SEEDS:
        engine = an.AdaNet(head, generator, seed=seed, **settings).fit(x, y, verbose=0)
        values.append(engine.evaluate(x_test, y_test)[metric])
    return values


def show(what, values, beside=""):
    """One line of results."""
    each = ", ".join(f"{v:.4g}" for v in values)
    print(f"{what}: mean {np.mean(values):.4g} ± {np.std(values):.2g} ({each}){beside}", flush=True)


def classification():
    """Accuracy of default settings."""
    for name, head in (
        ("digits", an.heads.MultiClass()),
        ("breast_cancer", an.heads.BinaryClass()),
        ("wine", an.heads.MultiClass()),
        ("iris", an.heads.MultiClass()),
    ):
        x, x_test, y, y_test = split(name)
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(x, y)
        beside = f"   logistic regression {linear.score(x_test, y_test):.4f}"
        show(f"{name}, default settings, accuracy", measured(name, head, "accuracy"), beside)


def diabetes():
    """Mean squared error beside ridge regression's, with and without regularisation."""
    x, x_test, y, y_test = split("diabetes", stratify=False)
    ridges = []
    for ridge in (Ridge(), make_pipeline(StandardScaler(), RidgeCV(np.logspace(-4, 3, 30)))):
        ridges.append(np.mean((ridge.fit(x, y).predict(x_test) - y_test) ** 2))
    beside = f"   ridge {ridges[0]:.1f}, ridge with chosen penalty {ridges[1]:.1f}"
    decay = an.generators.Dense(optimizer=keras.optimizers.AdamW(weight_decay=30.0))
    small = an.generators.Dense(widths=32, depths=[1])
    average = {"training": "independent", "mixture_weights": "uniform", "steps_per_iteration": 200}
    for label, generator, settings in (
        ("default settings", None, {}),
        ("AdamW(weight_decay=30)", decay, {}),
        ("average of small independent networks", small, average),
    ):
        head = an.heads.Regression()
        values = measured("diabetes", head, "mse", generator, False, **settings)
        show(f"diabetes, {label}, mse", values, beside)


if __name__ == "__main__":
    classification()
    diabetes()
