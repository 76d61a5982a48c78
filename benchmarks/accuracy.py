"""Test accuracy of default searches on scikit-learn's bundled data, three seeds each.

    python benchmarks/accuracy.py [--quick] [--data_dir DIR]

A quarter of the rows is held out, by class, with `random_state=0`. Diabetes, whose 111 test rows
say little, is also held out in twelve other ways. With `--data_dir`, white wines
(`wine_quality/winequality_white.csv.gz`) and forest covers (`covertype_15120/*.csv.gz`) too.
"""

import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import adaptive_nets as an

SEEDS = (0, 1, 2)
SPLITS = tuple(range(1, 13))
# Enough to run through everything; the figures mean nothing.
QUICK = {"max_iterations": 1, "steps_per_iteration": 10}


def split(name, stratify=True):
    """Training and test rows of a bundled data set, or of `(x, y)`."""
    bundled = isinstance(name, str)
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True) if bundled else name
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


def ridge_errors(x, x_test, y, y_test):
    """Mean squared errors of ridge regression, with its default penalty and with a chosen one."""
    chosen = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-4, 3, 30)))
    return {
        name: float(np.mean((ridge.fit(x, y).predict(x_test) - y_test) ** 2))
        for name, ridge in (("ridge", Ridge()), ("ridge with chosen penalty", chosen))
    }


def diabetes_splits(quick=False):
    """Differences from ridge regression over splits, with standard errors."""
    x, y = datasets.load_diabetes(return_X_y=True)
    values, others = [], []
    for seed in SPLITS[:2] if quick else SPLITS:
        rows = train_test_split(x, y, test_size=0.25, random_state=seed)
        engine = an.AdaNet(an.heads.Regression(), seed=seed, **(QUICK if quick else {}))
        engine.fit(rows[0], rows[2], verbose=0)
        values.append(engine.evaluate(rows[1], rows[3])["mse"])
        others.append(ridge_errors(*rows))
    for name in others[0]:
        less = np.subtract(values, [each[name] for each in others])
        error = np.std(less, ddof=1) / len(less) ** 0.5
        print(f"  diabetes, mse less that of {name}: {less.mean():.0f} ± {error:.0f}")
    return show(f"diabetes, default settings, {len(values)} splits, mse", values)


def diabetes(quick=False):
    """Mean squared error beside ridge regression's, with and without regularisation."""
    beside = ridge_errors(*split("diabetes", stratify=False))
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
    return {**found, "splits": diabetes_splits(quick)}


def tables(folder):
    """Default settings beside scikit-learn's MLP on standardised features, the same seeds."""
    wine = pd.read_csv(
        folder / "wine_quality" / "winequality_white.csv.gz", sep=None, engine="python"
    )
    cover = pd.read_csv(folder / "covertype_15120" / "covertype_15120.csv.gz").drop(columns="Id")
    found = {}
    for name, frame, head, metric, other, stratify in (
        ("wine quality, white", wine, an.heads.Regression(), "rmse", MLPRegressor, False),
        ("covertype", cover, an.heads.MultiClass(), "accuracy", MLPClassifier, True),
    ):
        data = frame.iloc[:, :-1].to_numpy("float32"), frame.iloc[:, -1].to_numpy()
        values = measured(data, head, metric, stratify=stratify)
        x, x_test, y, y_test = split(data, stratify)
        theirs = []
        for seed in SEEDS:
            predicted = (
                make_pipeline(StandardScaler(), other(random_state=seed)).fit(x, y).predict(x_test)
            )
            error = np.sqrt(np.mean((predicted - y_test) ** 2.0))
            theirs.append(error if metric == "rmse" else np.mean(predicted == y_test))
        found[name] = show(
            f"{name}, default settings, {metric}", values, MLP=float(np.mean(theirs))
        )
    return found


def main(argv=None):
    """All searches; returns the figures by data set and by setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    parser.add_argument("--data_dir", type=pathlib.Path, help="folder of the larger tables")
    given = parser.parse_args(argv)
    found = {**classification(given.quick), **diabetes(given.quick)}
    return found if given.data_dir is None else {**found, **tables(given.data_dir)}


if __name__ == "__main__":
    main()
