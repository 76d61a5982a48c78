"""Feature columns compute what TensorFlow's own do, compared in a TensorFlow 1 graph."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets import estimator as est
from adaptive_nets.estimator.columns import DenseColumns, LinearColumns

fc, v1 = tf.feature_column, tf.compat.v1
ROWS = {
    "age": np.array([20.0, 35.0, 60.0, -3.0], "float32"),
    "vec": np.arange(8, dtype="float32").reshape(4, 2),
    "job": np.array([b"cook", b"pilot", b"", b"zzz"]),
    "n": np.array([3, 7, -1, 100]),
    "bag": np.array([[b"a", b"b"], [b"c", b""], [b"", b""], [b"a", b"a"]]),
    "w": np.array([[0.5, 2.0], [1.0, 0.0], [0.0, 0.0], [3.0, 4.0]], "float32"),
}
TENSORS = {name: tf.constant(values) for name, values in ROWS.items()}
HALF = v1.constant_initializer(0.5)


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    """Columns of all kinds by a name."""
    file = tmp_path_factory.mktemp("words") / "words.txt"
    file.write_text("a\nb\nc\nd\n")
    age, vec = fc.numeric_column("age"), fc.numeric_column("vec", shape=(2,))
    buckets = fc.bucketized_column(age, [18, 20, 35, 60])
    words = fc.categorical_column_with_vocabulary_file("bag", str(file), vocabulary_size=3)
    cross = fc.crossed_column(["job", buckets], 50)
    return {
        "age": fc.numeric_column(
            "age", normalizer_fn=lambda x: (tf.math.log1p(tf.maximum(x, 0.0)) - 2.0) / 3.0
        ),
        "vec": vec,
        "buckets": buckets,
        "vec buckets": fc.bucketized_column(vec, [1.0, 3.0, 6.0]),
        "hash": fc.categorical_column_with_hash_bucket("job", 7),
        "hash of n": fc.categorical_column_with_hash_bucket("n", 11, dtype=tf.int64),
        "words": fc.categorical_column_with_vocabulary_list(
            "job", ["pilot", "cook"], num_oov_buckets=3
        ),
        "words and default": fc.categorical_column_with_vocabulary_list(
            "job", ["pilot", "x"], default_value=1
        ),
        "numbers": fc.categorical_column_with_vocabulary_list(
            "n", [7, 3], dtype=tf.int64, num_oov_buckets=2
        ),
        "file": words,
        "identity": fc.categorical_column_with_identity("n", 10, default_value=4),
        "cross": cross,
        "cross of crosses": fc.crossed_column([cross, "n", words], 50, hash_key=5),
        "weighted": fc.weighted_categorical_column(words, "w"),
    }


DENSE = ("age", "vec", "buckets", "vec buckets")


def of_tensorflow(listed):
    with tf.Graph().as_default(), v1.Session() as session:
        found = v1.feature_column.input_layer({k: tf.constant(v) for k, v in ROWS.items()}, listed)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        return session.run(found)


def test_dense_columns_are_tensorflows(columns):
    for name, column in columns.items():
        given = [column if name in DENSE else fc.indicator_column(column)]
        layer = DenseColumns(given)
        expected, found = of_tensorflow(given), layer(TENSORS)
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=name)
        assert layer.compute_output_shape(None) == (None, expected.shape[1])
        config = json.loads(json.dumps(layer.get_config()))
        np.testing.assert_array_equal(DenseColumns.from_config(config)(TENSORS), found)


def test_embeddings_are_tensorflows(columns):
    weighted = columns["weighted"]
    given = [
        fc.embedding_column(columns["file"], 3, initializer=HALF),
        fc.embedding_column(columns["cross of crosses"], 2, "sum", initializer=HALF),
        fc.embedding_column(weighted, 3, "sqrtn", initializer=HALF, max_norm=0.2),
        columns["age"], columns["vec"], fc.indicator_column(columns["words"]),
    ]  # fmt: skip
    np.testing.assert_allclose(DenseColumns(given)(TENSORS), of_tensorflow(given), atol=1e-6)
    for combiner in ("sum", "mean"):
        one = [fc.embedding_column(weighted, 3, combiner, initializer=HALF)]
        np.testing.assert_allclose(DenseColumns(one)(TENSORS), of_tensorflow(one), atol=1e-6)


def test_shared_embeddings_share_their_table(columns):
    given = est.columns.shared_embeddings([columns["file"], columns["weighted"]], 3)
    layer = DenseColumns(given)
    found = layer(TENSORS).numpy()
    (table,) = layer.trainable_variables
    rows = table.numpy()
    np.testing.assert_allclose(found[0, :3], (rows[0] + rows[1]) / 2, atol=1e-6)
    np.testing.assert_allclose(found[0, 3:], (0.5 * rows[0] + 2 * rows[1]) / 2.5, atol=1e-6)
    # Truncated at two standard deviations, which are 1 / sqrt(3).
    assert 0 < np.abs(rows).max() < 2 / np.sqrt(3)


def test_a_linear_model_is_tensorflows(columns):
    chosen = [
        c
        for n, c in columns.items()
        if n not in ("words and default", "hash", "hash of n", "identity")
    ]
    with tf.Graph().as_default(), v1.Session() as session:
        given = {k: tf.constant(v) for k, v in ROWS.items()}
        found = v1.feature_column.linear_model(given, chosen, 2, sparse_combiner="mean")
        variables = v1.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        random = np.random.default_rng(0)
        names = [v.name.split("/")[1].partition(":")[0] for v in variables]
        values = {n: random.normal(size=v.shape) for n, v in zip(names, variables, strict=True)}
        for name, variable in zip(names, variables, strict=True):
            variable.load(values[name], session)
        expected = session.run(found)
    layer = LinearColumns(2, chosen, "mean")
    np.testing.assert_array_equal(layer(TENSORS), np.zeros((4, 2)))
    for variable in layer.trainable_variables:
        name = "bias_weights" if variable.name == "bias" else variable.name
        variable.assign(values[name])
    np.testing.assert_allclose(layer(TENSORS), expected, atol=1e-5)


def test_a_model_of_raw_features_is_saved_and_trained(columns, tmp_path):
    inputs = {
        name: keras.Input(
            values.shape[1:] or (1,), name=name,
            dtype="string" if values.dtype.kind == "S" else values.dtype.name,
        )
        for name, values in ROWS.items()
    }  # fmt: skip
    deep = DenseColumns([columns["age"], fc.embedding_column(columns["cross"], 2)])
    wide = LinearColumns(1, [columns["hash"], columns["identity"]])
    model = keras.Model(inputs, keras.layers.Dense(1)(deep(inputs)) + wide(inputs))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(TENSORS), again(TENSORS))
    data = tf.data.Dataset.from_tensors((TENSORS, tf.ones((4, 1))))
    before = [np.array(v) for v in model.trainable_variables]
    first = model.evaluate(data, verbose=0)
    model.fit(data, epochs=3, verbose=0)
    assert model.evaluate(data, verbose=0) < first
    moved = [
        np.abs(v - b).max() > 0 for v, b in zip(model.trainable_variables, before, strict=True)
    ]
    assert all(moved)


@pytest.mark.parametrize("function", [
    lambda x: tf.reduce_mean(x) + x, lambda x: np.log(x), lambda x: x[0],
    lambda x: tf.py_function(abs, [x], tf.float32), lambda: 3,
    lambda x: x + tf.random.uniform([1]),
])  # fmt: skip
def test_a_normalizer_that_cannot_be_stored_is_refused(function):
    with pytest.raises(ValueError, match=r"\Anormalizer_fn of column 'age' must[^\n]*Received"):
        DenseColumns(fc.numeric_column("age", normalizer_fn=function))


def test_a_normalizer_may_clip_choose_and_use_what_it_captures():
    mean, known = np.float32(40.0), tf.constant(2.0)
    for function in (
        lambda x: tf.clip_by_value((x - mean) / known, -1.0, 1.0),
        lambda x: tf.where(x > mean, tf.sqrt(tf.abs(x)), tf.zeros_like(x)),
        lambda x: tf.cast(x, tf.int64) // 7,
    ):
        layer = DenseColumns(fc.numeric_column("age", normalizer_fn=function))
        again = DenseColumns.from_config(json.loads(json.dumps(layer.get_config())))
        expected = np.asarray(function(TENSORS["age"]), "float32").reshape(4, 1)
        np.testing.assert_array_equal(again(TENSORS), expected)


def test_a_stored_description_is_checked():
    layer = DenseColumns(fc.numeric_column("age", normalizer_fn=lambda x: x + 1.0))
    for place, value in ((("op",), "ReadFile"), (("of",), [5, 0]), (("op",), ["AddV2"])):
        config = layer.get_config()
        config["feature_columns"][0]["normalizer"]["nodes"][-1][place[0]] = value
        with pytest.raises((ValueError, TypeError), match="normalizer"):
            DenseColumns.from_config(config)


@pytest.mark.parametrize(("given", "why"), [
    (None, "feature_columns"), ("age", "feature_columns"), ([], "feature_columns"),
    ([3], "tf.feature_column"),
    ([fc.categorical_column_with_hash_bucket("job", 3)], "indicator_column or embedding_column"),
    ([fc.sequence_numeric_column("age")], "Sequence columns are not supported"),
    ([fc.numeric_column("age"), fc.numeric_column("age", shape=2)], "different names"),
    ([fc.embedding_column(fc.categorical_column_with_identity("n", 3), 2,
                          ckpt_to_load_from="a", tensor_name_in_ckpt="b")], "warm_start_from"),
])  # fmt: skip
def test_what_cannot_be_translated_is_refused(given, why):
    with pytest.raises((TypeError, ValueError), match=rf"\A[^\n]*{why}[^\n]*Received[^\n]*\Z"):
        DenseColumns(given)


def test_features_that_do_not_fit_are_refused():
    layer = DenseColumns([fc.numeric_column("age")])
    with pytest.raises(ValueError, match="read age.*Received: features n, without age"):
        layer({"n": TENSORS["n"]})
    with pytest.raises(ValueError, match="Numeric column 'age' needs numbers"):
        layer({"age": TENSORS["job"]})
    with pytest.raises(ValueError, match="Numeric column 'age' needs values of shape"):
        layer({"age": TENSORS["vec"]})
    layer = DenseColumns([fc.indicator_column(fc.categorical_column_with_hash_bucket("job", 3))])
    with pytest.raises(ValueError, match="dtype string and needs strings. Received: int64"):
        layer({"job": TENSORS["n"]})
    layer = DenseColumns([fc.indicator_column(fc.categorical_column_with_identity("n", 10))])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be from 0 to 9"):
        layer({"n": TENSORS["n"]})


@pytest.mark.parametrize("wrap", ["indicator", "embedding"])
@pytest.mark.parametrize(
    "weights", [[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [0.0, 4.0]], [[1.0, 0.0], [3.0, 0.0]]]
)
def test_weights_at_other_places_than_the_values_are_refused(wrap, weights):
    words = fc.categorical_column_with_vocabulary_list("w", ["u", "v"])
    column = fc.weighted_categorical_column(words, "much")
    dense = fc.indicator_column(column) if wrap == "indicator" else fc.embedding_column(column, 2)
    encode = est.columns.DenseColumns([dense])
    # A weight too many, one of another value, and one too few.
    given = {"w": tf.constant([["u", "v"], ["v", ""]]), "much": tf.constant(weights)}
    with pytest.raises(tf.errors.InvalidArgumentError, match="'much' must have a weight for each"):
        encode(given)
    right = encode({**given, "much": tf.constant([[1.0, 2.0], [3.0, 0.0]])})
    if wrap == "indicator":
        np.testing.assert_array_equal(right, [[1.0, 2.0], [0.0, 3.0]])
