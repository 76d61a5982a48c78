"""`from_keras`: which compiled models it takes, and the head of their loss."""

import keras
import pytest

from adaptive_nets import estimator as est


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
