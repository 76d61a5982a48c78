"""What every head owes a search."""

import inspect
import json
import re

import keras
import numpy as np
import pandas as pd
import pytest
from head_losses import loss_of

from adaptive_nets import heads
from adaptive_nets.heads import metrics as head_metrics

pytestmark = pytest.mark.backend_agnostic

ROWS = 24
_CLASSES = np.arange(ROWS) % 7
_MATRIX = np.random.default_rng(0).integers(0, 2, (ROWS, 3))
_TARGETS = np.random.default_rng(1).normal(size=(ROWS, 2))
_FRAME = pd.DataFrame({"kind": np.array(list("gfedcba"))[_CLASSES], "size": _TARGETS[:, 0]})


def _documented():
    """The head that the docstring of `Head` shows, for others to begin from."""
    (block,) = re.findall(r"```python\n(.*?)```", inspect.getdoc(heads.Head), flags=re.DOTALL)
    names: dict = {"__name__": "documented"}
    exec(compile(block, "heads.Head", "exec"), names)
    return names["Counts"]


CASES = {
    "documented": (_documented(), {}, _CLASSES),
    "binary": (heads.BinaryClass, {}, _CLASSES > 2),
    "binary_strings": (heads.BinaryClass, {}, np.where(_CLASSES > 2, "yes", "no")),
    "binary_smooth": (heads.BinaryClass, {"label_smoothing": 0.2}, _CLASSES > 2),
    "binary_logistic": (heads.BinaryClass, {"surrogate": "logistic"}, _CLASSES > 2),
    "binary_exponential": (
        heads.BinaryClass,
        {"surrogate": "exponential", "label_smoothing": 0.1},
        _CLASSES > 2,
    ),
    "multi_class": (heads.MultiClass, {}, _CLASSES),
    "multi_class_given": (heads.MultiClass, {"n_classes": 9}, _CLASSES),
    "multi_class_integers": (heads.MultiClass, {}, _CLASSES * 10 + 5),
    "multi_class_strings": (heads.MultiClass, {}, np.array(list("gfedcba"))[_CLASSES]),
    "multi_class_smooth": (heads.MultiClass, {"label_smoothing": 0.1}, _CLASSES),
    "multi_label": (heads.MultiLabel, {}, _MATRIX),
    "multi_label_names": (heads.MultiLabel, {}, [["a"], ["b", "a"], []] * (ROWS // 3)),
    "multi_label_smooth": (heads.MultiLabel, {"label_smoothing": 0.3}, _MATRIX),
    "regression": (heads.Regression, {}, _TARGETS[:, 0]),
    "regression_two": (heads.Regression, {"dim": 2}, _TARGETS),
    "regression_absolute": (heads.Regression, {"loss": "mean_absolute_error"}, _TARGETS),
    "regression_huber": (heads.Regression, {"loss": "huber"}, _TARGETS),
    "regression_object": (heads.Regression, {"loss": keras.losses.Huber(0.5)}, _TARGETS),
    "regression_function": (heads.Regression, {"loss": keras.losses.log_cosh}, _TARGETS),
    "poisson": (heads.Poisson, {}, _CLASSES),
    "poisson_two": (heads.Poisson, {}, _MATRIX),
    "gamma": (heads.Gamma, {}, np.exp(_TARGETS)),
    "tweedie": (heads.Tweedie, {}, _CLASSES * 1.5),
    "tweedie_near_gamma": (heads.Tweedie, {"power": 1.9}, _CLASSES * 1e-3),
    "negative_binomial": (heads.NegativeBinomial, {}, _CLASSES**2),
    "negative_binomial_given": (heads.NegativeBinomial, {"dispersion": 0.2}, _CLASSES),
    "logistic": (heads.Logistic, {}, _CLASSES / 6),
    "quantile": (heads.Quantile, {}, _TARGETS[:, 0]),
    "quantile_one": (heads.Quantile, {"levels": [0.9]}, _TARGETS[:, :1]),
    "ordinal": (heads.Ordinal, {}, _CLASSES),
    "ordinal_strings": (
        heads.Ordinal,
        {"classes": list("gfedcba")},
        np.array(list("gfedcba"))[_CLASSES],
    ),
    "multi": (
        heads.Multi,
        {
            "heads": {
                "kind": heads.MultiClass(),
                "size": heads.Regression(loss=keras.losses.Huber(0.5)),
            },
            "weights": {"size": 0.3},
        },
        _FRAME,
    ),
    "multi_list": (
        heads.Multi,
        {
            "heads": [
                heads.Regression(name="size"),
                heads.BinaryClass(name="big", surrogate="logistic"),
            ],
            "weights": [2, 0.5],
        },
        pd.DataFrame({"big": _CLASSES > 2, "size": _TARGETS[:, 1]}),
    ),
}


# tensorflow-probability computes with TensorFlow.
if keras.backend.backend() == "tensorflow":
    CASES |= {
        "distribution": (heads.Distribution, {}, 50 + 3 * _TARGETS[:, 0]),
        "distribution_log": (heads.Distribution, {"family": "lognormal"}, np.exp(_TARGETS[:, 0])),
        "distribution_logistic": (heads.Distribution, {"family": "logistic"}, _TARGETS[:, :1]),
        "distribution_t": (heads.Distribution, {"family": "student_t"}, _TARGETS[:, 0]),
    }
_WITHOUT = () if keras.backend.backend() == "tensorflow" else (heads.Distribution,)


@pytest.fixture(params=CASES)
def case(request):
    make, arguments, y = CASES[request.param]
    return make(**arguments).adapt(y), y


def _logits(head, seed=0, scale=3.0):
    return np.random.default_rng(seed).normal(scale=scale, size=(ROWS, head.units))


def test_every_head_has_a_case():
    made = {make for make, _, _ in CASES.values()}
    assert {getattr(heads, name) for name in heads.__all__} - made == {heads.Head, *_WITHOUT}


def test_loss_is_one_finite_value_per_example(case):
    head, y = case
    labels = head.encode(y)
    together = loss_of(head, labels, _logits(head))
    assert together.shape == (ROWS,)
    alone = [loss_of(head, labels[i : i + 1], _logits(head)[i : i + 1])[0] for i in range(ROWS)]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)
    for extreme in (1e4, -1e4):
        assert np.isfinite(loss_of(head, labels, np.full((ROWS, head.units), extreme))).all()


def test_labels_are_what_the_label_spec_says(case):
    head, y = case
    shape, dtype = head.label_spec
    assert head.encode(y).shape == (ROWS, *shape)
    assert head.encode(y).dtype == dtype


def test_loss_is_convex_in_the_logits(case):
    head, y = case
    if not _convex(head):
        pytest.skip("is not convex, as it says: tests/heads/numbers/test_distribution.py")
    labels = head.encode(y)
    for seed in range(20):
        a, b = _logits(head, 2 * seed), _logits(head, 2 * seed + 1)
        for t in (0.25, 0.5, 0.75):
            chord = (1 - t) * loss_of(head, labels, a) + t * loss_of(head, labels, b)
            assert (loss_of(head, labels, (1 - t) * a + t * b) <= chord + 1e-5 * (1 + chord)).all()


def _convex(head):
    return not isinstance(head, heads.Distribution) or head.convex


def _several(head, scale=3.0):
    return np.stack([_logits(head, seed, scale) for seed in range(3)], axis=1).astype("float32")


def _mean_of(head, outputs, weights=None):
    def mean(values):
        return keras.ops.sum(values * np.asarray(weights, "float32")[:, None], axis=1)

    found = head.mean_of(keras.ops.convert_to_tensor(outputs), None if weights is None else mean)
    return keras.ops.convert_to_numpy(found)


def test_the_mean_of_one_predictor_predicts_the_same(case):
    head, y = case
    several = _several(head)
    labels = head.encode(y)
    for found in (_mean_of(head, several[:, :1]), _mean_of(head, several, [1.0, 0.0, 0.0])):
        assert found.shape == (ROWS, head.units)
        np.testing.assert_allclose(
            loss_of(head, labels, found), loss_of(head, labels, several[:, 0]), rtol=1e-4, atol=1e-5
        )
    for extreme in (1e4, -1e4):
        opposite = several * 0 + [[[extreme], [-extreme], [extreme]]]
        for weights in (None, [0.0, 0.0, 1.0]):
            assert np.isfinite(_mean_of(head, opposite.astype("float32"), weights)).all()


def test_the_loss_of_a_mean_is_convex_in_its_weights(case):
    head, y = case
    if not _convex(head):
        pytest.skip("is not convex, as it says: tests/heads/numbers/test_distribution.py")
    labels, several = head.encode(y), _several(head)
    rng = np.random.default_rng(0)
    for _ in range(10):
        a, b = rng.dirichlet([0.3] * 3), rng.dirichlet([0.3] * 3)
        at = [loss_of(head, labels, _mean_of(head, several, w)) for w in (a, b, (a + b) / 2)]
        chord = (at[0] + at[1]) / 2
        assert (at[2] <= chord + 1e-5 * (1 + chord)).all()


@pytest.mark.parametrize(
    "head, averaged",
    [
        (heads.MultiClass(3), "probabilities"),
        (heads.BinaryClass(), "probabilities"),
        (heads.BinaryClass(surrogate="exponential"), "logits"),
        (heads.MultiLabel(3), "probabilities"),
        (heads.Regression(2), "predictions"),
    ],
)
def test_what_a_mean_averages(head, averaged):
    several, weights = _several(head), np.array([0.5, 0.3, 0.2])

    def read(logits):
        return keras.ops.convert_to_numpy(head.predictions(np.asarray(logits, "float32"))[averaged])

    each = np.stack([read(several[:, j]) for j in range(3)])
    for found, w in (
        (_mean_of(head, several), np.full(3, 1 / 3)),
        (_mean_of(head, several, weights), weights),
    ):
        np.testing.assert_allclose(read(found), np.tensordot(w, each, 1), rtol=2e-5, atol=1e-6)


def test_config_carries_the_adapted_state_through_json(case):
    head, y = case
    config = json.loads(json.dumps(head.get_config(), allow_nan=False))
    copy = type(head).from_config(config)
    assert copy.get_config() == head.get_config()
    assert copy.units == head.units
    np.testing.assert_array_equal(copy.encode(y), head.encode(y))
    logits = _logits(head)
    np.testing.assert_array_equal(
        loss_of(copy, copy.encode(y), logits), loss_of(head, head.encode(y), logits)
    )
    # Another test may have registered its own class of the documented name since.
    name = keras.saving.get_registered_name(type(head))
    with keras.saving.custom_object_scope({name: type(head)}):
        through_keras = keras.saving.deserialize_keras_object(
            json.loads(json.dumps(keras.saving.serialize_keras_object(head)))
        )
    assert type(through_keras) is type(head)
    assert through_keras.get_config() == head.get_config()


def test_adapt_again_keeps_what_was_learned(case):
    head, y = case
    before = head.get_config()
    assert head.adapt(y[: ROWS // 2]) is head
    assert head.get_config() == before


def test_metrics_are_fresh_named_and_restorable(case):
    head, y = case
    first, second = head.metrics(), head.metrics()
    name, direction = head.main_metric
    assert name in [*first, "loss"] and direction in ("min", "max")
    for key, metric in first.items():
        assert metric.name == key
        metric.update_state(head.encode(y), _logits(head).astype("float32"), np.ones(ROWS))
        assert np.isfinite(float(metric.result()))
        assert second[key] is not metric
        assert all(not np.any(np.asarray(variable)) for variable in second[key].variables)
        copy = type(metric).from_config(metric.get_config())
        copy.update_state(head.encode(y), _logits(head).astype("float32"))
        assert float(copy.result()) == pytest.approx(float(metric.result()), rel=1e-6)


def test_predictions_have_a_row_for_each_example(case):
    head, y = case
    logits = keras.ops.convert_to_tensor(_logits(head).astype("float32"))
    outputs = head.predictions(logits)
    default = head.default_output
    assert set(default.values() if isinstance(default, dict) else [default]) <= set(outputs)
    assert all(output.shape[0] == ROWS for output in outputs.values())


def test_repr_shows_the_configuration(case):
    head, _ = case
    assert repr(head).startswith(type(head).__name__ + "(")


@pytest.mark.parametrize(
    "make",
    [heads.BinaryClass, heads.Logistic, heads.MultiClass, heads.Ordinal, heads.Poisson,
     heads.Quantile, heads.Regression],
)  # fmt: skip
@pytest.mark.parametrize(
    "y, words",
    [
        ([0.0, float("nan"), 1.0], "nan in row 1"),
        ([0.0, 1.0, float("inf")], "inf in row 2"),
        ([0, None, 1], "missing.*None as label 1"),
        ([[0, 1], [1]], "Received: list"),
        (1, "expected one label per example"),
        ([], "at least one"),
        (np.zeros((4, 2, 2)), r"shape \[4, 2, 2\]"),
        (np.array(["2020-01-01"], "datetime64[D]"), "datetime64"),
        (["a", 1], "int and str"),
        (["a", None], "missing"),
        (["a", float("nan")], "missing.*nan"),
    ],
)
def test_bad_labels_are_refused_in_one_line(make, y, words):
    with pytest.raises(ValueError, match=words) as caught:
        make().adapt(y)
    assert "\n" not in str(caught.value)
    assert "Received" in str(caught.value)


@pytest.mark.parametrize(
    "make, arguments, words",
    [
        (heads.BinaryClass, {"label_smoothing": 1.0}, "label_smoothing"),
        (heads.BinaryClass, {"class_names": ["a", "b", "c"]}, "use MultiClass"),
        (heads.BinaryClass, {"surrogate": "hinge"}, "surrogate.*'exponential'.*'hinge'"),
        (heads.BinaryClass, {"surrogate": None}, "surrogate=None"),
        (heads.BinaryClass, {"class_names": "ab"}, "class_names"),
        (heads.MultiClass, {"n_classes": 1}, "n_classes.*>= 2"),
        (heads.MultiClass, {"n_classes": 2.5}, "n_classes"),
        (heads.MultiClass, {"n_classes": True}, "n_classes"),
        (heads.MultiClass, {"class_names": ["a", "a"]}, "different"),
        (heads.MultiClass, {"class_names": ["a", 1]}, "all strings, all integers"),
        (heads.MultiClass, {"class_names": 3}, "class_names=3"),
        (heads.MultiClass, {"class_names": ["a", "b"], "n_classes": 3}, "Pass only one of the two"),
        (heads.MultiClass, {"label_smoothing": -0.1}, "label_smoothing"),
        (heads.MultiClass, {"label_smoothing": "0.1"}, "label_smoothing"),
        (heads.MultiClass, {"name": ""}, "name"),
        (heads.MultiLabel, {"n_classes": 0}, ">= 1"),
        (heads.MultiLabel, {"n_classes": 2, "class_names": ["a"]}, "Pass only one of the two"),
        (heads.Tweedie, {"power": 2}, "Use Gamma for power 2"),
        (heads.Tweedie, {"power": 3}, "above 1 and below 2"),
        (heads.NegativeBinomial, {"dispersion": 0}, "dispersion"),
        (heads.Quantile, {"levels": [0.9, 0.1]}, r"rising order, such as \[0.1, 0.9\]"),
        (heads.Quantile, {"levels": [0.1, 0.1]}, "rising order"),
        (heads.Quantile, {"levels": [0.0, 0.5]}, "levels"),
        (heads.Quantile, {"levels": []}, "levels"),
        (heads.Quantile, {"levels": 0.5}, "levels"),
        (heads.Ordinal, {"classes": 1}, "classes.*>= 2"),
        (heads.Ordinal, {"classes": {"a", "b"}}, "from the lowest to the highest"),
        (heads.Ordinal, {"classes": ["a", "a"]}, "different names"),
        (heads.Regression, {"dim": 0}, "dim"),
        (heads.Regression, {"loss": "crps"}, "mean_squared_error.*Received: loss='crps'"),
        (heads.Regression, {"loss": keras.losses.Huber}, "loss"),
        (heads.Regression, {"loss": 3}, "loss"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(make, arguments, words):
    with pytest.raises(ValueError, match=words) as caught:
        make(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [heads.MultiClass, heads.MultiLabel, heads.Ordinal, heads.Poisson, heads.Regression],
)
def test_before_adapt_the_way_out_is_named(make):
    with pytest.raises(ValueError, match="Call `adapt`"):
        make().encode([[0], [1]])
    with pytest.raises(ValueError, match="Call `adapt`"):
        _ = make().units


_DOCUMENTED = [
    getattr(heads, name) for name in heads.__all__ if getattr(heads, name) not in _WITHOUT
] + [
    item
    for _, item in inspect.getmembers(head_metrics, inspect.isclass)
    if item.__module__ == head_metrics.__name__
]


@pytest.mark.parametrize("documented", _DOCUMENTED, ids=lambda item: item.__name__)
def test_the_example_in_the_docstring_runs(documented):
    blocks = re.findall(r"```python\n(.*?)```", inspect.getdoc(documented), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        names: dict = {}
        exec(compile(block, documented.__name__, "exec"), names)
        # "name = value  # number" lines state what the value is.
        for name, number in re.findall(r"^(\w+) = .*  # (?:.* = )?(\d\.\d+)", block, re.MULTILINE):
            stated = np.asarray(keras.ops.convert_to_numpy(names[name])).ravel()
            np.testing.assert_allclose(stated, float(number), rtol=1e-5)
