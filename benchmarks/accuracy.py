"""Test accuracy of default searches on scikit-learn's bundled data, three seeds each.

    python benchmarks/accuracy.py [--quick]

A quarter of the rows is held out, by class, with `random_state=0`.
"""

import argparse
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
# Enough to run through everything; the figures mean nothing.
QUICK = {"max_iterations": 1, "steps_per_iteration": 10}


def split(name, stratify=True):
    """Training and test rows."""
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    labels = y if stratify else None
    return train_test_split(x, y, test_size=0.25, random_state=0, stratify=labels)


def measured(name, head, metric, generator=None, stratify=True, quick=False, **settings):
    """The metric of each seed's search on the test rows."""
    x, x_test, y, y_test = split(name, stratify)
    if quick:
        settings |= QUICK
    values = []
    for seed in SEEDS[:1] if quick else SEEDS:
        engine = an.AdaNet(head, generator, seed=seed, **settings).fit(x, y, verbose=0)
        values.append(engine.evaluate(x_test, y_test)[metric])
    return values


def show(what, values, **beside):
    """Prints one line of results and returns them."""
    each = ", ".join(f"{v:.4g}" for v in values)
    others = "".join(f"   {name} {value:.5g}" for name, value in beside.items())
    print(f"{what}: mean {np.mean(values):.4g} ± {np.std(values):.2g} ({each}){others}", flush=True)
    return {"values": values, **beside}


def classification(quick=False):
    """Accuracy of default settings."""
    found = {}
    sets = (
        ("digits", an.heads.MultiClass()),
        ("breast_cancer", an.heads.BinaryClass()),
        ("wine", an.heads.MultiClass()),
        ("iris", an.heads.MultiClass()),
    )
    for name, head in sets[1:3] if quick else sets:
        x, x_test, y, y_test = split(name)
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(x, y)
        beside = {"logistic regression": linear.score(x_test, y_test)}
        values = measured(name, head, "accuracy", quick=quick)
        found[name] = show(f"{name}, default settings, accuracy", values, **beside)
    return found


def diabetes(quick=False):
    """Mean squared error beside ridge regression's, with and without regularisation."""
    x, x_test, y, y_test = split("diabetes", stratify=False)
    ridges = {
        "ridge": Ridge(),
        "ridge with chosen penalty": make_pipeline(
            StandardScaler(), RidgeCV(np.logspace(-4, 3, 30))
        ),
    }
    beside = {
        name: float(np.mean((ridge.fit(x, y).predict(x_test) - y_test) ** 2))
        for name, ridge in ridges.items()
    }
    decay = an.generators.Dense(optimizer=keras.optimizers.AdamW(weight_decay=30.0))
    small = an.generators.Dense(widths=32, depths=[1])
    average = {"training": "independent", "mixture_weights": "uniform", "steps_per_iteration": 200}
    found = {}
    for label, generator, settings in (
        ("default settings", None, {}),
        ("AdamW(weight_decay=30)", decay, {}),
        ("average of small independent networks", small, average),
    ):
        head = an.heads.Regression()
        values = measured("diabetes", head, "mse", generator, False, quick, **settings)
        found[label] = show(f"diabetes, {label}, mse", values, **beside)
    return found


def main(argv=None):
    """All searches; returns the figures by data set and by setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    return {**classification(given.quick), **diabetes(given.quick)}


if __name__ == "__main__":
    main()
