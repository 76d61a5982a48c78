"""Arguments of tf.estimator's heads: columns of weights, vocabularies, thresholds, losses."""

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.metrics

from adaptive_nets import heads
from adaptive_nets.data.rows import make_rows
from adaptive_nets.data.weights import drop_weights

RNG = np.random.default_rng(0)
X = {"age": RNG.normal(size=40), "w": RNG.uniform(0.1, 3, 40)}
Y = np.where(X["age"] + RNG.normal(size=40) > 0, "yes", "no")


def head(**more):
    return heads.BinaryClass(label_vocabulary=["no", "yes"], weight_column="w", **more)


@pytest.mark.parametrize(
    "make",
    [
        dict, pd.DataFrame, pl.DataFrame,
        lambda x: pd.DataFrame(x).to_dict("records"),
        lambda x: pd.DataFrame(x).to_records(index=False).view(np.ndarray),
    ],
    ids=["dict", "pandas", "polars", "rows", "structured"],
)  # fmt: skip
def test_weights_leave_the_features(make):
    given = make(X)
    rows = make_rows(given, Y, head())
    expected = make_rows({"age": X["age"]}, Y, heads.BinaryClass(["no", "yes"]), X["w"])
    np.testing.assert_allclose(rows.w, X["w"] / X["w"].mean(), rtol=1e-6)
    np.testing.assert_array_equal(rows.w, expected.w)
    assert "w" in make_rows(given, Y, heads.BinaryClass(["no", "yes"])).x or rows.x is not given
    assert list(drop_weights(head(), X)) == ["age"]


def test_weights_of_several_heads():
    both = heads.Multi({"a": head(), "b": heads.Regression(label_dimension=1)})
    y = {"a": Y, "b": X["age"]}
    found = make_rows(X, y, both).y
    weighed = both.attach_weights(both.encode(y), {"a": X["w"]})
    np.testing.assert_allclose(found, weighed, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "weight", "words"),
    [
        ({"age": X["age"]}, None, "must hold the head's weight_column 'w'"),
        (X["age"], None, "must hold the head's weight_column 'w'"),
        (X, X["w"], "Leave out one of the two"),
        ({"w": X["w"]}, None, "at least one array beside the weights"),
        ({**X, "w": -X["w"]}, None, "finite numbers >= 0"),
    ],
)
def test_wrong_weights_are_refused(x, weight, words):
    with pytest.raises(ValueError, match=words):
        make_rows(x, Y, head(), weight)


def test_thresholds_measure_what_sklearn_measures():
    logits = RNG.normal(size=(40, 1)).astype("float32")
    found = head(thresholds=[0.3, 0.5])
    truth = np.asarray(found.encode(Y)).ravel()
    likely = 1 / (1 + np.exp(-logits.ravel()))
    for threshold in (0.3, 0.5):
        for name, metric in found.metrics().items():
            if not name.endswith(f"/positive_threshold_{threshold:g}"):
                continue
            metric.update_state(truth[:, None], logits, X["w"])
            copy = type(metric).from_config(metric.get_config())
            assert copy.threshold == threshold
            kind = getattr(sklearn.metrics, f"{name.partition('/')[0]}_score")
            expected = kind(truth, likely > threshold, sample_weight=X["w"])
            assert float(metric.result()) == pytest.approx(expected, rel=1e-5), name
    assert len(found.metrics()) == len(heads.BinaryClass().metrics()) + 6


def test_configurations_of_heads_hold_them():
    for each in (
        head(thresholds=[0.2]), heads.MultiLabel(3, thresholds=[0.2], weight_column="w"),
        heads.MultiClass(3, weight_column="w"), heads.Regression(weight_column="w"),
        heads.Multi({"a": head()}),
    ):  # fmt: skip
        assert type(each).from_config(each.get_config()) == each
    plain = heads.BinaryClass().get_config()
    assert "weight_column" not in plain and "thresholds" not in plain


def per_target(labels, logits):
    return keras.ops.abs(labels - logits)


def reversed_loss(logits, labels):
    return logits


def test_other_arguments_are_mapped_or_refused():
    mapped = heads.Regression(label_dimension=2, loss_fn=per_target)
    assert (mapped.units, mapped.loss_function) == (2, per_target)
    for make, words in (
        (lambda: heads.Regression(loss_fn=reversed_loss), "labels and logits, in this order"),
        (lambda: heads.Regression(inverse_link_fn=abs), "inverse_link_fn is not supported"),
        (lambda: heads.BinaryClass(loss_reduction="soup"), "loss_reduction must be one of"),
        (lambda: heads.MultiClass(3, thresholds=[0.5]), "thresholds is not supported"),
        (lambda: head(class_names=["no", "yes"]), "pass only one of the two"),
        (lambda: head(thresholds=[1.0]), "thresholds must be"),
        (lambda: head(thresholds=[0.3], surrogate="exponential"), "sigmoid"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
    with pytest.raises(TypeError, match="BinaryClass has no argument colour. It takes"):
        heads.BinaryClass(colour=1)
    assert heads.BinaryClass(loss_reduction="sum_over_batch_size") == heads.BinaryClass()
    with pytest.warns(UserWarning, match="is accepted but ignored: .* learning rate"):
        assert heads.BinaryClass(loss_reduction="sum") == heads.BinaryClass()
