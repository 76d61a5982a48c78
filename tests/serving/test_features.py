"""A served model takes features by name, and refuses what the schema refuses."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.data import Schema
from adaptive_nets.serving import export_saved_model, receiver_of
from adaptive_nets.serving.features import rows_to_serve

FRAME = pd.DataFrame({"age": [31.0, 52.0, 18.0], "b c": [40.5, 20.0, 0.25]})
GIVEN = {"age": [31, 52, 18], "more": [[1.0, 2.0]] * 3, "n": np.arange(3), "word": ["x", "y", "x"]}
SIGNATURES = ("serving_default", "predict")


class Relu(keras.layers.Layer):
    """Makes 0 of NaN, as TensorFlow's may, so that a missing value cannot be seen in a result."""

    def call(self, x):
        return keras.ops.where(x > 0, x, 0.0)


def table_model():
    inputs = keras.Input((2,), name="features")
    return keras.Model(inputs, keras.layers.Dense(1)(Relu()(inputs)))


def dict_model():
    inputs = {
        "age": keras.Input((1,), dtype="float32", name="age"),
        "more": keras.Input((2,), dtype="float32", name="more"),
        "n": keras.Input((1,), dtype="int64", name="n"),
        "word": keras.Input((1,), dtype="string", name="word"),
    }
    joined = keras.layers.Concatenate()([
        inputs["age"], inputs["more"], keras.layers.Rescaling(1.0)(inputs["n"])])  # fmt: skip
    return keras.Model(inputs, keras.layers.Dense(1)(Relu()(joined)))


def exported(folder, model, schema, **options):
    path = export_saved_model(model, an.heads.BinaryClass(), folder, schema=schema, **options)
    return tf.saved_model.load(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    schema = Schema.infer(FRAME)
    return exported(tmp_path_factory.mktemp("table") / "model", table_model(), schema), schema


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    given = {**GIVEN, "age": np.array(GIVEN["age"], "float32")}
    schema = Schema.infer(given)
    return exported(tmp_path_factory.mktemp("dict") / "model", dict_model(), schema), schema


def tensors(rows, schema, **changed):
    arrays = rows_to_serve(rows, schema)
    for name, (row, value) in changed.items():
        arrays[name] = arrays[name].copy()
        arrays[name][row] = value
    return {name: tf.constant(array) for name, array in arrays.items()}


def fails(message):
    return pytest.raises(tf.errors.InvalidArgumentError, match=message)


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_request_that_is_not_finite_fails_and_names_feature_and_row(table, signature, value):
    served, schema = table
    serve = served.signatures[signature]
    assert serve(**tensors(FRAME, schema))["logits"].shape == (3, 1)
    with fails(r"b c.. must be finite. Received: NaN or infinity, first in row:. \[1\]"):
        serve(**tensors(FRAME, schema, b_c=(slice(1, None), value)))


@pytest.mark.parametrize("name", ["age", "more"])
def test_each_feature_of_a_dict_is_checked(mixed, name):
    served, schema = mixed
    serve = served.signatures["predict"]
    assert serve(**tensors(GIVEN, schema))["logits"].shape == (3, 1)
    with fails(rf"{name}.. must be finite.*\[2\]"):
        serve(**tensors(GIVEN, schema, **{name: (2, np.nan)}))


def test_no_rows_are_served(table):
    served, schema = table
    assert served.signatures["predict"](**tensors(FRAME[:0], schema))["logits"].shape == (0, 1)


def test_examples_are_checked(table):
    served, schema = table

    def example(age):
        feature = {
            name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
            for name, value in (("age", age), ("b_c", 1.0))
        }
        return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()

    classify = served.signatures["classify"]
    assert classify(inputs=tf.constant([example(1.0)]))["scores"].shape == (1, 2)
    with fails("age.. must be finite"):
        classify(inputs=tf.constant([example(1.0), example(np.nan)]))


def test_a_receiver_is_checked_for_nan_and_for_what_would_be_rounded(tmp_path, table):
    _, schema = table
    raw = an.serving.build_raw_serving_input_receiver_fn(
        {"age": tf.zeros([1], tf.int64), "b_c": tf.zeros([1])}
    )
    served = exported(tmp_path / "model", table_model(), schema, receiver=receiver_of(raw))
    serve = served.signatures["predict"]
    fine = {"age": tf.constant([1, 2**24]), "b_c": tf.constant([1.0, 2.0])}
    fine["age"] = tf.cast(fine["age"], tf.int64)
    assert serve(**fine)["logits"].shape == (2, 1)
    with fails(r"age.. must be exact.*rounded.*\[1\]"):
        serve(**{**fine, "age": tf.constant([1, 2**24 + 1], tf.int64)})
    with fails("b c.. must be finite"):
        serve(**{**fine, "b_c": tf.constant([np.nan, 1.0])})


def test_it_may_be_left_out(tmp_path, table):
    _, schema = table
    served = exported(tmp_path / "model", table_model(), schema, check_values=False)
    bad = tensors(FRAME, schema, age=(0, np.nan))
    assert np.isfinite(served.signatures["predict"](**bad)["logits"]).all()


def test_only_operations_of_tensorflow_are_added(table, tmp_path):
    from tensorflow.core.protobuf import saved_model_pb2

    _, schema = table
    path = export_saved_model(
        table_model(), an.heads.BinaryClass(), tmp_path / "model", schema=schema
    )
    saved = saved_model_pb2.SavedModel.FromString((tmp_path / "model/saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    assert path and any(node.op == "Assert" for f in functions for node in f.node_def)


def test_rows_are_served_by_name_or_refused(table, mixed):
    schema = table[1]
    found = rows_to_serve(FRAME[["b c", "age"]], schema)
    assert {n: a.tolist() for n, a in found.items()} == {
        "age": FRAME["age"].tolist(), "b_c": FRAME["b c"].tolist()}  # fmt: skip
    found = rows_to_serve(GIVEN, mixed[1])
    assert {n: a.shape for n, a in found.items()} == {
        "age": (3,), "more": (3, 2), "n": (3,), "word": (3,)}  # fmt: skip
    with pytest.raises(ValueError, match="missing: 'b c'"):
        rows_to_serve(FRAME[["age"]], schema)


def test_what_is_not_the_heads_model_or_no_option_is_refused(tmp_path, table):
    _, schema = table
    export = [export_saved_model, an.serving.export_litert]
    for function in export:
        with pytest.raises(ValueError, match=r"logits of head 'multi_class', of shape \(None, 3\)"):
            function(table_model(), an.heads.MultiClass(3), tmp_path / "model")
    with pytest.raises(ValueError, match="check_values must be True or False"):
        exported(tmp_path / "model", table_model(), schema, check_values="no")
    assert not list(tmp_path.iterdir())
