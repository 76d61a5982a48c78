"""ONNX files, run by ONNX Runtime."""

import sys

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.data import Schema
from adaptive_nets.serving import export_onnx

X = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
HEADS = {
    "binary": an.heads.BinaryClass(),
    "strings": an.heads.MultiClass(class_names=["a", "b", "c"]),
    "regression": an.heads.Regression(2),
    "labels": an.heads.MultiLabel(3),
    "several": an.heads.Multi({"a": an.heads.BinaryClass(), "b": an.heads.Regression(2)}),
}


def network(units):
    inputs = keras.Input((4,), name="features")
    hidden = keras.layers.Normalization(mean=[0.5] * 4, variance=[2.0] * 4)(inputs)
    return keras.Model(inputs, keras.layers.Dense(units)(keras.layers.Dense(5, "gelu")(hidden)))


def run(path, **given):
    """What ONNX Runtime computes, by name."""
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, given), strict=True))


@pytest.fixture
def converter():
    pytest.importorskip("tf2onnx", reason="needs the extra onnx")


@pytest.mark.parametrize("name", HEADS)
def test_it_computes_the_same_for_any_number_of_rows(name, converter, tmp_path):
    head, model = HEADS[name], network(HEADS[name].units)
    path = export_onnx(model, head, tmp_path / "deep" / "model.onnx")
    expected = head.predictions(model(X))
    numbers = {key: value.numpy() for key, value in expected.items() if value.dtype != "string"}
    for rows in (1, 7):
        found = run(path, features=X[:rows])
        assert set(found) == set(numbers)
        for key, value in numbers.items():
            np.testing.assert_allclose(found[key], value[:rows], rtol=1e-5, atol=1e-6)
            assert found[key].dtype == value.dtype
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["model.onnx"]


def test_columns_are_taken_by_name(converter, tmp_path):
    table = pd.DataFrame(X, columns=["a", "b c", "d", "e"])
    model, schema = network(1), Schema.infer(table)
    path = export_onnx(model, HEADS["binary"], tmp_path / "model.onnx", schema=schema)
    found = run(path, **{name: X[:, i] for i, name in enumerate(["a", "b_c", "d", "e"])})
    np.testing.assert_allclose(found["logits"].reshape(-1, 1), model(X), rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def searched():
    y = (X[:, 0] > 0).astype("int64")
    search = an.AdaNet(
        an.heads.BinaryClass(), an.generators.Dense(3, 1), max_iterations=2, seed=0,
        steps_per_iteration=2, force_grow=True,
    )  # fmt: skip
    return search.fit(X, y, verbose=0)


@pytest.mark.parametrize("fuse", [False, True])
def test_a_search_is_exported_by_format(searched, fuse, converter, tmp_path):
    path = searched.export(tmp_path / "model.onnx", format="onnx", fuse=fuse)
    found = run(path, features=X)["probabilities"]
    np.testing.assert_allclose(found, searched.predict(X, "probabilities"), rtol=1e-5, atol=1e-6)


def test_options_of_a_saved_model_are_refused(searched, tmp_path):
    with pytest.raises(ValueError, match=r"format must be one of 'saved_model', 'onnx'"):
        searched.export(tmp_path / "a", format="tflite")
    with pytest.raises(ValueError, match=r"none of the options .* Received: subnetworks, warmup"):
        searched.export(tmp_path / "a", format="onnx", warmup=X, subnetworks="logits")
    assert not list(tmp_path.iterdir())


def text_model():
    word, number = keras.Input((1,), dtype="string", name="w"), keras.Input((2,), name="n")
    known = keras.layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(word)
    joined = keras.layers.Concatenate()([known, number])
    return keras.Model({"w": word, "n": number}, keras.layers.Dense(1)(joined))


def test_text_and_folders_are_refused_before_work(tmp_path):
    with pytest.raises(ValueError, match=r"takes numbers only.* Received: text features w\."):
        export_onnx(text_model(), HEADS["binary"], tmp_path / "a")
    with pytest.raises(OSError, match="it is a folder"):
        export_onnx(network(1), HEADS["binary"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_operations_that_onnx_lacks_are_named(converter, tmp_path):
    inputs = keras.Input((4,), name="features")
    found = keras.layers.Lambda(lambda x: tf.math.lgamma(x))(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(found))
    with pytest.raises(ValueError, match=r"operations that ONNX lacks. Received: Lgamma"):
        export_onnx(model, HEADS["binary"], tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_without_the_extra_it_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'adaptive-nets\[onnx\]'"):
        export_onnx(network(1), HEADS["binary"], tmp_path / "a")
