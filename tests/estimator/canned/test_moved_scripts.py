"""Scripts of tf.estimator as they are after moving: they train, evaluate, and are served."""

import csv

import census_wide_deep
import csv_flowers
import keras
import keras_model
import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets import estimator as est

RNG = np.random.default_rng(0)


def write(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)


def flowers(number):
    kind = RNG.integers(0, 3, number)
    values = kind[:, None] * [0.5, 1.0, 2.0] + RNG.normal(size=(number, 3)) * 0.3
    return dict(zip(csv_flowers.NAMES, values.astype("float32").T, strict=False)), kind


def test_a_csv_classifier(tmp_path):
    features, kinds = flowers(200)
    rows = zip(*features.values(), kinds, strict=True)
    write(tmp_path / "train.csv", [csv_flowers.NAMES, *rows])
    test, labels = flowers(60)
    found, named, predictions, exported = csv_flowers.main(str(tmp_path), 120, (test, labels))
    assert found["global_step"] == 120 and found["accuracy"] > 0.8
    right = [name == csv_flowers.KINDS[kind] for name, kind in zip(named, labels, strict=True)]
    assert np.mean(right) == pytest.approx(found["accuracy"])
    examples = [
        tf.train.Example(features=tf.train.Features(feature={
            name: tf.train.Feature(float_list=tf.train.FloatList(value=[test[name][row]]))
            for name in test
        })).SerializeToString()
        for row in range(60)
    ]  # fmt: skip
    served = tf.saved_model.load(exported).signatures["predict"](examples=tf.constant(examples))
    expected = np.array([one["probabilities"] for one in predictions])
    np.testing.assert_allclose(served["probabilities"], expected, atol=1e-5)


def census(number):
    age, hours = RNG.integers(18, 80, number), RNG.integers(5, 60, number)
    trade = RNG.choice([*census_wide_deep.TRADES, ""], number)
    schooling, district = RNG.choice(["few", "some", "many"], number), RNG.integers(0, 9, number)
    rich = ((trade == "smith") & (schooling == "many")) | (age > 60) | (hours > 50)
    income = np.where(rich, "high", "low")
    return list(zip(age, trade, schooling, hours, [f"d{d}" for d in district], income, strict=True))


def test_census_wide_and_deep(tmp_path):
    write(tmp_path / "train.csv", census(600))
    rows = census(100)
    write(tmp_path / "test.csv", rows)
    model, found, exported, again = census_wide_deep.main(str(tmp_path), 150)
    assert found["global_step"] == 150
    assert found["accuracy"] > found["accuracy_baseline"] and found["auc"] > 0.8
    expected = np.array([one["logits"] for one in model.predict(again)])
    names = census_wide_deep.COLUMNS[:-1]
    given = {
        name: tf.constant([row[place] for row in rows],
                          tf.float32 if name in ("age", "hours") else tf.string)
        for place, name in enumerate(names)
    }  # fmt: skip
    served = tf.saved_model.load(exported).signatures["predict"]
    np.testing.assert_allclose(served(**given)["logits"], expected, atol=1e-4)


def test_a_compiled_keras_model(tmp_path):
    y = RNG.integers(0, 3, 200)
    x = (y[:, None] + RNG.normal(size=(200, 4)) * 0.3).astype("float32")
    model, estimator, found, exported = keras_model.main(str(tmp_path), x, y, 100)
    assert found["accuracy"] > 0.8
    # The model was copied.
    assert model.evaluate(x, y, verbose=0) > found["loss"]
    rows = lambda: tf.data.Dataset.from_tensors({"dense_input": x})  # noqa: E731
    expected = np.array([one["probabilities"] for one in estimator.predict(rows)])
    served = tf.saved_model.load(exported).signatures["predict"](dense_input=tf.constant(x))
    np.testing.assert_allclose(served["probabilities"], expected, atol=1e-5)


def compiled(loss, *layers):
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile("sgd", loss)
    return model


def test_the_head_is_that_of_the_loss(tmp_path):
    dense = keras.layers.Dense
    for loss, layers, head, units in (
        ("sparse_categorical_crossentropy", [dense(3), keras.layers.Softmax()], "MultiClass", 3),
        (keras.losses.SparseCategoricalCrossentropy(True), [dense(4)], "MultiClass", 4),
        ("binary_crossentropy", [dense(1, "sigmoid")], "BinaryClass", 1),
        ("binary_crossentropy", [dense(5, "sigmoid")], "MultiLabel", 5),
        ("mse", [dense(2)], "Regression", 2),
    ):
        made = est.from_keras(compiled(loss, *layers), model_dir=tmp_path)
        kind = made._settings["head"]
        assert (type(kind).__name__, kind.units) == (head, units)


@pytest.mark.parametrize(("make", "why"), [
    (lambda: compiled("categorical_crossentropy", keras.layers.Dense(3, "softmax")),
     "Labels must be integers"),
    (lambda: compiled("sparse_categorical_crossentropy", keras.layers.Dense(3)),
     "must end with a softmax"),
    (lambda: keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), "must be compiled"),
    (lambda: keras.Sequential([keras.layers.Dense(1)]), "must be a Sequential or Functional"),
    (lambda: None, "Pass one of keras_model and keras_model_path"),
    (lambda: 3, "keras_model must be a keras.Model"),
])  # fmt: skip
def test_a_model_that_cannot_be_taken_is_refused(make, why):
    with pytest.raises((TypeError, ValueError), match=rf"\A[^\n]*{why}[^\n]*\Z"):
        est.from_keras(make())
