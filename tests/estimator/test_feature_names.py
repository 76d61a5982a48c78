"""Features whose names no signature takes: every door reads them by the names that scripts use."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets import estimator as est
from adaptive_nets.data.specs import called_by_name
from adaptive_nets.estimator import adanet

ROWS = 40
RNG = np.random.default_rng(0)
# Two names that are one when written as a signature's, a keyword, and a letter of no signature.
X = {
    "hours-per-week": RNG.uniform(0, 1, ROWS).astype("float32"),
    "hours_per_week": RNG.uniform(5, 6, ROWS).astype("float32"),
    "class": RNG.choice(["First", "Second"], ROWS),
    "größe": RNG.integers(0, 4, ROWS),
}
Y = (X["hours-per-week"] > 0.5).astype("int64")
COLUMN = tf.feature_column


def train_fn():
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(20).repeat()


def predict_fn():
    return tf.data.Dataset.from_tensor_slices(X).batch(ROWS)


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    words = COLUMN.categorical_column_with_vocabulary_list("class", ["First", "Second"])
    hours = [COLUMN.numeric_column("hours-per-week"), COLUMN.numeric_column("hours_per_week")]
    crossed = COLUMN.crossed_column(["class", "größe"], 50)
    size = COLUMN.numeric_column("größe")
    estimator = est.LinearClassifier(
        [*hours, words, crossed, size], tmp_path_factory.mktemp("linear") / "model"
    )
    return estimator.train(train_fn, steps=20)


def test_columns_read_features_by_the_scripts_names(linear):
    names = linear.get_variable_names()

    def weight(end):
        (name,) = [name for name in names if name.endswith(end)]
        return linear.get_variable_value(name)

    (found,) = linear.predict(predict_fn, ["logits"], yield_single_examples=False)
    # `crossed` has weights of its own, which are those of the hashed pairs.
    crossed = [tf.constant(X[name][:, None]) for name in ("class", "größe")]
    pairs = tf.sparse.cross_hashed(crossed, 50, hash_key=0xDECAFCAFFE).values.numpy()
    right = (
        weight("bias")
        + weight("hours-per-week") * X["hours-per-week"][:, None]
        + weight("hours_per_week") * X["hours_per_week"][:, None]
        + weight("/class")[(X["class"] == "Second").astype(int)]
        + weight("class_X_gr__e")[pairs]
        + weight("/gr__e") * X["größe"][:, None]
    )
    assert np.abs(weight("hours-per-week")).max() > 0
    np.testing.assert_allclose(found["logits"], right, atol=1e-5)


@pytest.mark.parametrize("kind", ["raw", "parsing"])
def test_served_models_answer_as_predict(linear, kind, tmp_path):
    build = getattr(est.export, f"build_{kind}_serving_input_receiver_fn")
    given = X
    if kind == "parsing":
        given = {k: tf.io.FixedLenFeature([], tf.as_dtype(v.dtype.type if v.dtype.kind != "U"
                 else "string")) for k, v in X.items()}  # fmt: skip
    path = linear.export_saved_model(tmp_path, build(given))
    served = tf.saved_model.load(path).signatures["predict"]
    (right,) = linear.predict(predict_fn, yield_single_examples=False)
    if kind == "raw":
        keys = {"hours-per-week": "hours_per_week_2", "class": "class_", "größe": "grosse"}
        found = served(**{keys.get(name, name): tf.constant(v) for name, v in X.items()})
    else:
        found = served(examples=tf.constant([example(row) for row in range(ROWS)]))
    np.testing.assert_allclose(found["probabilities"], right["probabilities"], atol=1e-6)


def example(row):
    kinds = {"U": ("bytes_list", tf.train.BytesList), "i": ("int64_list", tf.train.Int64List),
             "f": ("float_list", tf.train.FloatList)}  # fmt: skip
    features = {}
    for name, values in X.items():
        field, kind = kinds[values.dtype.kind]
        value = values[row].encode() if field == "bytes_list" else values[row]
        features[name] = tf.train.Feature(**{field: kind(value=[value])})
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_builders_of_adanet_are_given_features_by_the_scripts_names(tmp_path):
    seen = []

    class Build(adanet.subnetwork.Builder):
        name = "one"

        def build_subnetwork(self, features, logits_dimension, previous_ensemble=None):
            seen.append(sorted(features))
            hours = features["hours-per-week"]
            logits = keras.layers.Dense(logits_dimension, use_bias=False)(hours)
            return adanet.Subnetwork(last_layer=hours, logits=logits, complexity=1)

        def build_subnetwork_train_op(self, subnetwork):
            return keras.optimizers.SGD(0.1)

    estimator = adanet.Estimator(
        est.BinaryClassHead(), adanet.subnetwork.SimpleGenerator([Build()]), 2,
        mixture_weight_type="uniform", model_dir=tmp_path,
    )  # fmt: skip
    estimator.train(train_fn, max_steps=2)
    assert seen[0] == sorted(X)
    (found,) = estimator.predict(predict_fn, ["logits"], yield_single_examples=False)
    ratio = found["logits"][:, 0] / X["hours-per-week"]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def test_a_model_of_some_features_is_given_these():
    tensors = {k: keras.Input((1,), name=k) for k in ("aa", "b_c", "zz")}
    by_name = {"aa": tensors["aa"], "b c": tensors["b_c"], "zz": tensors["zz"]}
    inputs = {"b_c": keras.Input((1,), name="b_c")}
    model = keras.Model(inputs, keras.layers.Rescaling(2.0)(inputs["b_c"]))
    for given in (tensors, by_name):
        assert called_by_name(model, given) == {"b_c": tensors["b_c"]}
    assert called_by_name(keras.layers.Identity(), by_name) is by_name
    assert called_by_name(keras.layers.Identity(), by_name, False) == tensors
    lacking = keras.Model({"b": inputs["b_c"]}, inputs["b_c"])
    with pytest.raises(ValueError, match="takes features b. Received: features aa, b c, zz"):
        called_by_name(lacking, by_name)
