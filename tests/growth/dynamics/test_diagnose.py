"""Derivatives against finite differences, the modified flow's order, and the advice."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth
from adaptive_nets.growth import dynamics
from adaptive_nets.growth.dynamics.derivatives import Derivatives
from adaptive_nets.growth.dynamics.growth_map import GrowthMap
from adaptive_nets.growth.dynamics.modified_flow import dot, measure, to_numpy

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers


def network(width=4, seed=0, penalty=0.01):
    """A small smooth network in float64 whose weights hide nothing.

    Under JAX the stock tanh falls back to float32, so it is not used here.
    """
    inputs = keras.Input((3,), dtype="float64")
    x = layers.Dense(width, "silu", dtype="float64", name="hidden")(inputs)
    x = layers.Dense(
        width,
        "silu",
        dtype="float64",
        name="second",
        kernel_regularizer=keras.regularizers.L2(penalty),
    )(x)
    model = keras.Model(inputs, layers.Dense(2, dtype="float64", name="out")(x))
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        variable.assign(0.7 * rng.normal(size=variable.shape))
    return model


def squared(y, outputs):
    """The mean squared error of each row; the stock one goes through float32 under JAX."""
    return keras.ops.sum(keras.ops.square(outputs - y), axis=-1) / y.shape[-1]


def rows(count=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 3)), rng.normal(size=(count, 2))


def step(values, direction, size):
    pairs = zip(to_numpy(values), direction, strict=True)
    return [keras.ops.convert_to_tensor(v + size * np.asarray(d)) for v, d in pairs]


@pytest.fixture(scope="module")
def losses():
    """Two losses of the same small network, and its values."""
    derivatives = Derivatives(network(), squared)
    return derivatives.on(*rows(8, 1)), derivatives.on(*rows(8, 2)), derivatives.values()


def test_gradient_and_product_agree_with_finite_differences(losses):
    first, _, values = losses
    rng = np.random.default_rng(3)
    direction = [rng.normal(size=v.shape) for v in values]
    ahead, behind = (step(values, direction, size) for size in (1e-5, -1e-5))
    slope = (first.loss(ahead) - first.loss(behind)) / 2e-5
    assert slope == pytest.approx(dot(to_numpy(first.gradient(values)), direction), rel=1e-7)
    ahead, behind = to_numpy(first.gradient(ahead)), to_numpy(first.gradient(behind))
    expected = [(a - b) / 2e-5 for a, b in zip(ahead, behind, strict=True)]
    found = first.product(values, direction)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(a), b, rtol=1e-6, atol=1e-8)


def test_the_loss_includes_regularizers():
    model = network()
    x, y = rows()
    penalty = 0.01 * np.sum(keras.ops.convert_to_numpy(model.get_layer("second").kernel) ** 2)
    plain = np.mean((keras.ops.convert_to_numpy(model(x)) - y) ** 2)
    derivatives = Derivatives(model, squared)
    assert derivatives.on(x, y).loss(derivatives.values()) == pytest.approx(plain + penalty)


def test_an_embedding_has_dense_derivatives():
    model = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            layers.Embedding(5, 3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    one = Derivatives(model, squared).on(np.array([[0, 1, 1, 3]]), np.ones((1, 1), "float32"))
    values = Derivatives(model, squared).values()
    gradient = to_numpy(one.gradient(values))
    assert gradient[0].shape == (5, 3) and not gradient[0][[2, 4]].any()
    assert to_numpy(one.product(values, gradient))[0].shape == (5, 3)


def errors(losses, **terms):
    """How far the modified flow ends from two gradient steps, for falling rates."""
    first, second, values = losses
    found = []
    for h in (0.02, 0.01, 0.005):
        h1, h2 = h, 0.7 * h
        middle = step(values, to_numpy(first.gradient(values)), -h1)
        end = to_numpy(step(middle, to_numpy(second.gradient(middle)), -h2))
        field = dynamics.modified_flow(first, second, h1, h2, **terms)
        at, time = values, 0.25
        for _ in range(4):
            a = field(at)
            b = field(step(at, a, time / 2))
            c = field(step(at, b, time / 2))
            d = field(step(at, c, time))
            mean = [(i + 2 * j + 2 * k + m) / 6 for i, j, k, m in zip(a, b, c, d, strict=True)]
            at = step(at, mean, time)
        apart = [a - b for a, b in zip(to_numpy(at), end, strict=True)]
        found.append(np.sqrt(dot(apart, apart)))
    return np.array(found)


@pytest.mark.parametrize(
    "terms, low, high",
    [
        ({}, 2.8, 3.3),
        ({"regularizers": False}, 1.7, 2.3),
        ({"conflicts": False}, 1.7, 2.3),
    ],
)
def test_order_of_the_two_rate_formula(losses, terms, low, high):
    slopes = -np.diff(np.log2(errors(losses, **terms)))
    assert (slopes >= low).all() and (slopes <= high).all(), slopes


def test_conflict_is_antisymmetric_and_none_with_itself(losses):
    first, second, values = losses
    there, back = dynamics.conflict(first, second, values), dynamics.conflict(second, first, values)
    for a, b in zip(there, back, strict=True):
        np.testing.assert_allclose(a, -b, atol=1e-12)
    assert np.sqrt(dot(there, there)) > 1e-3
    assert all(np.abs(part).max() < 1e-12 for part in dynamics.conflict(first, first, values))


def test_best_rate_of_a_quadratic():
    # One weight w, loss (w - t)^2: gradients 2 (w - t), Hessian 2, so h = G^2 / (2 (G^2 + var)).
    model = keras.Sequential(
        [keras.Input((1,), dtype="float64"), layers.Dense(1, use_bias=False, dtype="float64")]
    )
    model.layers[0].kernel.assign([[5.0]])
    targets = np.random.default_rng(0).normal(size=(64, 1))
    derivatives = Derivatives(model, squared)
    parts = [derivatives.on(np.ones((1, 1)), t[None]) for t in targets]
    found = measure(parts, derivatives.values())
    gradients = 2 * (5 - targets)
    noise = np.var(gradients, ddof=1)
    signal = np.mean(gradients) ** 2 - noise / 64
    assert found["signal"] == pytest.approx(signal)
    assert found["noise"] == pytest.approx(noise)
    assert found["best_rate"] == pytest.approx(signal / (2 * (signal + noise)))


def grow(plan):
    grown, rebuilder = plan.build()
    return rebuilder, grown


@pytest.mark.parametrize("verb", ["zero", "replicate", "fuse", "self_fuse"])
def test_growth_map_moves_the_grown_weights_as_growth_does(verb):
    def plan_of(a, b):
        if verb == "fuse":
            return growth.plan_fuse([a, b])
        if verb == "self_fuse":
            return growth.plan_self_fuse(a, cross="zero")
        return growth.plan_widen(a, 2.0, verb, seed=0)

    pair = network(4, 1), network(6, 2)
    plan = plan_of(*pair)
    rebuilder, grown = grow(plan)
    linear = GrowthMap(plan, rebuilder, grown)
    rng = np.random.default_rng(5)
    changes = [[rng.normal(size=v.shape) for v in m.trainable_variables] for m in plan.trace.models]
    if verb == "self_fuse":
        changes = changes[:1] * 2
    before = [keras.ops.convert_to_numpy(v) for v in grown.trainable_variables]
    for model, change in zip(plan.trace.models, changes, strict=True):
        if verb == "self_fuse" and change is changes[0] and model is not plan.trace.models[0]:
            continue
        for variable, delta in zip(model.trainable_variables, change, strict=True):
            variable.assign(keras.ops.convert_to_numpy(variable) + delta)
        if verb == "self_fuse":
            break
    _, moved = grow(plan_of(*pair))
    pushed = linear.push(changes)
    for old, new, delta in zip(before, moved.trainable_variables, pushed, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(new) - old, delta, atol=1e-12)
    for found, expected in zip(linear.pull(pushed), changes, strict=True):
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            # Fused outputs' biases are one: what comes back is the sources' mean.
            mean = np.mean([change[i] for change in changes], axis=0) if a.shape == (2,) else b
            np.testing.assert_allclose(a, mean, atol=1e-12)


def test_conflict_with_growth_shrinks_near_a_stationary_point():
    model = network(4, penalty=0.0)
    x, y = rows(64, 4)
    derivatives = Derivatives(model, squared)
    early = dynamics.diagnose(model, x, y, 0.1, squared, 32, plan=growth.plan_widen(model, 2.0))
    part = derivatives.on(x, y)
    values = derivatives.values()
    for _ in range(300):
        values = step(values, to_numpy(part.gradient(values)), -0.1)
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)
    plan = growth.plan_widen(model, 2.0, seed=0)
    late = dynamics.diagnose(model, x, y, 0.1, squared, 32, plan=plan)
    assert late.grown_loss == pytest.approx(part_loss(model, x, y), rel=1e-9)
    assert late.conflict_norm < early.conflict_norm / 2
    assert late.readiness > early.readiness
    assert late.conflict == pytest.approx(0.1**2 / 2 * late.conflict_norm)
    assert early.grown_best_rate > 0


def part_loss(model, x, y):
    derivatives = Derivatives(model, squared)
    return derivatives.on(x, y).loss(derivatives.values())


def test_advice_of_a_compiled_model_reads():
    model = network()
    x, y = rows(64)
    model.compile(keras.optimizers.SGD(0.25), "mse")
    before = [keras.ops.convert_to_numpy(v) for v in model.weights]
    advice = growth.dynamics.diagnose(model, x, y, batch_size=16)
    assert advice.learning_rate == 0.25
    assert advice.regularizer == pytest.approx(0.25 / 4 * advice.gradient_norm**2)
    squares = sum(norm**2 for norm in advice.layer_norms.values())
    assert squares == pytest.approx(advice.gradient_norm**2)
    assert set(advice.layer_norms) == {"hidden", "second", "out"}
    assert 0 <= advice.readiness <= 1 and advice.grow_now == (advice.readiness >= 0.5)
    assert "readiness" in str(advice) and "implied regularizer" in str(advice)
    for old, variable in zip(before, model.weights, strict=True):
        assert (keras.ops.convert_to_numpy(variable) == old).all()


def test_what_cannot_be_diagnosed_is_refused():
    model = network()
    x, y = rows(64)
    with pytest.raises(ValueError, match="no loss.*model.compile.*compiled=False"):
        dynamics.diagnose(model, x, y, 0.1)
    with pytest.raises(ValueError, match="no optimizer.*Pass learning_rate"):
        dynamics.diagnose(model, x, y, loss=squared)
    with pytest.raises(ValueError, match="not built"):
        dynamics.diagnose(keras.Sequential([layers.Dense(2)]), x, y, 0.1, "mse")
    with pytest.raises(ValueError, match="at least two whole batches.*64 rows"):
        dynamics.diagnose(model, x, y, 0.1, squared, batch_size=40)
    with pytest.raises(ValueError, match="learning_rate must be.*Received: learning_rate=-1"):
        dynamics.diagnose(model, x, y, -1, squared)
    with pytest.raises(TypeError, match="not a Keras model"):
        dynamics.diagnose(max, x, y, 0.1, squared)
    with pytest.raises(TypeError, match="only plans of wider or fused.*Received: str"):
        dynamics.diagnose(model, x, y, 0.1, squared, plan="wider")
