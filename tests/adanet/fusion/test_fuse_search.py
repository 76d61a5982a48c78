"""`AdaNet.fuse`: one network with the ensemble's outputs, to save, serve and fine-tune."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import adaptive_nets as an
from adaptive_nets.adanet.fusion.fuse_ensemble import fuse_ensemble

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(120)


@pytest.fixture(scope="module")
def searched(lc, data, tmp_path_factory):
    """Subnetworks of one and of two layers that read each other, behind standardisation."""
    folder = tmp_path_factory.mktemp("search")
    generator = an.generators.Dense(widths=4, depths=[1, 2], connect="all", learning_rate=0.1)
    search = lc.small(
        folder, generator=generator, ensemble_strategies="all", preprocessing="standardize"
    )
    return search.fit(*data, verbose=0), folder


def assert_same_outputs(search, x):
    fused, expected = search.fuse(), search.model.predict(x, verbose=0)
    gap = np.abs(fused.predict(x, verbose=0) - expected).max()
    assert gap < 1e-5 * np.abs(expected).max()
    return fused


def test_a_search_is_fused_and_so_is_the_loaded_one(fz, searched, data):
    search, folder = searched
    x = data[0] * 50 + 300
    fused = assert_same_outputs(search, x)
    assert sorted({m.depth for m in search.ensemble.members}) == [1, 2]
    assert any(m.reads for m in search.ensemble.members)
    assert fz.kinds(fused)[:3] == ["InputLayer", "Functional", "Dense"]
    assert isinstance(fused.layers[1].layers[-1], layers.Normalization)
    assert search.fuse("mine").name == "mine"
    assert_same_outputs(an.AdaNet.load(folder), x)


def test_one_member_is_one_network(lc, data):
    search = lc.small(max_iterations=1, preprocessing="standardize").fit(*data, verbose=0)
    assert_same_outputs(search, data[0])


def test_several_heads_and_scaled_targets(fz, lc, data):
    x, y = data
    head = an.heads.Multi({"kind": an.heads.MultiClass(), "size": an.heads.Regression()})
    generator = fz.Chosen(*fz.dense([0, 1]))
    search = lc.small(head=head, generator=generator, mixture_weights="vector")
    search.fit(x, {"kind": y, "size": 300 + 100 * x[:, 0]}, verbose=0)
    fused = assert_same_outputs(search, x)
    assert "Rescaling" not in fz.kinds(fused)


def test_preprocessing_of_ones_own_is_copied_with_what_it_has_learnt(lc, data):
    x, y = data
    word, number = keras.Input((1,), dtype="string", name="w"), keras.Input((6,), name="n")
    lookup = layers.StringLookup(output_mode="one_hot")
    lookup.adapt(["a", "b", "c"])
    scaled = layers.Dense(3, "tanh")(number)
    given = keras.Model({"w": word, "n": number}, {"w": lookup(word), "n": scaled})
    features = {"w": np.array(["a", "b", "c"])[y], "n": x}
    search = lc.small(preprocessing=given).fit(features, y, verbose=0)
    tensors = {"w": tf.constant(features["w"][:, None]), "n": x}
    fused = assert_same_outputs(search, tensors)
    ours = {id(v) for v in fused.variables}
    assert not ours & {id(v) for v in [*search.model.variables, *given.variables]}


def test_the_search_stays_as_it_is_while_every_kernel_learns(searched, data):
    search, _ = searched
    x, y = data
    before = [w.copy() for w in search.model.get_weights()]
    nodes = [len(layer._inbound_nodes) for m in search.ensemble.members for layer in m.model.layers]
    fused = search.fuse()
    fused.compile(keras.optimizers.Adam(0.01), LOSS)
    start = [np.copy(v) for v in fused.trainable_variables]
    first = fused.evaluate(x, y, verbose=0)
    fused.fit(x, y, epochs=3, verbose=0)
    assert fused.evaluate(x, y, verbose=0) < 0.9 * first
    assert [v.name for v in fused.trainable_variables] == ["kernel", "bias"] * 3
    for variable, old in zip(fused.trainable_variables, start, strict=True):
        assert np.abs(np.asarray(variable) - old).max() > 1e-4
    # Also what stood between the members: blocks that were zero.
    moved = [
        np.abs(v - old)[old == 0] for v, old in zip(fused.trainable_variables, start, strict=True)
    ]
    assert all(part.max() > 1e-4 for part in moved if part.size)
    assert sum(part.size for part in moved) > 20
    for old, now in zip(before, search.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    assert nodes == [
        len(layer._inbound_nodes) for m in search.ensemble.members for layer in m.model.layers
    ]


def test_saved_and_exported_it_needs_nothing_of_adaptive_nets(fz, searched, data, tmp_path, python):
    search, _ = searched
    images = fz.RNG.normal(size=(20, 12, 12, 1)).astype("float32")
    norms = fz.dense([2, 2], norm="layer")
    models = {
        "table": (search.fuse(), data[0]),
        "norms": (fuse_ensemble(*fz.ensemble_of(norms, fz.TABLE)), fz.TABLE),
        "images": (fuse_ensemble(*fz.ensemble_of(fz.conv([1, 3]), images)), images),
    }
    arrays = {}
    for name, (model, x) in models.items():
        model.save(tmp_path / f"{name}.keras")
        arrays |= {f"{name}_x": x, f"{name}_y": model.predict(x, verbose=0)}
    models["table"][0].export(tmp_path / "served", verbose=False)
    np.savez(tmp_path / "data.npz", **arrays)
    code = """
import sys, numpy as np
sys.modules["adaptive_nets"] = None
import keras, tensorflow as tf
given = np.load("data.npz")
for name in ("table", "norms", "images"):
    model = keras.models.load_model(name + ".keras")
    x, y = given[name + "_x"], given[name + "_y"]
    np.testing.assert_allclose(model.predict(x, verbose=0), y, atol=1e-5)
served = tf.saved_model.load("served")
found = served.serve(tf.constant(given["table_x"]))
np.testing.assert_allclose(found, given["table_y"], atol=1e-5)
model.compile("adam", "mse")
model.fit(x, y, verbose=0)
"""
    python.run("-c", code, cwd=tmp_path, package=False)


def test_an_unfitted_search_is_refused(lc):
    with pytest.raises(ValueError, match="This search has no ensemble yet. Call fit first"):
        lc.small().fuse()
