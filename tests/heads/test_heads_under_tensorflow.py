"""What heads do in TensorFlow's graphs, with its strings and in float64."""

import keras
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp, rel_entr, xlogy

from adaptive_nets import heads
from adaptive_nets.heads import (
    BinaryClass,
    Distribution,
    Gamma,
    Logistic,
    Multi,
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


def _signed(y, z):
    return np.logaddexp(0, np.where(y, -z, z)).mean(-1)


def _tweedie(y, z, p=1.4):
    m = np.exp(z)
    parts = y ** (2 - p) / (1 - p) / (2 - p), y * m ** (1 - p) / (1 - p), m ** (2 - p) / (2 - p)
    return (parts[0] - parts[1] + parts[2])[:, 0]


def _binomial(y, z, a=0.5):
    m = np.exp(z)
    return (xlogy(y, y / m) - (y + 1 / a) * np.log((1 + a * y) / (1 + a * m)))[:, 0]


def _pinball(y, z):
    levels, error = np.array([0.1, 0.5, 0.9]), y - z
    return np.maximum(levels * error, (levels - 1) * error).mean(-1)


def _density(kind):
    def loss(y, z):
        return -kind(1.5 * z[:, 0] / z[:, 1], 1.5 / z[:, 1]).logpdf(y[:, 0])

    return loss


COUNTS = RNG.poisson(2, (ROWS, 1)).astype("float64")
SHARES = RNG.integers(1, 8, (ROWS, 1)) / 8
NUMBERS = RNG.integers(1, 40, (ROWS, 2)) / 8
ORDER = RNG.integers(0, 4, ROWS)
# Each head, labels that float32 holds, and the loss of logits z [rows, units].
CLOSED = {
    "BinaryClass": (BinaryClass(), ORDER > 1, lambda z: _signed(ORDER[:, None] > 1, z)),
    "MultiClass": (MultiClass(4), ORDER, lambda z: logsumexp(z, 1) - z[np.arange(ROWS), ORDER]),
    "MultiLabel": (MultiLabel(2), NUMBERS > 2, lambda z: _signed(NUMBERS > 2, z)),
    "Ordinal": (Ordinal(4), ORDER, lambda z: _signed(ORDER[:, None] > np.arange(3), z)),
    "Regression": (Regression(2), NUMBERS, lambda z: ((NUMBERS - z) ** 2).mean(-1)),
    "Poisson": (
        Poisson(1),
        COUNTS,
        lambda z: (xlogy(COUNTS, COUNTS) - COUNTS - COUNTS * z + np.exp(z))[:, 0],
    ),
    "Gamma": (Gamma(1), SHARES, lambda z: (SHARES / np.exp(z) - 1 - np.log(SHARES) + z)[:, 0]),
    "Tweedie": (Tweedie(1.4, 1), COUNTS, lambda z: _tweedie(COUNTS, z)),
    "NegativeBinomial": (NegativeBinomial(1, 0.5), COUNTS, lambda z: _binomial(COUNTS, z)),
    "Logistic": (
        Logistic(1),
        SHARES,
        lambda z: (rel_entr(SHARES, expit(z)) + rel_entr(1 - SHARES, expit(-z)))[:, 0],
    ),
    "Quantile": (Quantile(), NUMBERS[:, 0], lambda z: _pinball(NUMBERS[:, :1], z)),
    "Multi": (
        Multi({"a": BinaryClass(), "b": Regression(1)}, weights={"b": 0.3}),
        {"a": ORDER > 1, "b": NUMBERS[:, 0]},
        lambda z: _signed(ORDER[:, None] > 1, z[:, :1]) + 0.3 * (NUMBERS[:, 0] - z[:, 1]) ** 2,
    ),
    **{
        f"Distribution-{family}": (
            Distribution(family, location=0.0, scale=1.5),
            NUMBERS[:, 0],
            lambda z, kind=kind: _density(kind)(NUMBERS[:, :1], z),
        )
        for family, kind in {
            "normal": stats.norm,
            "logistic": stats.logistic,
            "student_t": lambda location, scale: stats.t(4.0, location, scale),
            "lognormal": lambda location, scale: stats.lognorm(scale, scale=np.exp(location)),
        }.items()
    },
}


def test_every_head_has_a_closed_form():
    assert {name.partition("-")[0] for name in CLOSED} == set(heads.__all__) - {"Head"}
    assert {name.partition("-")[2] for name in CLOSED} - {""} == set(FAMILIES)


@pytest.mark.parametrize("name", CLOSED)
def test_losses_in_float64_match_closed_forms(name):
    head, y, loss = CLOSED[name]
    head.adapt(y)
    z = RNG.normal(scale=2, size=(ROWS, head.units))
    if isinstance(head, Distribution):
        z[:, 1] = RNG.uniform(0.5, 4, ROWS)
    found = head.loss(head.encode(y), tf.constant(z))
    assert found.dtype == tf.float64
    np.testing.assert_allclose(found, loss(z), rtol=1e-10, atol=1e-12)


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
