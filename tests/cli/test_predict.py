"""Predictions as columns, and SavedModels that others have made."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.cli import predict


def frame(head, logits, class_names=None):
    outputs = head.predictions(keras.ops.convert_to_tensor(np.array(logits, "float32")))
    outputs = {name: keras.ops.convert_to_numpy(each) for name, each in outputs.items()}
    return predict.as_frame(outputs, class_names)


def test_columns_of_two_named_classes():
    names = ["malignant", "benign"]
    table = frame(an.heads.BinaryClass(class_names=names), [[0.0], [np.log(3.0)]], names)
    assert list(table.columns) == ["class", "probability_malignant", "probability_benign"]
    assert list(table["class"]) == names
    np.testing.assert_allclose(table["probability_benign"], [0.5, 0.75], rtol=1e-6)


def test_columns_of_numbered_classes():
    table = frame(an.heads.MultiClass(n_classes=3), [[0, 9, 0], [9, 0, 0]])
    assert list(table.columns) == ["class", "probability_0", "probability_1", "probability_2"]
    assert list(table["class"]) == [1, 0]


def test_columns_of_several_labels():
    names = ["red", "round"]
    table = frame(an.heads.MultiLabel(class_names=names), [[1, -1], [1, 1]], names)
    assert list(table.columns) == [
        *("class_red", "class_round", "probability_red", "probability_round")
    ]
    assert table["class_round"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("logits", "columns"),
    [([[1.0], [2.0]], ["prediction"]), ([[1.0, 3.0]], ["prediction_0", "prediction_1"])],
)
def test_columns_of_regression(logits, columns):
    table = frame(an.heads.Regression(dim=len(columns)), logits)
    assert list(table.columns) == columns
    np.testing.assert_array_equal(table.to_numpy(), logits)


def test_names_that_do_not_match_are_not_used():
    table = frame(an.heads.MultiClass(n_classes=3), [[0, 9, 0]], ["one", "two"])
    assert list(table.columns)[1:] == ["probability_0", "probability_1", "probability_2"]


def test_names_of_an_output_take_precedence():
    outputs = {"probabilities": np.zeros((2, 2)), "other": np.zeros((2, 2))}
    table = predict.as_frame(outputs, ["x", "y"], {"probabilities": ["no", "yes, sir"]})
    assert list(table.columns) == ["probability_no", "probability_yes, sir", "other_x", "other_y"]
    table = predict.as_frame(outputs, None, {"probabilities": ["a", "b", "c"]})
    assert list(table.columns) == ["probability_0", "probability_1", "other_0", "other_1"]


class Served(tf.Module):
    """A SavedModel made without Keras."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float64, name="rows")])
    def double(self, rows):
        return {"predictions": rows * 2, "classes": tf.as_string(rows[:, 0])}

    @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([None, 2])])
    def add(self, a, b):
        return {"predictions": a + b}


def save(path, **signatures):
    served = Served()
    signatures = {name: getattr(served, function) for name, function in signatures.items()}
    tf.saved_model.save(served, str(path), signatures=signatures)
    return str(path)


def test_any_saved_model_with_one_input_predicts(tmp_path):
    path = save(tmp_path, serving_default="double")
    rows = np.arange(6000, dtype="float32").reshape(3000, 2)
    batches = list(predict.from_saved_model(path, rows))
    assert [len(batch["classes"]) for batch in batches] == [1024, 1024, 952]
    outputs = {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}
    np.testing.assert_array_equal(outputs["predictions"], rows * 2)
    table = predict.as_frame(outputs, None)
    pd.testing.assert_index_equal(
        table.columns, pd.Index(["class", "prediction_0", "prediction_1"])
    )
    assert float(table["class"].iloc[-1]) == 5998


@pytest.mark.parametrize(
    ("signatures", "columns", "message"),
    [
        ({"other": "double"}, 2, "has no signature 'serving_default'.*signatures other"),
        ({"serving_default": "add"}, 2, r"must take one input.*2 inputs \(a, b\)"),
        ({"serving_default": "double"}, 3, r"rows of shape \(2,\)\. Received: .* \(3,\)"),
    ],
)
def test_saved_model_that_does_not_fit(tmp_path, signatures, columns, message):
    with pytest.raises(ValueError, match=message):
        next(predict.from_saved_model(save(tmp_path, **signatures), np.zeros((4, columns), "f4")))
