"""Standardisation of features."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.preprocessing import StandardScaler

from adaptive_nets import generators, heads
from adaptive_nets.adanet import AdaNet
from adaptive_nets.data.preprocessing import make_preprocessing, standardization
from adaptive_nets.data.rows import Rows
from adaptive_nets.data.schema import Schema

RNG = np.random.default_rng(0)


def read(x):
    return Schema.infer(x).read(x)


def rows(x):
    x = read(x)
    return Rows(x, np.zeros(len(keras.tree.flatten(x)[0])))


def standardized(x, at=None):
    found = rows(x)
    out = standardization(found)(found.x if at is None else read(at))
    return keras.tree.map_structure(np.asarray, out)


@pytest.mark.parametrize("count", [1, 300, 20000])
def test_tables_are_scaled_as_scikit_learn_scales_them(count):
    x = RNG.normal(size=(count, 5)) * [1, 1e-3, 1e4, 3, 1] + [0, 5, -2e5, 100, 1]
    x = x.astype("float32")
    expected = StandardScaler().fit_transform(x.astype("float64"))
    np.testing.assert_allclose(standardized(x), expected, atol=2e-3)
    new = RNG.normal(size=(7, 5)).astype("float32")
    scaler = StandardScaler().fit(x.astype("float64"))
    if count > 1:
        np.testing.assert_allclose(standardized(x, new), scaler.transform(new), rtol=1e-3)


def test_integers_and_flags_are_numbers_too():
    for x in (RNG.integers(0, 9, (50, 3)), RNG.integers(0, 2, (50, 3)) > 0):
        expected = StandardScaler().fit_transform(x.astype("float64"))
        np.testing.assert_allclose(standardized(x), expected, atol=1e-5)


def test_columns_that_never_vary_are_centred_and_stay_finite():
    x = RNG.normal(size=(40, 4)).astype("float32")
    x[:, 1], x[:, 2] = 0.0, 12345.678
    x[:, 3] = 1000.0 + 1e-4 * RNG.normal(size=40)
    out = standardized(x)
    assert np.isfinite(out).all()
    assert not out[:, 1].any() and np.abs(out[:, 2]).max() < 1e-2
    assert np.abs(out[:, 3]).max() < 1e-2
    # At another value than the constant nothing explodes.
    x[:, 1] = 1.0
    assert np.abs(standardization(rows(np.zeros((40, 4), "float32")))(x)).max() < 2e4


def test_vectors_of_pixels_share_one_scale():
    x = RNG.integers(0, 17, (200, 64)).astype("float32")
    # Pixels at the rim are hardly ever set, and must not be blown up.
    x[:, ::8] = 0
    x[0, 0] = 1
    out = standardized(x)
    np.testing.assert_allclose(out, (x - x.mean()) / x.std(), atol=1e-5)
    assert np.abs(out).max() < 5


def test_narrow_or_differently_scaled_vectors_do_not():
    narrow = RNG.integers(0, 17, (200, 4))
    wide = np.abs(RNG.normal(size=(200, 12))) * np.logspace(0, 4, 12)
    shifted = RNG.uniform(0, 1, (200, 12)) + np.arange(12)
    for x in (narrow, wide, shifted):
        expected = StandardScaler().fit_transform(x.astype("float32").astype("float64"))
        np.testing.assert_allclose(standardized(x), expected, atol=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_images_are_scaled_by_one_number(dtype):
    x = RNG.integers(0, 256, (300, 4, 4, 3)).astype(dtype)
    exact = x.astype("float64")
    np.testing.assert_allclose(standardized(x), (exact - exact.mean()) / exact.std(), atol=1e-4)


def test_each_feature_of_a_dict_is_scaled_and_text_is_left():
    x = {
        "table": RNG.normal(3, 2, (60, 2)),
        "image": RNG.integers(0, 256, (60, 3, 3)),
        "text": [f"w{i}" for i in range(60)],
    }
    model = standardization(rows(x))
    assert model.input.keys() == model.output.keys() == x.keys()
    out = model({k: keras.ops.convert_to_tensor(v) for k, v in read(x).items()})
    for name in ("table", "image"):
        axis = 0 if name == "table" else None
        exact = np.asarray(x[name], "float64")
        expected = (exact - exact.mean(axis)) / exact.std(axis)
        np.testing.assert_allclose(out[name], expected, atol=1e-5)
    assert out["text"].numpy()[3, 0] == b"w3"


def test_text_alone_needs_no_preprocessing():
    assert standardization(rows(["a", "b"])) is None
    assert standardization(rows({"t": ["a", "b"]})) is None


TABLE = {
    "age": np.array([20, 30, 40, 50, 60, 70] * 20, "float32"),
    "job": np.array(["clerk", "nurse", "pilot"] * 40),
    "hours": np.linspace(10, 50, 120, dtype="float32"),
}


def feature_space():
    features = {"hours": "float_discretized", "job": "string_categorical"}
    space = keras.utils.FeatureSpace(
        {**features, "age": "float_normalized"}, crosses=[], output_mode="concat"
    )
    space.adapt(tf.data.Dataset.from_tensor_slices(TABLE))
    return space


def test_a_feature_space_is_a_preprocessing(tmp_path, recwarn):
    space = feature_space()
    labels = (TABLE["age"] > 45).astype(int)
    search = AdaNet(
        heads.BinaryClass(), generators.Dense(8, 1), max_iterations=1, steps_per_iteration=20,
        preprocessing=space, model_dir=tmp_path / "search", seed=0,
    )  # fmt: skip
    search.fit(TABLE, labels, batch_size=30, verbose=0)
    encoded = space({name: tf.constant(values) for name, values in TABLE.items()})
    shaped = {name: tf.constant(values[:, None]) for name, values in TABLE.items()}
    np.testing.assert_array_equal(search.preprocessing(shaped), encoded)
    logits = search.predict(TABLE, "logits")
    loaded = AdaNet.load(tmp_path / "search", preprocessing=space)
    np.testing.assert_array_equal(loaded.predict(TABLE, "logits"), logits)
    served = tf.saved_model.load(search.export(tmp_path / "export")).signatures["serving_default"]
    np.testing.assert_allclose(served(**shaped)["logits"], logits, atol=1e-5)
    # It needs no FeatureSpace, and Keras sees the features in the order that it knows.
    assert keras.saving.load_model(tmp_path / "search" / "preprocessing.keras").count_params()
    assert not [w for w in recwarn if "structure of `inputs`" in str(w.message)]


def test_a_feature_space_of_other_features_is_refused():
    search = AdaNet(heads.BinaryClass(), generators.Dense(8, 1), preprocessing=feature_space())
    labels = (TABLE["age"] > 45).astype(int)
    fewer = {name: values for name, values in TABLE.items() if name != "job"}
    with pytest.raises(ValueError, match="are missing: 'job'. Received: age, hours"):
        search.fit(fewer, labels)
    with pytest.raises(ValueError, match="Received: one array"):
        search.fit(TABLE["age"], labels)


class Announced(keras.layers.Layer):
    """A layer that announces an axis of length 1 too many, or too few."""

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape = shape

    def call(self, x):
        return 2.0 * x

    def compute_output_spec(self, x):
        return keras.KerasTensor((None, *self.shape), "float32")


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (3,), (None,)])
def test_shapes_are_those_that_are_computed(shape):
    x = RNG.normal(size=(6, 3)).astype("float32")
    model = make_preprocessing(Announced(shape), False, rows(x))
    assert model.output.shape[1:] in ((3,), (None,))
    after = keras.Model(model.input, keras.layers.Identity()(model(model.input)))
    np.testing.assert_array_equal(after(x), 2.0 * x)


@pytest.mark.parametrize("mode", ["multi_hot", "count", "tf_idf"])
@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_text_becomes_one_row_of_numbers(mode, shape):
    texts = np.array(["a b", "b", "c a", "c c", "b", "a"], object).reshape(shape)
    layer = keras.layers.TextVectorization(output_mode=mode)
    layer.adapt(texts.ravel())
    given = rows(texts)
    model = make_preprocessing(layer, False, given)
    assert model.output.shape == (None, layer.vocabulary_size())
    served = keras.Model(model.input, model(model.input))
    np.testing.assert_allclose(
        served.predict(tf.constant(given.x.astype(str)), verbose=0), layer(texts.ravel())
    )


@pytest.mark.parametrize("option", [{"ragged": True}, {"sparse": True, "output_mode": "count"}])
def test_results_that_are_not_dense_are_refused(option):
    layer = keras.layers.TextVectorization(**option)
    layer.adapt(["a b", "c"])
    with pytest.raises(ValueError, match="^preprocessing must return dense tensors. Received: a"):
        make_preprocessing(layer, False, rows(np.array(["a b", "c"], object)))
