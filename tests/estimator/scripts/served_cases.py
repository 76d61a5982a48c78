"""Runs each script on a little data: what it exported, a request, and the answers expected."""

import csv
import dataclasses
import importlib
import pathlib

import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.datasets import load_digits


@dataclasses.dataclass
class Served:
    """An export, and what it is to answer.

    Args:
        folder: The SavedModel.
        inputs: Arrays of a request by name.
        expected: Arrays of the answer by name.
    """

    folder: str
    inputs: dict
    expected: dict


def run(name, folder, python=None):
    """Runs a script; returns `Served`."""
    script = importlib.import_module(name)
    return CASES[name](script, pathlib.Path(folder), python)


def answers(estimator, input_fn, *keys):
    """The predictions of an estimator as arrays by name."""
    rows = list(estimator.predict(input_fn))
    return {key: np.array([row[key] for row in rows]) for key in keys}


def examples(columns):
    """Serialized examples of columns of numbers."""

    def feature(value):
        return tf.train.Feature(float_list=tf.train.FloatList(value=np.atleast_1d(value)))

    rows = range(len(next(iter(columns.values()))))
    return np.array([
        tf.train.Example(features=tf.train.Features(feature={
            name: feature(values[row]) for name, values in columns.items()
        })).SerializeToString()
        for row in rows
    ])  # fmt: skip


def write(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)


def flowers(rng, number):
    kind = rng.integers(0, 3, number)
    values = kind[:, None] * [0.5, 1.0, 2.0] + rng.normal(size=(number, 3)) * 0.3
    return values.astype("float32"), kind


def csv_flowers(script, folder, _):
    rng = np.random.default_rng(0)
    values, kinds = flowers(rng, 200)
    write(folder / "train.csv", [script.NAMES, *(np.column_stack([values, kinds]).tolist())])
    values, kinds = flowers(rng, 60)
    test = dict(zip(script.NAMES, values.T))
    found, named, predictions, exported = script.main(str(folder), 120, (test, kinds))
    assert found["global_step"] == 120 and found["accuracy"] > 0.8
    right = [name == script.KINDS[kind] for name, kind in zip(named, kinds)]
    assert abs(np.mean(right) - found["accuracy"]) < 1e-6
    expected = {"probabilities": np.array([one["probabilities"] for one in predictions])}
    return Served(exported, {"examples": examples(test)}, expected)


def census_wide_deep(script, folder, _):
    rng = np.random.default_rng(0)
    for name, number in (("train", 600), ("test", 100)):
        age, hours = rng.integers(18, 80, number), rng.integers(5, 60, number)
        trade = rng.choice([*script.TRADES, ""], number)
        schooling = rng.choice(["few", "some", "many"], number)
        district = [f"d{d}" for d in rng.integers(0, 9, number)]
        rich = ((trade == "smith") & (schooling == "many")) | (age > 60) | (hours > 50)
        income = np.where(rich, "high", "low")
        columns = [age, trade, schooling, hours, district, income]
        write(folder / f"{name}.csv", zip(*columns))
    model, found, exported, again = script.main(str(folder), 150)
    assert found["global_step"] == 150 and found["auc"] > 0.8
    assert found["accuracy"] > found["accuracy_baseline"]
    inputs = {
        key: np.array(values, "float32" if key in ("age", "hours") else None)
        for key, values in zip(script.CSV_COLUMNS[:-1], columns)
    }
    return Served(exported, inputs, answers(model, again, "logits"))


def keras_model(script, folder, _):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    x = (y[:, None] + rng.normal(size=(200, 4)) * 0.3).astype("float32")
    model, estimator, found, exported = script.main(str(folder), x, y, 100)
    assert found["accuracy"] > 0.8
    # The model was copied.
    assert model.evaluate(x, y, verbose=0) > found["loss"]
    rows = lambda: tf.data.Dataset.from_tensors({"dense_input": x})
    return Served(exported, {"dense_input": x}, answers(estimator, rows, "probabilities"))


def auto_ensemble_houses(script, folder, _):
    estimator, found, exported = script.main(str(folder), 80)
    assert found["global_step"] == 80 and found["average_loss"] < 2.0
    assert b"dnn" in found["architecture/adanet/ensembles"]
    _, (x, _) = script.load_houses()
    rows = lambda: tf.data.Dataset.from_tensors({"x": x})
    expected = answers(estimator, rows, "predictions")
    return Served(exported, {"examples": examples({"x": x})}, expected)


def text_buckets(script, folder, _):
    rng = np.random.default_rng(0)
    words = {1: ["fine", "lovely", "grand"], 0: ["dull", "poor", "weak"]}
    common = ["the", "a", "film", "play"]
    texts = []
    for name, number in (("train", 300), ("test", 60)):
        labels = rng.integers(0, 2, number)
        texts = [
            " ".join(rng.permutation([*rng.choice(common, 3), *rng.choice(words[label], 2)]))
            for label in labels
        ]
        lines = [f"{label}\t{text}" for label, text in zip(labels, texts)]
        (folder / f"{name}.tsv").write_text("\n".join(lines), "utf-8")
    classifier, found, exported = script.main(str(folder), 80)
    assert found["accuracy"] > 0.8
    rows = lambda: script.input_fn(str(folder / "test.tsv"), False)
    return Served(exported, {"texts": np.array(texts)}, answers(classifier, rows, "probabilities"))


def image_cnn(script, folder, _):
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1)
    train, test = (x[:500], y[:500]), (x[500:600], y[500:600])
    estimator, found, architecture, exported = script.main(str(folder), 60, train, test)
    assert found["global_step"] == 60 and found["accuracy"] > 0.5
    assert architecture == b"| simple_cnn | simple_cnn |"
    members = estimator.load(estimator.latest_checkpoint()).ensemble.members
    assert [m.attributes["shared"]["constants"]["filters"] for m in members] == [4, 8]
    images = (test[0] / 16.0).astype("float32")
    rows = lambda: tf.data.Dataset.from_tensors({"images": images})
    return Served(exported, {"images": images}, answers(estimator, rows, "probabilities"))


def multi_head(script, folder, _):
    estimator, found, exported = script.main(str(folder), 60)
    assert found["kind/accuracy"] > 0.5 and found["global_step"] == 60
    x = script.rows(80, 1)[0]["x"]
    names = ("kind/probabilities", "amount/predictions")
    expected = answers(estimator, script.eval_input_fn, *names)
    return Served(exported, {"examples": examples({"x": x})}, expected)


def custom_model_fn(script, folder, _):
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 3, 150)
    frame = pd.DataFrame({
        "length": (kinds + rng.normal(size=150) * 0.2).astype("float32"),
        "width": (2 - kinds + rng.normal(size=150) * 0.2).astype("float32"),
    })  # fmt: skip
    train, test = (frame[:100], kinds[:100]), (frame[100:], kinds[100:])
    classifier, found, exported = script.main(str(folder), 150, train, test)
    assert found["accuracy"] > 0.8
    inputs = {name: values.to_numpy()[:, None] for name, values in test[0].items()}
    rows = lambda: script.eval_input_fn(*test, batch_size=30)
    return Served(exported, inputs, answers(classifier, rows, "probabilities", "class_ids"))


def weighted_rows(script, folder, _):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "months": rng.uniform(0, 36, 300).astype("float32"),
        "plan": rng.choice(["basic", "plus"], 300),
        "importance": rng.uniform(0.5, 2.0, 300),
    })  # fmt: skip
    frame["outcome"] = np.where(frame["months"] > 12, "stays", "leaves")
    model, found, exported = script.main(str(folder), 60, frame[:200], frame[200:])
    test = frame[200:].drop(columns="outcome")
    rows = lambda: tf.data.Dataset.from_tensors({n: v.to_numpy() for n, v in test.items()})
    expected = answers(model, rows, "probabilities", "classes")
    right = expected["classes"][:, 0].astype(str) == frame["outcome"][200:]
    assert abs(np.average(right, weights=test["importance"]) - found["accuracy"]) < 1e-6
    inputs = {"months": test["months"].to_numpy(), "plan": test["plan"].to_numpy().astype("U")}
    return Served(exported, inputs, {name: np.squeeze(a) for name, a in expected.items()})


def best_exports(script, folder, _):
    estimator, (found, exports), exported = script.main(str(folder), 60)
    assert found["global_step"] == 60 and len(exports) == 3
    kept = {path.name: list(path.glob("[0-9]*")) for path in pathlib.Path(exported).iterdir()}
    assert {name: len(paths) for name, paths in kept.items()}.keys() == {"best", "latest", "final"}
    assert len(kept["latest"]) == len(kept["final"]) == 1 and 1 <= len(kept["best"]) <= 2
    x, _ = script.rows(1)
    rows = lambda: tf.data.Dataset.from_tensors({"x": x})
    best = str(max(kept["best"]))
    return Served(best, {"examples": examples({"x": x})}, answers(estimator, rows, "predictions"))


def evaluator_process(script, folder, python):
    given = [script.__file__, str(folder), "40"]
    tasks = [python.start(*given, task) for task in ("evaluator", "chief")]
    for task in tasks:
        out = task.communicate()
        assert task.returncode == 0, out[-1][-2000:]
    assert list((folder / "model" / "eval").glob("events*"))
    (exported,) = (folder / "model" / "export" / "served").glob("[0-9]*")
    x = np.random.default_rng(3).normal(size=(10, 2)).astype("float32")
    rows = lambda: tf.data.Dataset.from_tensors({"x": x})
    estimator = script.build_estimator(str(folder), 40)
    assert estimator.get_variable_value("global_step") == 40
    return Served(str(exported), {"x": x}, answers(estimator, rows, "logits"))


def warm_start(script, folder, _):
    estimator, before, after, exported = script.main(str(folder), 120)
    # A few steps leave it nearly as good as what it began from; without that it would be near 5.
    assert before["global_step"] == 120 and after["global_step"] in (5, 125)
    assert max(before["average_loss"], after["average_loss"]) < 0.2
    x = np.random.default_rng(3).normal(size=(10, 3)).astype("float32")
    rows = lambda: tf.data.Dataset.from_tensors({"x": x})
    return Served(exported, {"x": x}, answers(estimator, rows, "predictions"))


CASES = {
    function.__name__: function
    for function in (
        csv_flowers, census_wide_deep, keras_model, auto_ensemble_houses, text_buckets, image_cnn,
        multi_head, custom_model_fn, weighted_rows, best_exports, evaluator_process, warm_start,
    )
}  # fmt: skip
