"""Networks of learnt structure against a grid search of widths and depths, on the same folds.

python research/energynet/grid.py --data_dir FOLDER    # with covertype_15120, fashion_mnist
python research/energynet/grid.py                      # scikit-learn's own sets only
python research/energynet/grid.py --quick              # seconds: shows that it runs, writes nothing

The grid is scikit-learn's `GridSearchCV` over twelve `MLPClassifier`s. Learnt widths are trained by
the same class in the same way; learnt weights by Keras, with as large batches and as much patience.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import itertools
import json
import pathlib
import time
import warnings

import keras
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import adaptive_nets as an

HERE = pathlib.Path(__file__).resolve().parent
BEGIN, END = "<!-- table: grid.py -->", "<!-- end of the grid's table -->"
FOLDS, ROWS = 3, 3000
SIZES = [(width,) * depth for width in (32, 64, 128, 256) for depth in (1, 2, 3)]
TRAINING = {"early_stopping": True, "n_iter_no_change": 10, "max_iter": 200, "random_state": 0}
QUICK = {"early_stopping": True, "max_iter": 3, "random_state": 0}
ARMS = ("grid search", "learnt widths", "learnt weights")


def sets(data_dir):
    """Features and labels, by name."""
    digits = load_digits(return_X_y=True)
    found = {"digits": (digits[0] / 16, digits[1])}
    found["breast cancer"] = load_breast_cancer(return_X_y=True)
    if data_dir:
        name = "covertype_15120"
        table = pd.read_csv(pathlib.Path(data_dir, name, f"{name}.csv.gz"))
        x, y = table.drop(columns=["Id", "Cover_Type"]).to_numpy("float64"), table["Cover_Type"]
        found["covertype"] = some(x, y.to_numpy() - 1)
        with np.load(pathlib.Path(data_dir, "fashion_mnist", "fashion_mnist.npz")) as data:
            images = data["train_x"].reshape(-1, 784) / 255
            found["fashion MNIST"] = some(images, data["train_y"].astype(int))
    return found


def some(x, y):
    """As many rows, each class as often as before."""
    x, _, y, _ = train_test_split(x, y, train_size=ROWS, random_state=0, stratify=y)
    return x, y


def scaled(classifier):
    """A classifier of standardised features."""
    return make_pipeline(StandardScaler(), classifier)


def searched(x, y, grid, training):
    """The grid's best, trained on all rows."""
    options = {"mlpclassifier__hidden_layer_sizes": grid}
    search = GridSearchCV(scaled(MLPClassifier(**training)), options, cv=3).fit(x, y)
    sizes = search.best_params_["mlpclassifier__hidden_layer_sizes"]
    return search.predict, sizes


def learnt_widths(x, y, net, training):
    """The grid's classifier at the learnt widths."""
    sizes = net.widths or (16,)
    return scaled(MLPClassifier(hidden_layer_sizes=sizes, **training)).fit(x, y).predict, sizes


def learnt_weights(x, y, net, epochs):
    """A network that starts from the learnt weights."""
    keras.utils.set_random_seed(0)
    model = net.build(len(np.unique(y)), init="energy", activation="sigmoid")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    x_fit, x_check, y_fit, y_check = train_test_split(
        x, y, test_size=0.1, random_state=0, stratify=y
    )
    stop = keras.callbacks.EarlyStopping("val_accuracy", 1e-4, 10, restore_best_weights=True)
    model.fit(
        x_fit, y_fit, 100, epochs, verbose=0, validation_data=(x_check, y_check), callbacks=[stop]
    )
    return lambda rows: model.predict(rows, verbose=0).argmax(axis=1), net.widths


def measured(x, y, train, test, grid=SIZES, training=TRAINING, **settings):
    """All arms on one fold: accuracy, parameters, seconds."""
    found = {}

    def note(arm, make, before=0.0):
        began = time.perf_counter()
        predict, sizes = make()
        seconds = before + time.perf_counter() - began
        accuracy = float((predict(x[test]) == y[test]).mean())
        layers = [x.shape[1], *sizes, 1 if y.max() == 1 else int(y.max()) + 1]
        parameters = sum((a + 1) * b for a, b in itertools.pairwise(layers))
        found[arm] = {"accuracy": accuracy, "sizes": list(sizes), "parameters": parameters}
        found[arm]["seconds"] = seconds

    note("grid search", lambda: searched(x[train], y[train], grid, training))
    began = time.perf_counter()
    net = an.energy.EnergyNet(**{"max_layers": 3, "max_units": 256, "steps": 1000, **settings})
    net.fit(x[train])
    structure = time.perf_counter() - began
    widths = (x[train], y[train], net, training)
    note("learnt widths", lambda: learnt_widths(*widths), structure)
    weights = (x[train], y[train], net, training["max_iter"])
    note("learnt weights", lambda: learnt_weights(*weights), structure)
    found["structure"] = structure
    return found


def table(results):
    """As Markdown: mean and standard error over folds; differences fold by fold."""
    head = ("rows", "network", "accuracy", "minus the grid's", "sizes", "parameters", "seconds")
    lines = [f"| {' | '.join((*head, 'share of the time'))} |", "|---" * 8 + "|"]
    for name, folds in results.items():
        for arm in ARMS:
            own = [fold[arm] for fold in folds]
            of = {k: np.array([each[k] for each in own]) for k in ("accuracy", "seconds")}
            less = of["accuracy"] - [fold["grid search"]["accuracy"] for fold in folds]
            pair, count = (of["accuracy"], less), len(folds)
            error = [v.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan for v in pair]
            whole = sum(fold["grid search"]["seconds"] for fold in folds)
            sizes = ", ".join("-".join(map(str, each["sizes"])) for each in own)
            cells = [name, arm, f"{of['accuracy'].mean():.4f} ± {error[0]:.4f}"]
            cells += ["" if arm == ARMS[0] else f"{less.mean():+.4f} ± {error[1]:.4f}", sizes]
            cells.append(f"{np.mean([each['parameters'] for each in own]):,.0f}")
            cells += [f"{of['seconds'].mean():.0f}", f"{of['seconds'].sum() / whole:.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def quick():
    """A fold of breast cancer with a grid of two and a machine of a few units."""
    x, y = load_breast_cancer(return_X_y=True)
    halves = StratifiedKFold(2, shuffle=True, random_state=0).split(x, y)
    small = {"max_layers": 1, "max_units": 8, "steps": 5}
    fold = measured(x.astype("float32"), y, *next(halves), [(4,), (8,)], QUICK, **small)
    print(table({"breast cancer": [fold]}))
    return {"breast cancer": [fold]}


def main(argv=None):
    """Runs what is not done yet, writes README.md's table, and returns the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    warnings.simplefilter("ignore", ConvergenceWarning)
    if given.quick:
        return quick()
    path = HERE / "grid.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for name, (x, y) in sets(given.data_dir).items():
        done = results.setdefault(name, [])
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x, y)
        for number, (train, test) in enumerate(folds):
            if len(done) == number:
                done.append(measured(x.astype("float32"), y, train, test))
                print(name, done[-1], flush=True)
                path.write_text(json.dumps(results, indent=1) + "\n")
    readme = HERE / "README.md"
    start, rest = readme.read_text().split(BEGIN)
    readme.write_text(f"{start}{BEGIN}\n\n{table(results)}\n\n{END}{rest.split(END)[1]}")
    return results


if __name__ == "__main__":
    main()
