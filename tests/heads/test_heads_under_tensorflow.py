"""What heads do in TensorFlow's graphs, with its strings and in float64."""

import keras
import numpy as np
import pytest

from adaptive_nets.heads import (
    BinaryClass,
    Distribution,
    Gamma,
    Logistic,
    MultiClass,
    MultiLabel,
    NegativeBinomial,
    Ordinal,
    Poisson,
    Quantile,
    Regression,
    Tweedie,
)
from adaptive_nets.heads.numbers.families import FAMILIES

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("needs the TensorFlow backend", allow_module_level=True)

RNG = np.random.default_rng(0)
ROWS = 16
CASES = [
    (BinaryClass(), RNG.integers(0, 2, ROWS)),
    (BinaryClass(label_smoothing=0.1), RNG.integers(0, 2, ROWS)),
    (MultiClass(4), RNG.integers(0, 4, ROWS)),
    (MultiClass(4, label_smoothing=0.1), RNG.integers(0, 4, ROWS)),
    (MultiLabel(3), RNG.integers(0, 2, (ROWS, 3))),
    (MultiLabel(3, label_smoothing=0.1), RNG.integers(0, 2, (ROWS, 3))),
    (Regression(2), RNG.normal(size=(ROWS, 2))),
    (Regression(2, "mean_absolute_error"), RNG.normal(size=(ROWS, 2))),
    (Regression(2, "huber"), RNG.normal(size=(ROWS, 2))),
    (Regression(2, keras.losses.Huber(0.5)), RNG.normal(size=(ROWS, 2))),
    (Ordinal(4), RNG.integers(0, 4, ROWS)),
    (Poisson(2), RNG.poisson(2, (ROWS, 2))),
    (Gamma(1), RNG.gamma(2, size=ROWS)),
    (Tweedie(1.4, 1), RNG.poisson(1, ROWS) * 1.5),
    (NegativeBinomial(1, 0.5), RNG.poisson(2, ROWS)),
    (Logistic(1), RNG.uniform(size=ROWS)),
    (Quantile(), RNG.normal(size=ROWS)),
    *((Distribution(f, location=0.0, scale=1.5), RNG.gamma(2, size=ROWS)) for f in FAMILIES),
]
IDS = [f"{type(head).__name__}-{number}" for number, (head, _) in enumerate(CASES)]


@pytest.mark.parametrize("head, y", CASES, ids=IDS)
def test_gradient_in_float64_matches_finite_differences(head, y):
    labels = head.encode(y)
    logits = RNG.normal(scale=3, size=(ROWS, head.units))
    point = tf.Variable(logits, dtype="float64")
    with tf.GradientTape() as tape:
        loss = head.loss(labels, point)
    assert loss.dtype == tf.float64
    gradient = tape.gradient(loss, point).numpy()
    step = 1e-5
    for unit in range(head.units):
        move = step * np.eye(head.units)[unit]
        up, down = (head.loss(labels, tf.constant(logits + s * move)).numpy() for s in (1, -1))
        np.testing.assert_allclose(gradient[:, unit], (up - down) / (2 * step), atol=1e-8)


@pytest.mark.parametrize("head, y", CASES[:6], ids=IDS[:6])
def test_gradient_at_zero_logits_is_the_one_of_the_limit(head, y):
    """Ensembles start at zero logits, where a loss written with relu would have a wrong slope."""
    labels = head.encode(y)
    slopes = []
    for value in (0.0, 1e-9):
        point = tf.Variable(np.full((ROWS, head.units), value), dtype="float64")
        with tf.GradientTape() as tape:
            loss = head.loss(labels, point)
        slopes.append(tape.gradient(loss, point).numpy())
    np.testing.assert_allclose(slopes[0], slopes[1], atol=1e-8)


def test_losses_in_float64_match_closed_forms():
    z = RNG.normal(scale=5, size=(ROWS, 4))
    y = RNG.integers(0, 4, ROWS)
    peak = z.max(-1)
    log_sum = peak + np.log(np.exp(z - peak[:, None]).sum(-1))
    multi_class = MultiClass(4).loss(y.astype("int32"), tf.constant(z))
    np.testing.assert_allclose(multi_class, log_sum - z[np.arange(ROWS), y], rtol=1e-10, atol=1e-12)
    binary = BinaryClass().loss((y[:, None] > 1).astype("float32"), tf.constant(z[:, :1]))
    signed = np.where(y > 1, -z[:, 0], z[:, 0])
    np.testing.assert_allclose(binary, np.logaddexp(0, signed), rtol=1e-10)
    squared = Regression(4).loss(np.zeros((ROWS, 4), "float32"), tf.constant(z))
    np.testing.assert_allclose(squared, (z**2).mean(-1), rtol=1e-12)


@pytest.mark.parametrize("head, y", CASES, ids=IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_by_xla_it_is_the_same_loss(head, y, dtype):
    labels = head.encode(y)
    logits = tf.constant(RNG.normal(size=(ROWS, head.units)), dtype)
    compiled = tf.function(head.loss, jit_compile=True)(tf.constant(labels), logits)
    assert compiled.dtype == dtype
    tolerance = 1e-5 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(compiled, head.loss(labels, logits), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("head, y", CASES[::3], ids=IDS[::3])
def test_metrics_update_inside_a_compiled_function(head, y):
    logits = RNG.normal(size=(ROWS, head.units)).astype("float32")
    eager, traced = head.metrics(), head.metrics()

    @tf.function
    def update(labels, logits):
        for metric in traced.values():
            metric.update_state(labels, logits, None)

    for _ in range(2):
        update(tf.constant(head.encode(y)), tf.constant(logits))
        for metric in eager.values():
            metric.update_state(head.encode(y), logits)
    found = {name: float(metric.result()) for name, metric in traced.items()}
    assert found == pytest.approx({name: float(m.result()) for name, m in eager.items()}, rel=1e-5)


def test_string_classes_leave_in_a_saved_model(tmp_path):
    head = MultiClass().adapt(["blåbær", "appelsin", "eple"])
    module = tf.Module()
    module.serve = tf.function(
        lambda logits: head.predictions(logits),
        input_signature=[tf.TensorSpec([None, 3], tf.float32)],
    )
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.serve})
    serve = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    outputs = serve(logits=tf.constant([[0.0, 3.0, 0.0], [0.0, 0.0, 1.0]]))
    assert outputs["classes"].dtype == tf.string
    assert [name.decode() for name in outputs["classes"].numpy()] == ["blåbær", "eple"]
    np.testing.assert_allclose(outputs["probabilities"].numpy().sum(-1), 1.0, rtol=1e-6)


def test_binary_string_classes_are_a_string_tensor():
    head = BinaryClass().adapt(["no", "yes"])
    classes = tf.function(lambda z: head.predictions(z)["classes"])(tf.constant([[1.0], [-1.0]]))
    assert classes.numpy().tolist() == [b"yes", b"no"]


def test_string_tensors_are_read_and_decoded():
    y = tf.constant(["å", "b", "å"])
    head = MultiClass().adapt(y)
    assert head.class_names == ["b", "å"]
    assert head.encode(y).tolist() == [1, 0, 1]
    assert head.encode(["å", "b"]).tolist() == [1, 0]


def test_low_precision_tensors_are_read():
    y = tf.constant([0.0, 1.0, 2.0], tf.bfloat16)
    assert MultiClass().adapt(y).encode(y).tolist() == [0, 1, 2]
    assert Regression().adapt(y).encode(y).tolist() == [[0.0], [1.0], [2.0]]


def test_large_integer_class_names_keep_their_digits():
    head = MultiClass().adapt([10**12, 10**12 + 1])
    classes = head.predictions(tf.constant([[0.0, 1.0]]))["classes"]
    assert classes.numpy().tolist() == [10**12 + 1]


def test_predicted_classes_are_told_by_name():
    head = MultiClass(class_names=["low", "mid", "top"])
    found = head.predictions(tf.constant([[0.0, 1.0, 0.0], [2.0, 0.0, 1.0]]))
    assert found["classes"].numpy().tolist() == [b"mid", b"low"]
