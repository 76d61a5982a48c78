"""ONNX files decide as the estimator does, and hold its sets and intervals."""

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.automl.deciding.decision import Decision
from adaptive_nets.automl.judging.class_sets import ClassSets
from adaptive_nets.automl.judging.intervals import Intervals
from adaptive_nets.automl.judging.quantile_intervals import QuantileIntervals
from adaptive_nets.automl.judging.served import Served
from adaptive_nets.serving import export_onnx

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype("float32")
LEVELS = (0.1, 0.5, 0.9)
NAMES = ("no", "yes"), ("a", "b", "c")
COSTS = np.array([[0.0, 1.0, 9.0], [2.0, 0.0, 1.0], [1.0, 4.0, 0.0]])


def _sets(classes):
    p = RNG.dirichlet(np.ones(classes), 80)
    return ClassSets.calibrate(RNG.integers(0, classes, 80), p, None)


def _quantiles(head, scaled):
    outputs = np.asarray(head.predictions(RNG.normal(1, 0.1, (80, head.units)))["quantiles"])
    return QuantileIntervals.calibrate(RNG.normal(size=80), outputs, None, LEVELS, scaled)


def _cases():
    binary = an.heads.BinaryClass(class_names=list(NAMES[0]))
    three = an.heads.MultiClass(class_names=list(NAMES[1]))
    whole = an.heads.MultiClass(class_names=[3, 5, 9])
    quantile = an.heads.Quantile(LEVELS)
    number = Intervals.calibrate(RNG.normal(size=80), np.zeros(80))
    factors = Decision((3, 5, 9), "tuned", factors=np.array([1.0, 0.4, 2.5]))
    return {
        "threshold": (binary, _sets(2), Decision(NAMES[0], "tuned", 0.3)),
        "costs": (three, _sets(3), Decision(NAMES[1], "costs", costs=COSTS)),
        "factors": (whole, None, factors),
        "number": (an.heads.Regression(1), number, None),
        "quantiles": (quantile, _quantiles(quantile, False), None),
    }


CASES = _cases()


def _check(head, intervals, decision, folder):
    pytest.importorskip("tf2onnx", reason="needs the extra onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    inputs = keras.Input((4,), name="features")
    model = keras.Model(inputs, keras.layers.Dense(head.units)(inputs))
    served = Served(head, intervals, None if intervals is None else 0.8, decision, numbered=True)
    session = runtime.InferenceSession(export_onnx(model, served, folder / "model.onnx"))
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, {"features": X}), strict=True))
    expected = {k: np.asarray(v) for k, v in served.predictions(model(X)).items()}
    kept = {k: v for k, v in expected.items() if v.dtype != object}
    assert set(found) == set(kept)
    for name, value in kept.items():
        np.testing.assert_allclose(
            found[name].astype("float64"), value.astype("float64"), rtol=1e-5, atol=1e-6
        )
    return expected, found


@pytest.mark.parametrize(
    "name", ["threshold", *(pytest.param(n, marks=pytest.mark.exhaustive) for n in [*CASES][1:])]
)
def test_they_hold_what_is_served(name, tmp_path):
    head, intervals, decision = CASES[name]
    expected, found = _check(head, intervals, decision, tmp_path)
    if decision is None:
        assert {"lower", "upper"} <= set(found)
        return
    # Text is left out, and the number of the class stands for it.
    labels = np.array(decision.classes, dtype=object)[found["class_numbers"]]
    text = [c.decode() if isinstance(c, bytes) else c for c in expected["classes"].tolist()]
    assert labels.tolist() == text
    usual = found["probabilities"].argmax(axis=1)
    assert (usual != found["class_numbers"]).any()
    assert intervals is None or (found["set"].sum(axis=1) > 1).any()


@pytest.mark.exhaustive
def test_they_hold_intervals_of_distributions(tmp_path):
    pytest.importorskip("tensorflow_probability", reason="needs the extra probability")
    head = an.heads.Distribution("normal", LEVELS, location=0.0, scale=1.0)
    _check(head, _quantiles(head, True), None, tmp_path)
