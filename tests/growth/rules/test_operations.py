"""Operations of keras.ops between layers: what grows through them, and what they make of zeros."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth
from adaptive_nets.growth.core.trace import Trace

pytestmark = pytest.mark.backend_agnostic
layers, ops = keras.layers, keras.ops

ROW = np.linspace(0.5, 1.5, 4, dtype="float32")
# Functions of hidden features h [batch, 3, 4] in (0, 1), and of the inputs i [batch, 3, 4], by how
# the features may grow: by units that are drawn anew, by copies alone, or not at all.
ANEW = {
    "sums": lambda h, i: [h + 1.0, 2.0 - h, h + h, ops.add(h, ops.mean(i, -1, keepdims=True))],
    "products": lambda h, i: [h * 2.0, h * h, h / 3.0, ops.multiply(h, i[..., :1])],
    "clip": lambda h, i: [ops.clip(h - 0.5, -0.2, 0.2), ops.clip(h, 0.3, 0.6)],
    "extremes": lambda h, i: [ops.maximum(h, 0.4), ops.minimum(h, h * h), ops.fmax(h, 0.1)],
    "where": lambda h, i: [ops.where(h > 0.5, h, 0.0), ops.where(i[..., :1] > 0, h, -h)],
    "power": lambda h, i: [ops.power(h, 2), ops.square(h), h**3],
    "bends": lambda h, i: [ops.relu(h - 0.4), ops.gelu(h), ops.tanh(h), ops.silu(h), ops.erf(h)],
    "moved": lambda h, i: [ops.sigmoid(h), ops.exp(h), ops.cos(h), ops.softplus(h), ops.exp2(h)],
    "threshold": lambda h, i: [ops.threshold(h, 0.5, 0.0), ops.threshold(h, -1.0, 2.0)],
    "steps": lambda h, i: [ops.round(3 * h), ops.sign(h - 0.5), ops.abs(h - 0.5), ops.floor(4 * h)],
    "stack": lambda h, i: [ops.stack([h, h * 2], axis=1), ops.stack([h, h], axis=-2)],
    "split": lambda h, i: ops.split(h, 3, axis=1),
    "unstack": lambda h, i: ops.unstack(h, axis=1),
    "pad": lambda h, i: [ops.pad(h, ((0, 0), (1, 2), (0, 0)), constant_values=1.0)],
    "repeat": lambda h, i: [ops.repeat(h, 2, axis=1), ops.repeat(h, 2, axis=-1)],
    "tile": lambda h, i: [ops.tile(h, (1, 2, 1)), ops.tile(h, (1, 1, 3))],
    "take": lambda h, i: [ops.take(h, [2, 0], axis=1), h[:, 1:]],
    "along": lambda h, i: [
        ops.cumsum(h, 1),
        ops.sort(h, axis=1),
        ops.flip(h, 1),
        ops.roll(h, 1, 1),
    ],
    "reduced": lambda h, i: [ops.max(h, 1), ops.logsumexp(h, 1), ops.norm(h, axis=1), h[:, 0]],
    "softmax": lambda h, i: [ops.softmax(h, axis=1), ops.log_softmax(h, axis=1)],
    "normalize": lambda h, i: [ops.normalize(h, axis=1)],
    "moveaxis": lambda h, i: [ops.moveaxis(h, 1, 2), ops.swapaxes(h, 1, 2), ops.expand_dims(h, 1)],
    "matmul": lambda h, i: [
        ops.matmul(ops.softmax(ops.matmul(i, ops.transpose(i, (0, 2, 1)))), h),
        ops.matmul(np.ones((2, 3), "float32"), h),
    ],
    "einsum": lambda h, i: [ops.einsum("bnd,bnc->bcd", h, i), ops.einsum("bnd,nm->bmd", h, EYE)],
    "tensordot": lambda h, i: [ops.tensordot(h, EYE, axes=[[1], [0]])[..., 0]],
    "cast": lambda h, i: [ops.cast(ops.cast(h, "float64"), "float32"), ops.stop_gradient(h)],
    "reshape": lambda h, i: [ops.reshape(h, (-1, 4)), ops.reshape(h, (-1, 3, 1, 4))],
}
COPIED = {
    "roots": lambda h, i: [ops.sqrt(h), ops.rsqrt(h), ops.power(h, 0.5)],
    "logarithms": lambda h, i: [ops.log(h), ops.log1p(h), ops.log10(h)],
    "quotients": lambda h, i: [1.0 / h, h / (h + 0.5), ops.mod(1.0, h)],
    "inverse": lambda h, i: [ops.arcsin(h), ops.arctanh(h * 0.5), ops.reciprocal(h)],
}
FIXED = {
    "vector": lambda h, i: [h + ROW],
    "inputs": lambda h, i: [ops.einsum("bnd,bmd->bnm", h, i)],
    "scores": lambda h, i: [ops.matmul(h, ops.transpose(h, (0, 2, 1)))],
    "mixed": lambda h, i: [ops.softmax(h), ops.sort(h), ops.cumsum(h, -1)],
    "parts": lambda h, i: ops.split(h, 2, axis=-1),
    "some": lambda h, i: [h[..., 1:3], ops.take(h, [0, 3], axis=-1)],
    "lengths": lambda h, i: [ops.normalize(h, axis=-1), ops.var(h, axis=-1)],
    "unknown": lambda h, i: [ops.diff(h), ops.tril(h)],
    "gate": lambda h, i: [i * layers.Dense(1)(h), ops.subtract(h, ROW)],
}
EYE = np.eye(3, 2, dtype="float32")
ALL = {**ANEW, **COPIED, **FIXED}


def model(names, units=4):
    """One branch for each name, each with an output of its own."""
    inputs = keras.Input((3, 4))
    outputs = []
    for name in names:
        h = layers.Dense(units, "sigmoid", name=f"of_{name}")(inputs)
        for number, each in enumerate(ALL[name](h, inputs)):
            if each.shape[0] is None and len(each.shape) == 3 and each.shape[-1] == 3:
                each = ops.transpose(each, (0, 2, 1))
            outputs.append(layers.Dense(2, name=f"out_{name}_{number}")(each))
    return keras.Model(inputs, outputs)


def gaps(gc, grown, expected, x):
    pairs = zip(gc.outputs(grown, x), expected, strict=True)
    return max(gc.gap([a], [b]) for a, b in pairs)


X = np.random.default_rng(0).normal(size=(5, 3, 4)).astype("float32")


@pytest.mark.parametrize("names", [ANEW, COPIED, FIXED], ids=["anew", "copied", "fixed"])
def test_features_grow_through_operations(gc, names):
    source = gc.randomise(model(names))
    expected = gc.outputs(source, X)
    for method in ("zero", "replicate"):
        plan = growth.plan_widen(source, 2.0, method, seed=0)
        grow = set(ANEW) | (set(COPIED) if method == "replicate" else set())
        rows = {row.layer.removeprefix("of_") for row in plan.rows()}
        assert rows & set(ALL) == grow & set(names)
        assert gaps(gc, growth.apply(plan, verify=False)[0], expected, X) <= 1e-5


@pytest.mark.parametrize("names", [ANEW, COPIED, FIXED], ids=["anew", "copied", "fixed"])
def test_sources_stand_side_by_side_in_operations(gc, names):
    sources = [gc.randomise(model(names), seed) for seed in (1, 2)]
    one, other = (gc.outputs(source, X) for source in sources)
    expected = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
    grown = growth.apply(growth.plan_fuse(sources), verify=False)[0]
    assert gaps(gc, grown, expected, X) <= 1e-5


def test_a_loaded_model_grows_as_one_that_was_not_saved(gc, tmp_path):
    inputs = keras.Input((3, 4))
    h = layers.Dense(8, "relu", name="h")(inputs)
    parts = [h[:, 1:, :4], h[:, :2, 4:], keras.ops.transpose(h[:, :2], (0, 2, 1))[:, :2]]
    parts[2] = keras.ops.pad(parts[2], ((0, 0), (0, 0), (0, 2)))
    parts += [
        keras.ops.moveaxis(h, (1, 2), (2, 1)),
        keras.ops.tile(keras.ops.flip(h, axis=(1,)), (1, 2, 1)),
        keras.ops.mean(h[:, :, None], axis=(1, 2)),
    ]
    flat = layers.Concatenate()([layers.Flatten()(part) for part in parts])
    source = gc.randomise(keras.Model(inputs, layers.Dense(2)(flat)))
    source.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    expected = gc.outputs(source, X)
    for each in (source, loaded):
        for grown in (
            growth.widen(each, 2.0, seed=0, verify=False),
            growth.deepen(each, 1, seed=0, verify=False),
            growth.self_fuse(each, cross="zero", seed=0, verify=False),
        ):
            assert gaps(gc, grown, expected, X) <= 1e-5


@pytest.mark.parametrize("name", ["clip", "threshold", "bends", "moved", "steps", "pad", "sums"])
def test_zeros_are_zeros_where_a_rule_says_so(name):
    inputs = keras.Input((3, 4))
    h = layers.Dense(4, name="h")(inputs)
    made = ANEW[name](h, inputs)
    trace = Trace([keras.Model(inputs, made)])
    at_zero = keras.Model([h, inputs], made)([np.zeros((1, 3, 4)), np.zeros((1, 3, 4))])
    for features, value in zip(trace.outputs, keras.tree.flatten(at_zero), strict=True):
        is_zero = not np.any(keras.ops.convert_to_numpy(value))
        assert features.axis(-1).zero_kept <= is_zero
