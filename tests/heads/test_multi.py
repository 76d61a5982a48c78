"""Multi: nothing but its heads, side by side."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from adaptive_nets.heads import BinaryClass, Head, Multi, MultiClass, MultiLabel, Regression

ROWS = 30
RNG = np.random.default_rng(0)
KIND = np.array(["ant", "bee", "cat", "dog"])[np.arange(ROWS) % 4]
Y = {
    "kind": KIND,
    "tags": RNG.integers(0, 2, (ROWS, 3)),
    "place": 50 + RNG.normal(scale=[3.0, 7.0], size=(ROWS, 2)),
    "alive": np.arange(ROWS) % 3 == 0,
}
WEIGHTS = {"kind": 1.0, "tags": 0.25, "place": 2.0, "alive": 3.5}
# Columns of the logits, in the order of the heads.
LOGITS = {"kind": slice(0, 4), "tags": slice(4, 7), "place": slice(7, 9), "alive": slice(9, 10)}


def make():
    return {
        "kind": MultiClass(label_smoothing=0.1),
        "tags": MultiLabel(),
        "place": Regression(loss="huber"),
        "alive": BinaryClass(surrogate="exponential"),
    }


@pytest.fixture(scope="module")
def multi():
    return Multi(make(), WEIGHTS).adapt(Y)


@pytest.fixture(scope="module")
def alone():
    return {name: head.adapt(Y[name]) for name, head in make().items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loss_and_gradient_are_the_weighted_sum(multi, alone, dtype):
    """Labels are float64 where the mixture weights are solved."""
    logits = tf.constant(np.random.default_rng(1).normal(scale=3, size=(ROWS, multi.units)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        loss = multi.loss(multi.encode(Y).astype(dtype), logits)
        expected = sum(
            WEIGHTS[name] * head.loss(head.encode(Y[name]), logits[:, LOGITS[name]])
            for name, head in alone.items()
        )
    assert loss.dtype == tf.float64
    np.testing.assert_allclose(loss, expected, rtol=1e-10)
    gradient = tape.gradient(loss, logits)
    np.testing.assert_allclose(gradient, tape.gradient(expected, logits), rtol=1e-10)
    assert np.abs(gradient).max(axis=0).min() > 0


def test_loss_is_traced_where_shapes_are_unknown(multi):
    logits = np.random.default_rng(1).normal(size=(ROWS, multi.units)).astype("float32")
    shapes = [tf.TensorSpec([None, None], tf.float32)] * 2
    traced = tf.function(multi.loss, input_signature=shapes, jit_compile=False)
    labels = multi.encode(Y)
    np.testing.assert_allclose(traced(labels, logits), multi.loss(labels, logits), rtol=1e-6)


def test_predictions_are_the_heads_own(multi, alone):
    logits = tf.constant(RNG.normal(size=(ROWS, multi.units)).astype("float32"))
    found = multi.predictions(logits)
    expected = {
        f"{name}/{key}": value
        for name, head in alone.items()
        for key, value in head.predictions(logits[:, LOGITS[name]]).items()
    }
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)
    assert multi.default_output == {
        "kind": "kind/classes",
        "tags": "tags/classes",
        "place": "place/predictions",
        "alive": "alive/classes",
    }


def test_metrics_are_the_heads_own_and_start_anew(multi, alone):
    logits = RNG.normal(size=(ROWS, multi.units)).astype("float32")
    weight = RNG.exponential(size=ROWS).astype("float32")
    found = multi.metrics()
    assert len(found) == sum(len(head.metrics()) for head in alone.values())
    for name, head in alone.items():
        for key, metric in head.metrics().items():
            metric.update_state(head.encode(Y[name]), logits[:, LOGITS[name]], weight)
            one = found[f"{name}/{key}"]
            for _ in range(2):
                one.update_state(multi.encode(Y), logits, weight)
                assert float(one.result()) == pytest.approx(float(metric.result()), rel=1e-6)
                one.reset_state()


def test_output_range_is_that_of_the_heads_that_have_one(multi):
    labels = multi.encode(Y)
    offset, scale = multi.output_range(labels)
    np.testing.assert_allclose(offset, [0] * 7 + [*Y["place"].mean(0), 0], rtol=1e-5)
    np.testing.assert_allclose(scale, [1] * 7 + [*Y["place"].std(0), 1], rtol=1e-5)
    base = np.full((ROWS, 10), 2.0) + np.arange(ROWS)[:, None]
    offset, scale = multi.output_range(labels, base)
    rest = Y["place"] - base[:, 7:9]
    assert offset == [0.0] * 10
    np.testing.assert_allclose(scale[7:9], rest.std(0), rtol=1e-5)
    classes = Multi([MultiClass(3, name="a"), BinaryClass(name="b")])
    assert classes.output_range(classes.encode({"a": [0, 2], "b": [0, 1]})) is None


@pytest.mark.parametrize(
    "y",
    [
        {"a": [1, 5, 5], "b": [0.5, 1.5, 2.5]},
        {"b": np.array([[0.5], [1.5], [2.5]]), "a": np.array([1, 5, 5], "uint8")},
        {"a": pd.Series([1, 5, 5], index=[7, 8, 9]), "b": tf.constant([0.5, 1.5, 2.5])},
        pd.DataFrame({"b": [0.5, 1.5, 2.5], "a": [1, 5, 5]}, index=[7, 8, 9]),
    ],
)
def test_labels_of_every_kind_become_the_same_columns(y):
    encoded = Multi({"a": MultiClass(), "b": Regression()}).adapt(y).encode(y)
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded, [[0, 0.5], [1, 1.5], [1, 2.5]])


def test_given_heads_are_copied_and_named():
    given = {"a": MultiClass(), "b": Regression()}
    head = Multi(given)
    head.adapt({"a": [0, 1, 2], "b": [[1.0, 2.0]] * 3})
    assert head.units == 5
    assert [h.name for h in head.heads.values()] == ["a", "b"]
    assert given["a"].name == "multi_class" and given["a"].n_classes is None
    assert Multi([MultiClass(name="x"), Regression()]).heads.keys() == {"x", "regression"}
    assert Multi(given, {"b": 3}).weights == {"a": 1.0, "b": 3.0}
    assert Multi(given, [2, 3]).weights == {"a": 2.0, "b": 3.0}


def test_a_refused_adapt_leaves_every_head_as_it_was():
    head = Multi({"a": MultiClass(), "b": Regression()})
    before = head.get_config()
    with pytest.raises(ValueError, match="head 'b'"):
        head.adapt({"a": [0, 1, 2], "b": [1.0, 2.0, np.nan]})
    assert head.get_config() == before


GOOD = {"a": [0, 1, 2], "b": [1.0, 2.0, 3.0]}


@pytest.mark.parametrize(
    "y, words",
    [
        ({**GOOD, "b": [1.0, np.nan, 3.0]}, "head 'b': every label must be finite.*nan in row 1"),
        ({**GOOD, "a": [0, 1, np.nan]}, "head 'a': every label must be finite"),
        ({**GOOD, "a": [0, 1, None]}, "head 'a': a label is missing"),
        ({**GOOD, "a": [0.5, 1, 2]}, "head 'a'.*use Regression"),
        ({**GOOD, "b": ["x", "y", "z"]}, "head 'b': expected numbers"),
        ({**GOOD, "b": 3.0}, "head 'b': expected one label per example"),
        ({**GOOD, "b": [1.0, 2.0]}, "head 'b'.*2 labels, but 3 for head 'a'"),
        ({**GOOD, "b": []}, "head 'b'"),
        ({"a": [], "b": []}, "head 'a': expected at least one label"),
        ({"a": GOOD["a"]}, r"head 'b': they are missing.*'a', 'b'.*\['a'\]"),
        ({}, "head 'a': they are missing"),
        ({**GOOD, "c": GOOD["a"]}, r"head 'multi': there is no head for \['c'\]"),
        ({**GOOD, 3: GOOD["a"]}, r"there is no head for \[3\]"),
        (GOOD["a"], "head 'multi': expected a dict or a DataFrame.*Received: list"),
        (np.zeros((3, 2)), "expected a dict or a DataFrame.*Received: ndarray"),
        ((GOOD["a"], GOOD["b"]), "expected a dict or a DataFrame.*Received: tuple"),
        (None, "Received: NoneType"),
        (pd.DataFrame({"a": [0, 1, 2]}), "head 'b': they are missing"),
        (pd.DataFrame({"a": [0, 1, 2], "b": [1.0, None, 2.0]}), "head 'b'.*finite"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y, words):
    with pytest.raises(ValueError, match=words) as caught:
        Multi({"a": MultiClass(), "b": Regression()}).adapt(y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"heads": {}}, "at least one.*heads={}"),
        ({"heads": []}, "at least one"),
        ({"heads": MultiClass()}, "a dict of heads by name or a list"),
        ({"heads": "ab"}, "heads='ab'"),
        ({"heads": {"a": "multi_class"}}, "each of `heads` must be a heads.Head.*'a'"),
        ({"heads": [MultiClass]}, "each of `heads` must be"),
        ({"heads": {"a": Multi([MultiClass()])}}, "heads.Head other than Multi"),
        ({"heads": {"": MultiClass()}}, "non-empty string without '/'"),
        ({"heads": {"a/b": MultiClass()}}, "non-empty string without '/'.*'a/b'"),
        ({"heads": {1: MultiClass()}}, "non-empty string.*Received: 1"),
        ({"heads": [MultiClass(), MultiClass()]}, "different names.*two named 'multi_class'"),
        *[
            ({"weights": weights}, r"weights\['a'\] must be a finite number > 0")
            for weights in (
                {"a": 0.0}, {"a": -1.0}, {"a": float("nan")}, {"a": float("inf")}, {"a": "1"},
                {"a": True}, "ab",
            )
        ],
        ({"weights": [1.0, None]}, r"weights\['b'\] must be a finite number > 0"),
        *[
            ({"weights": weights}, "`weights` must be positive numbers for the heads")
            for weights in ({"c": 1.0}, [1.0], [1.0, 2.0, 3.0], 2.0)
        ],
        ({"name": ""}, "`name` must be"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_in_one_line(arguments, words):
    with pytest.raises(ValueError, match=words) as caught:
        Multi(**{"heads": {"a": MultiClass(), "b": Regression()}, **arguments})
    assert "\n" not in str(caught.value)


def test_before_adapt_the_way_out_is_named():
    head = Multi({"a": MultiClass(), "b": Regression()})
    for ask in (lambda: head.encode(GOOD), lambda: head.units):
        with pytest.raises(ValueError, match="head 'a'.*Call `adapt`"):
            ask()


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
class Counts(Head):
    """A user's own, which keeps integers and names itself in no refusal."""

    units = 1
    main_metric = ("loss", "min")
    default_output = "counts"
    label_spec = ((), "int64")

    def __init__(self, name="counts"):
        super().__init__(name)

    def encode(self, y):
        return np.array([int(value) for value in y])

    def loss(self, labels, logits):
        # Of another type than it encoded, this would fail.
        return keras.ops.cast(keras.ops.bitwise_and(labels, 3), logits.dtype) * logits[:, 0]

    def metrics(self):
        return {}

    def predictions(self, logits):
        return {"counts": keras.ops.exp(logits)}


def test_a_head_of_ones_own_gets_its_labels_as_it_encoded_them():
    head = Multi({"n": Counts(), "b": Regression(1)})
    head = Multi.from_config(json.loads(json.dumps(head.get_config())))
    labels = head.encode({"n": [2**24 - 1, 6], "b": [0.0, 0.0]})
    loss = head.loss(labels, tf.ones((2, 2)))
    np.testing.assert_allclose(loss, [3 + 1, 2 + 1])
    with pytest.raises(ValueError, match="head 'n'.*below 16777216.*a label of 16777217"):
        head.encode({"n": [2**24 + 1, 0], "b": [0.0, 0.0]})
    with pytest.raises(ValueError, match="head 'n': invalid literal"):
        head.encode({"n": ["x", "y"], "b": [0.0, 0.0]})


def test_labels_other_than_the_label_spec_says_are_refused():
    class Flat(Counts):
        label_spec = ((1,), "float32")

    with pytest.raises(ValueError, match="head 'n'.*Override `label_spec`.*shape .2.") as caught:
        Multi({"n": Flat(), "b": Regression(1)}).encode({"n": [1, 2], "b": [0.0, 0.0]})
    assert "\n" not in str(caught.value)


def test_a_configuration_of_unknown_heads_names_the_head():
    config = Multi({"n": Counts(), "b": Regression(1)}).get_config()
    config["heads"][0].update(module="gone", class_name="Gone", registered_name="gone>Gone")
    with pytest.raises(ValueError, match="Cannot load head 'n' of head 'multi'.*Gone") as caught:
        Multi.from_config(config)
    assert "\n" not in str(caught.value)


# Weights of rows by head ----------------------------------------------------------------------


@pytest.fixture
def weighted(multi):
    """Labels with weights for two of the heads, and these weights with mean 1 for all."""
    rng = np.random.default_rng(5)
    given = {"kind": rng.uniform(0, 3, ROWS), "place": (np.arange(ROWS) % 2).astype(float)}
    labels = multi.attach_weights(multi.encode(Y), given)
    scaled = {name: given.get(name, np.ones(ROWS)) for name in multi.heads}
    return labels, {name: w / w.mean() for name, w in scaled.items()}


def test_a_heads_weights_weigh_its_loss_alone(multi, alone, weighted):
    labels, weights = weighted
    logits = np.random.default_rng(1).normal(size=(ROWS, multi.units)).astype("float32")
    expected = sum(
        multi.weights[name]
        * weights[name]
        * head.loss(head.encode(Y[name]), logits[:, LOGITS[name]])
        for name, head in alone.items()
    )
    np.testing.assert_allclose(multi.loss(labels, logits), expected, rtol=1e-5)
    shapes = [tf.TensorSpec([None, None], tf.float32)] * 2
    traced = tf.function(multi.loss, input_signature=shapes, jit_compile=False)
    np.testing.assert_allclose(traced(labels, logits), expected, rtol=1e-5)


def test_a_heads_weights_weigh_its_metrics_alone(multi, alone, weighted):
    labels, weights = weighted
    logits = np.random.default_rng(1).normal(size=(ROWS, multi.units)).astype("float32")
    rows = np.random.default_rng(2).uniform(0, 2, ROWS).astype("float32")
    found = multi.metrics()
    for name, head in alone.items():
        for key, metric in head.metrics().items():
            own = (weights[name] * rows).astype("float32")
            metric.update_state(head.encode(Y[name]), logits[:, LOGITS[name]], own)
            found[f"{name}/{key}"].update_state(labels, logits, rows)
            np.testing.assert_allclose(
                found[f"{name}/{key}"].result(), metric.result(), rtol=1e-5, atol=1e-6
            )


def test_weights_of_unknown_heads_and_of_no_row_are_refused(multi):
    labels = multi.encode(Y)
    with pytest.raises(ValueError, match="by the heads 'kind'|by the heads .'kind'.*'colour'"):
        multi.attach_weights(labels, {"colour": np.ones(ROWS)})
    with pytest.raises(ValueError, match=r"weights\['place'\] must be .* not all 0"):
        multi.attach_weights(labels, {"place": np.zeros(ROWS)})
