"""Canned estimators: they train on raw features, go on, are served, and join ensembles."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets import estimator as est

fc = tf.feature_column
RNG = np.random.default_rng(0)
ROWS = {
    "age": RNG.integers(18, 70, 120),
    "job": RNG.choice(["cook", "pilot", "nurse"], 120),
    "city": RNG.choice(["A", "B", "C"], 120),
    "more": RNG.choice(["x", "y"], 120),
    "w": RNG.uniform(0.5, 2.0, 120),
}
LABELS = np.where((ROWS["job"] == "pilot") ^ (ROWS["age"] > 40), "high", "low")
VOCABULARY = ["low", "high"]
AGE = fc.numeric_column("age", normalizer_fn=lambda x: (x - 44.0) / 15.0)
BUCKETS = fc.bucketized_column(fc.numeric_column("age"), [25, 40, 55])
JOB = fc.categorical_column_with_vocabulary_list("job", ["cook", "pilot", "nurse"])
CITY = fc.categorical_column_with_hash_bucket("city", 10)
DEEP = [AGE, fc.indicator_column(JOB), fc.embedding_column(CITY, 3)]
WIDE = [JOB, CITY, fc.crossed_column(["job", BUCKETS], 100)]


def input_fn(mode, rows=ROWS, labels=LABELS):
    found = tf.data.Dataset.from_tensor_slices((rows, labels))
    return found.repeat(4 if mode == "train" else 1).batch(40)


def features():
    kept = {name: values for name, values in ROWS.items() if name not in ("w", "more")}
    return tf.data.Dataset.from_tensor_slices(kept).batch(50)


def combined(folder=None, **more):
    return est.DNNLinearCombinedClassifier(
        model_dir=folder, linear_feature_columns=WIDE, dnn_feature_columns=DEEP,
        dnn_hidden_units=[8, 4], dnn_optimizer="Adam", linear_optimizer="Ftrl",
        label_vocabulary=VOCABULARY, weight_column="w", **more,
    )  # fmt: skip


def examples():
    def of(value):
        if isinstance(value, str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))

    return tf.constant([
        tf.train.Example(features=tf.train.Features(feature={
            name: of(ROWS[name][row].item()) for name in ("age", "job", "city")
        })).SerializeToString()
        for row in range(120)
    ])  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = est.RunConfig(tf_random_seed=0)
    folder = tmp_path_factory.mktemp("combined")
    return combined(folder, config=config).train(input_fn, steps=8)


def test_it_trains_evaluates_and_goes_on(trained):
    found = trained.evaluate(input_fn)
    assert found["global_step"] == 8
    rows = list(trained.predict(features))
    likely = np.array([row["probabilities"][1] for row in rows])
    right = (likely > 0.5) == (LABELS == "high")
    assert found["accuracy"] == pytest.approx(np.average(right, weights=ROWS["w"]), abs=1e-6)
    assert {row["classes"][0].decode() for row in rows} <= set(VOCABULARY)
    # Another object on the same folder goes on.
    again = combined(trained.model_dir, config=est.RunConfig(tf_random_seed=0))
    again.train(input_fn, max_steps=12)
    assert again.evaluate(input_fn)["global_step"] == 12
    assert again.evaluate(input_fn)["loss"] != found["loss"]


def test_it_is_served_from_examples_and_from_raw_features(trained, tmp_path):
    expected = np.array([row["logits"] for row in trained.predict(features)])
    spec = fc.make_parse_example_spec([*DEEP, *WIDE])
    parsing = est.export.build_parsing_serving_input_receiver_fn(spec)
    served = tf.saved_model.load(trained.export_saved_model(tmp_path / "a", parsing))
    found = served.signatures["predict"](examples=examples())["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    scores = served.signatures["classify"](inputs=examples())["scores"]
    np.testing.assert_allclose(scores[:, 1:], 1 / (1 + np.exp(-expected)), atol=1e-5)
    raw = est.export.build_raw_serving_input_receiver_fn(
        {name: tf.constant(values) for name, values in ROWS.items()}
    )
    served = tf.saved_model.load(trained.export_saved_model(tmp_path / "b", raw))
    given = {name: tf.constant(values) for name, values in ROWS.items()}
    found = served.signatures["predict"](**given)["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_each_part_is_trained_by_its_own_optimizer():
    network = est.canned.network.ColumnNetwork(1, [AGE], [fc.numeric_column("w")], hidden_units=[2])
    given = {"age": tf.constant([[20.0]]), "w": tf.constant([[1.0]])}
    network(given)
    optimizer = est.canned.optimizers.PartedOptimizer(
        keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.0)
    )
    before = [np.array(v) for v in network.trainable_variables]
    optimizer.build(network.trainable_variables)
    ones = [tf.ones_like(v.value) for v in network.trainable_variables]
    optimizer.apply(ones, network.trainable_variables)
    for variable, old in zip(network.trainable_variables, before, strict=True):
        moved = 0.5 if "linear_columns" in variable.path else 0.0
        np.testing.assert_allclose(variable, old - moved, atol=1e-6)
    assert int(optimizer.linear.iterations) == int(optimizer.iterations) == 1
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert float(again.linear.learning_rate) == 0.5


def test_weights_of_rows_count(tmp_path):
    rows = {"x": np.array([[0.0], [0.0]], "float32"), "w": np.array([3.0, 1.0], "float32")}

    def weighted():
        return tf.data.Dataset.from_tensors((rows, np.array([[1.0], [5.0]], "float32"))).repeat()

    linear = est.LinearRegressor(
        [fc.numeric_column("x")], tmp_path, weight_column="w",
        optimizer=lambda: keras.optimizers.SGD(0.1),
    ).train(weighted, steps=100)  # fmt: skip
    (found, _) = [row["predictions"] for row in linear.predict(lambda: {"x": rows["x"]})]
    # The weighted mean of the targets.
    assert float(np.ravel(found)[0]) == pytest.approx(2.0, abs=0.01)


def test_they_are_candidates_of_an_ensemble(tmp_path):
    head = an.heads.BinaryClass(VOCABULARY)
    ensemble = est.AutoEnsembleEstimator(
        head,
        lambda config: {
            "linear": est.LinearEstimator(head, WIDE, config=config),
            "deep": est.DNNEstimator(head, [5, 6, 5], DEEP, optimizer="Adam", config=config),
        },
        max_iteration_steps=4, max_iterations=1, model_dir=tmp_path / "run",
        config=est.RunConfig(tf_random_seed=0),
    ).train(input_fn)  # fmt: skip
    expected = np.array([row["logits"] for row in ensemble.predict(features)])
    spec = fc.make_parse_example_spec([*DEEP, *WIDE])
    parsing = est.export.build_parsing_serving_input_receiver_fn(spec)
    served = tf.saved_model.load(ensemble.export_saved_model(tmp_path / "out", parsing))
    found = served.signatures["predict"](examples=examples())["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("given", "why"), [
    ({"foo": 1}, "DNNClassifier has no argument foo"),
    ({"hidden_units": []}, "hidden_units must list the widths"),
    ({"hidden_units": [2.5]}, "hidden_units must"),
    ({"feature_columns": WIDE}, "indicator_column or embedding_column"),
    ({"optimizer": "soup"}, "optimizer must be one of Adagrad, Adam, Ftrl"),
    ({"optimizer": tf.compat.v1.train.AdamOptimizer(0.1)}, "must be a Keras optimizer"),
    ({"activation_fn": lambda x: x}, "activation_fn must be the name"),
    ({"dropout": 1.0}, "dropout must"),
    ({"n_classes": 3, "label_vocabulary": ["a"]}, "label_vocabulary must have n_classes=3"),
    ({"loss_reduction": "soup"}, "loss_reduction must be one of"),
    ({"weight_column": 3}, "weight_column must"),
])  # fmt: skip
def test_wrong_arguments_are_refused(given, why):
    given = {"hidden_units": [2], "feature_columns": DEEP, **given}
    with pytest.raises((TypeError, ValueError), match=rf"\A[^\n]*{why}[^\n]*Received[^\n]*\Z"):
        est.DNNClassifier(**given)


def test_arguments_without_an_effect_are_said_once():
    given = {"hidden_units": [2], "feature_columns": DEEP}
    with pytest.warns(UserWarning, match="input_layer_partitioner is accepted but ignored"):
        est.DNNClassifier(**given, input_layer_partitioner=3)
    with pytest.warns(UserWarning, match="loss_reduction='sum' is taken as the mean"):
        est.DNNRegressor(**given, loss_reduction="sum")


def test_input_that_lacks_what_the_columns_read_is_refused():
    one = est.DNNClassifier([2], DEEP, weight_column="w")
    for rows, why in (
        ({"age": ROWS["age"]}, "read age, city, job.*without city, job"),
        ({n: v for n, v in ROWS.items() if n != "w"}, "weight_column 'w' must be a feature"),
        (np.zeros((120, 2)), "input_fn must return a dict"),
    ):
        with pytest.raises(ValueError, match=why):
            one.train(lambda rows=rows: tf.data.Dataset.from_tensors((rows, LABELS)), steps=1)
