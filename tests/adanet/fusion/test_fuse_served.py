"""What is exported of a fused ensemble: one network for few rows, one product a member for many."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets.adanet.fusion import served
from adaptive_nets.adanet.fusion.fuse_ensemble import fuse_members


def assert_serves(fz, ensemble, ensembler, spec, x, folder, preprocessing=None, fewest=0):
    """A SavedModel of it gives the ensemble's logits for one row, for many and for none."""
    model = served.fuse_to_serve(ensemble, ensembler, spec, preprocessing)
    model.export(folder, verbose=False)
    loaded = tf.saved_model.load(folder)
    given = x if preprocessing is None else preprocessing(x).numpy()
    expected = fz.outputs_of(ensemble, ensembler, given)
    for rows in range(fewest, len(x), 3):
        found = loaded.serve(tf.constant(x[:rows])).numpy()
        assert found.shape == (rows, expected.shape[1])
        if rows:
            gap = np.abs(found - expected[:rows]).max()
            assert gap < 1e-6 * max(1, np.abs(expected).max())
    return loaded


def products(loaded):
    """Shapes of the constant kernels in a served function."""
    graph = loaded.serve.get_concrete_function(tf.TensorSpec([None, 6])).graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    tensors = [node.attr["value"].tensor for node in nodes if node.op == "Const"]
    shapes = [tuple(d.size for d in t.tensor_shape.dim) for t in tensors]
    return [shape for shape in shapes if len(shape) == 2 and shape[1] > 1]


@pytest.mark.parametrize("most", [None, 2, 0])
@pytest.mark.parametrize("connect", ["none", "all"])
def test_dense_members(fz, connect, most, monkeypatch, tmp_path):
    monkeypatch.setattr(served, "most_rows", lambda fused: most)
    ensemble = fz.ensemble_of(fz.dense([2, 1, 2], connect), fz.TABLE, "vector")
    shapes = products(assert_serves(fz, *ensemble, fz.TABLE, tmp_path / "served"))
    # Widths 4, 5 and 6 side by side have zeros between them; one by one they have none.
    assert ((15, 15) in shapes) == (most != 0)
    if connect == "none":
        assert ((4, 4) in shapes) == (most is not None)


def test_behind_preprocessing_and_with_weights_that_are_variables(fz, monkeypatch, tmp_path):
    monkeypatch.setattr(served, "most_rows", lambda fused: 2)
    monkeypatch.setattr(served, "_CONSTANT_BYTES", 0)
    ensemble = fz.ensemble_of(fz.dense([1, 1], norm="batch"), fz.TABLE)
    scaled = keras.Sequential([keras.Input((6,)), keras.layers.Rescaling(2.0, offset=1.0)])
    inputs = keras.Input((6,), name="features")
    preprocessing = keras.Model(inputs, scaled(inputs))
    loaded = assert_serves(fz, *ensemble, fz.TABLE, tmp_path / "served", preprocessing)
    assert not products(loaded)


def test_images(fz, monkeypatch, tmp_path):
    monkeypatch.setattr(served, "most_rows", lambda fused: 2)
    images = fz.RNG.normal(size=(5, 8, 8, 1)).astype("float32")
    ensemble = fz.ensemble_of(fz.conv([1, 1]), images)
    # TensorFlow's convolutions refuse no rows.
    assert_serves(fz, *ensemble, images, tmp_path / "served", fewest=1)


def test_the_wider_the_members_the_fewer_rows_one_network_gets(fz):
    def rows(width, members=3):
        ensemble, ensembler, spec = fz.ensemble_of(
            fz.dense([2] * members, "none", width=width), fz.TABLE
        )
        return served.most_rows(fuse_members(ensemble, ensembler, spec, None, "fused", 0))

    assert rows(4) is None
    assert rows(64, members=1) is None
    assert 1024 > rows(64) > rows(128) > 0 == rows(1024)
