"""What a builder gives, and the member that is made of it."""

import random

import keras
import numpy as np
import pytest

from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.candidates.builder import Builder, Subnetwork
from adaptive_nets.adanet.rounds.build_member import build_member
from adaptive_nets.data.specs import FeatureSpec, make_inputs

SPEC = FeatureSpec((4,), "float32")
X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


class Made(Builder):
    """A builder of whatever a function makes of inputs and units."""

    def __init__(self, make, name="made"):
        self.make, self.name = make, name

    def build(self, inputs, units, previous=None):
        return self.make(inputs, units)


def dense(inputs, units, **more):
    hidden = keras.layers.Dense(5, activation="relu")(inputs)
    hidden = keras.layers.Dropout(0.5)(hidden)
    return Subnetwork(keras.layers.Dense(units)(hidden), hidden, **more)


def sqrt_depth(built, widths):
    return built.depth**0.5


def member(make=dense, *, spec=SPEC, iteration=2, complexity=sqrt_depth, seed=7, **more):
    builder = Made(make, more.pop("name", "made"))
    return build_member(builder, spec, 3, None, iteration, complexity, seed, **more)


def test_a_member_is_a_model_of_logits_and_last_layer():
    found = member(lambda i, u: dense(i, u, depth=4, attributes={"a": 1}))
    assert (found.name, found.iteration, found.builder) == ("2_made", 2, "made")
    assert (found.depth, found.complexity, found.attributes) == (4, 2.0, {"a": 1})
    assert found.parameters == 4 * 5 + 5 + 5 * 3 + 3
    out = found.model(X, training=False)
    assert out["logits"].shape == (6, 3) and out["last_layer"].shape == (6, 5)
    kernel, bias = found.model.get_weights()[-2:]
    np.testing.assert_allclose(out["last_layer"] @ kernel + bias, out["logits"], atol=1e-6)


def test_without_a_last_layer_the_logits_are_read():
    found = member(lambda i, u: Subnetwork(keras.layers.Dense(u)(i)))
    out = found.model(X)
    np.testing.assert_array_equal(out["logits"], out["last_layer"])
    assert found.depth == 1 and found.complexity == 1.0


def test_the_complexity_is_the_subnetworks_own_or_the_rules():
    assert member(lambda i, u: dense(i, u, depth=9)).complexity == 3.0
    assert member(lambda i, u: dense(i, u, complexity=0.25)).complexity == 0.25
    width = member(complexity=lambda s, widths: s.last_layer.shape[-1] / 2)
    assert width.complexity == 2.5


def test_weights_and_dropout_follow_the_seed():
    a, b = member(), member()
    for v, w in zip(a.model.variables, b.model.variables, strict=True):
        np.testing.assert_array_equal(v, w)
    np.testing.assert_array_equal(
        a.model(X, training=True)["logits"], b.model(X, training=True)["logits"]
    )
    for other in (member(seed=8), member(iteration=3), member(name="other")):
        assert not np.array_equal(other.model.get_weights()[0], a.model.get_weights()[0])
        drawn = other.model(np.ones((200, 4)), training=True)["last_layer"] != 0
        same = a.model(np.ones((200, 4)), training=True)["last_layer"] != 0
        assert (np.asarray(drawn) != np.asarray(same)).any()


def test_the_callers_random_state_is_left_alone():
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.rand()
    random.seed(3)
    np.random.seed(3)
    member()
    with pytest.raises(TypeError):
        member(lambda i, u: None)
    assert (random.random(), np.random.rand()) == expected
    # Nor does the caller's state reach the member.
    first = member().model.get_weights()[0]
    random.seed(4)
    np.testing.assert_array_equal(member().model.get_weights()[0], first)


def test_seeds_of_different_purposes_differ():
    found = {derive_seed(s, *words) for s in (0, 1) for words in [(), (1,), (2,), ("a",), (1, "a")]}
    assert len(found) == 10
    assert derive_seed(3, 1, "a") == derive_seed(3, 1, "a")


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda i, u: i, TypeError, "'made' must return an adanet.Subnetwork. Received: Keras"),
        (lambda i, u: None, TypeError, "'made' must return an adanet.Subnetwork"),
        (
            lambda i, u: Subnetwork(keras.layers.Dense(u + 1)(i)),
            ValueError,
            r"'made' must return logits of shape \(None, 3\).*Received: \(None, 4\)",
        ),
        (
            lambda i, u: dense(keras.layers.Reshape((2, 2))(i), u),
            ValueError,
            r"'made' must return logits of shape \(None, 3\).*Received: \(None, 2, 3\)",
        ),
        (
            lambda i, u: Subnetwork(keras.layers.Dense(u)(i), keras.layers.Reshape((2, 2))(i)),
            ValueError,
            r"'made' must return a last_layer.*Received: \(None, 2, 2\).*Flatten or pool",
        ),
        (lambda i, u: Subnetwork(), ValueError, "'made' must return logits, heads or both"),
        (
            lambda i, u: Subnetwork(heads=keras.layers.Dense(u)(i)),
            ValueError,
            r"'made' must return heads of shape \(None, k, 3\).*Received: \(None, 3\)",
        ),
        (
            lambda i, u: dense(i, u, complexity=-1.0),
            ValueError,
            "complexity of builder 'made' must be finite and >= 0. Received: -1",
        ),
        (lambda i, u: dense(i, u, complexity=np.nan), ValueError, "must be finite"),
    ],
)
def test_what_cannot_be_a_subnetwork_is_refused(make, error, message):
    with pytest.raises(error, match=r"\A[^\n]*" + message):
        member(make)


def test_a_rule_that_gives_no_complexity_is_refused():
    with pytest.raises(ValueError, match="must be finite and >= 0. Received: inf"):
        member(complexity=lambda s, widths: float("inf"))


def test_logits_are_scaled_to_the_targets_where_the_builder_wants_it():
    offset, scale = [10.0, 0.0, -5.0], [2.0, 1.0, 0.5]
    plain = member(output_range=(offset, scale))
    wanting = Made(dense)
    wanting.rescale_output = True
    scaled = build_member(wanting, SPEC, 3, None, 2, sqrt_depth, 7, (offset, scale))
    logits = plain.model(X)["logits"]
    np.testing.assert_array_equal(logits, member().model(X)["logits"])
    np.testing.assert_allclose(
        scaled.model(X)["logits"], logits * np.array(scale) + offset, rtol=1e-5
    )
    np.testing.assert_array_equal(scaled.model(X)["last_layer"], plain.model(X)["last_layer"])

    def two_heads(inputs, units):
        return Subnetwork(heads=keras.layers.Reshape((2, 3))(keras.layers.Dense(6)(inputs)))

    wanting.make = two_heads
    scaled = build_member(wanting, SPEC, 3, None, 2, sqrt_depth, 7, (offset, scale))
    heads = member(two_heads).model(X)["heads"] * np.array(scale) + offset
    np.testing.assert_allclose(scaled.model(X)["heads"], heads, rtol=1e-5)
    np.testing.assert_allclose(scaled.model(X)["logits"], np.mean(heads, axis=1), rtol=1e-5)


def test_inputs_follow_the_features():
    spec = {"a": FeatureSpec((4,), "float32"), "t": FeatureSpec((1,), "string")}
    found = make_inputs(spec)
    assert found["a"].shape == (None, 4) and found["t"].dtype == "string"
    both = member(lambda i, u: dense(i["a"], u), spec={"a": spec["a"]})
    assert both.model({"a": X})["logits"].shape == (6, 3)


def test_a_builder_has_defaults():
    optimizer = Made(dense).optimizer()
    assert isinstance(optimizer, keras.optimizers.Adam)
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)
    assert Made(dense).hyperparameters() == {} and not Made(dense).rescale_output
    with pytest.raises(TypeError, match="abstract"):
        Builder()


@pytest.mark.parametrize("kind", [keras.Variable, "tf"])
def test_a_variable_of_no_layer_is_refused(kind):
    if kind == "tf":
        kind = pytest.importorskip("tensorflow").Variable
    weight = kind(np.ones((4, 3), "float32"))
    with pytest.raises(ValueError, match=r"'made' must keep its weights in layers.*\(4, 3\)"):
        member(lambda inputs, units: Subnetwork(keras.ops.matmul(inputs, weight)))


def test_a_builder_may_be_given_features_by_their_names_in_the_data():
    spec, seen = {k: FeatureSpec((2,), "float32") for k in ("b", "a_b")}, {}

    class Named(Made):
        by_name = True

    def make(inputs, units):
        seen.update(inputs)
        return Subnetwork(keras.layers.Dense(units)(inputs["a b"]))

    found = build_member(Named(make), spec, 3, None, 1, sqrt_depth, 0, renamed={"a b": "a_b"})
    assert list(seen) == ["b", "a b"] and sorted(found.model.input) == ["a_b", "b"]
