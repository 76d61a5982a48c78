"""SavedModels of any model with any head."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.files.processes import Process
from adaptive_nets.serving import export_saved_model


def model(units=3, seed=0):
    inputs = keras.Input((4,), name="features")
    layer = keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed))
    return keras.Model(inputs, layer(inputs))


X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


@pytest.mark.parametrize(
    ("head", "units", "outputs"),
    [
        (an.heads.MultiClass(3), 3, {"logits", "probabilities", "classes"}),
        (
            an.heads.MultiClass(class_names=["a", "b", "c"]),
            3,
            {"logits", "probabilities", "classes"},
        ),
        (an.heads.BinaryClass(), 1, {"logits", "probabilities", "classes"}),
        (an.heads.MultiLabel(3), 3, {"logits", "probabilities", "classes"}),
        (an.heads.Regression(2), 2, {"predictions"}),
    ],
    ids=["multi_class", "strings", "binary", "multi_label", "regression"],
)
def test_signature_gives_the_heads_predictions(tmp_path, head, units, outputs):
    net = model(units)
    path = export_saved_model(net, head, tmp_path / "export")
    serve = tf.saved_model.load(path).signatures["serving_default"]
    assert list(serve.structured_input_signature[1]) == ["features"]
    found = serve(features=tf.constant(X))
    assert set(found) >= outputs
    expected = head.predictions(net(X))
    for name, value in expected.items():
        if found[name].dtype == tf.string:
            assert found[name].numpy().tolist() == np.asarray(value).tolist()
        else:
            np.testing.assert_allclose(found[name], value, atol=1e-6)
    # Any number of rows.
    assert next(iter(serve(features=tf.constant(X[:1])).values())).shape[0] == 1


def test_one_value_per_row_may_come_without_an_axis(tmp_path):
    inputs = keras.Input((1,), name="features")
    net = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    schema = an.data.Schema.infer(X[:, 0])
    path = export_saved_model(net, an.heads.MultiClass(3), tmp_path / "export", schema=schema)
    serve = tf.saved_model.load(path).signatures["predict"]
    expected = net(X[:, :1])
    for given in (X[:, 0], X[:, :1]):
        np.testing.assert_allclose(serve(features=tf.constant(given))["logits"], expected)


def test_dict_features_keep_their_names(tmp_path):
    inputs = {n: keras.Input((2,), name=n) for n in ("left", "right")}
    total = keras.layers.Add()(list(inputs.values()))
    net = keras.Model(inputs, keras.layers.Dense(3)(total))
    path = export_saved_model(net, an.heads.MultiClass(3), tmp_path / "export")
    serve = tf.saved_model.load(path).signatures["serving_default"]
    given = {"left": tf.constant(X[:, :2]), "right": tf.constant(X[:, 2:])}
    np.testing.assert_allclose(serve(**given)["logits"], net(given), atol=1e-6)


def test_a_failed_export_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "export"
    export_saved_model(model(), an.heads.MultiClass(3), path)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}

    def full(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(OSError, match="no space"):
        export_saved_model(model(seed=1), an.heads.MultiClass(3), path)
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before
    assert os.listdir(tmp_path) == ["export"]


def test_an_export_that_cannot_be_moved_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "export"
    export_saved_model(model(), an.heads.MultiClass(3), path)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    plain = os.rename

    def rename(old, new):
        if str(old).endswith("model") and new == path:
            raise OSError("stale file handle")
        plain(old, new)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError, match="stale"):
        export_saved_model(model(seed=1), an.heads.MultiClass(3), path)
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before
    assert os.listdir(tmp_path) == ["export"]


def test_what_a_killed_export_has_left_is_swept_by_the_next(tmp_path):
    own = Process.current()
    gone = Process(own.machine, own.pid, own.started - 1)
    for process in (gone, own):
        left = tmp_path / f".writing-{process.name}-{'0' * 16}"
        (left / "model").mkdir(parents=True)
    export_saved_model(model(), an.heads.MultiClass(3), tmp_path / "export")
    assert sorted(os.listdir(tmp_path)) == [left.name, "export"]


@pytest.mark.parametrize("place", ["file", "folder"])
def test_what_is_not_an_export_is_not_replaced(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes").write_text("mine")
    with pytest.raises(OSError, match="is not a SavedModel folder") as caught:
        export_saved_model(model(), an.heads.MultiClass(3), tmp_path / place)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "notes").read_text() == "mine"
    assert len(os.listdir(tmp_path)) == 2
