"""Random graphs of layers and operations: each verb is exact, says otherwise, or refuses by name.

100 graphs; `GROWTH_GRAPHS=2000 python -m pytest tests/growth/property` tries as many as one likes.
"""

import os
import traceback

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaptive_nets import growth, majority

layers, ops = keras.layers, keras.ops
GRAPHS = int(os.environ.get("GROWTH_GRAPHS", 100))


@keras.saving.register_keras_serializable(package="test_property")
class Sums(layers.Layer):
    """A layer without weights that has no growth rule."""

    def call(self, x):
        return ops.cumsum(x, axis=-1)


@keras.saving.register_keras_serializable(package="test_property")
class Mixes(layers.Layer):
    """A layer with weights of layers inside it that has no growth rule."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.LayerNormalization()

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")
        self.norm.build(shape)
        self.built = True

    def call(self, x):
        return self.norm(ops.matmul(x, self.kernel))


@keras.saving.register_keras_serializable(package="test_property")
def odd(x):
    return ops.sort(x, axis=-1) * 0.5


class Builder:
    """Makes a graph of steps; another `variant` has other widths and constants.

    Each step is a kind and three numbers, which choose what it reads and how.
    """

    def __init__(self, steps, variant=0, unlike=False):
        self.variant, self.unlike = variant, unlike
        self.inputs = [keras.Input((3, 5), name="one")]
        self.pool, self.layers = list(self.inputs), []
        for kind, a, b, c in steps:
            self.read = self.pool[-1 - a % min(len(self.pool), 3)]
            found = KINDS[kind % len(KINDS)](self, self.read, b, c)
            for each in found if isinstance(found, list | tuple) else [found]:
                if each is not None and len(each.shape) > 1 and each.shape[-1] is not None:
                    self.pool.append(each)
        x = self.pool[-1]
        if steps[-1][1] % 3:
            x = self.made(layers.Dense(2))(x)
        made = [x] if x not in self.inputs else [layers.Dense(2)(x)]
        if steps[-1][2] % 4 == 0 and len(self.pool) > 2 and self.pool[-2] not in self.inputs:
            made.append(self.pool[-2])
        self.model = keras.Model(self.inputs, made)

    def width(self, number):
        """A width; equal numbers are equal widths in every variant."""
        return (4, 6, 1)[number % 3 if number % 5 == 0 else number % 2] + self.variant * (
            number % 3 == 1
        )

    def number(self, b):
        """A constant, which may differ between sources."""
        return (0.5, 2.0, -1.5)[b % 3] + (0.25 if self.unlike and self.variant else 0.0)

    def made(self, layer):
        self.layers.append(layer)
        return layer

    def like(self, x, b):
        """Another tensor of the same shape, or the same."""
        found = [y for y in self.pool if tuple(y.shape) == tuple(x.shape) and y.dtype == x.dtype]
        return found[b % len(found)]


ACTIVATIONS = ("relu", "tanh", "sigmoid", None, "gelu", "softmax", "elu")


def dense(m, x, b, c):
    layer = m.made(layers.Dense(m.width(b), ACTIVATIONS[c % len(ACTIVATIONS)]))
    return layer(inputs=x) if b % 4 == 3 else layer(x)


def only(rank):
    """A step that needs a tensor of this rank."""

    def decorate(step):
        return lambda m, x, b, c: step(m, x, b, c) if len(x.shape) == rank else None

    return decorate


@only(3)
def recurrent(m, x, b, c):
    kind = (layers.LSTM, layers.GRU, layers.SimpleRNN)[c % 3]
    layer = kind(m.width(b), return_sequences=bool(c % 2))
    if c % 5 == 0:
        layer = layers.Bidirectional(layer)
        return layer(x)
    return layer(sequences=x) if b % 2 else layer(x)


@only(3)
def convolution(m, x, b, c):
    kind = (layers.Conv1D, layers.SeparableConv1D)[c % 2]
    return m.made(kind(m.width(b), 2, padding="same", activation=("relu", None)[b % 2]))(x)


@only(3)
def attention(m, x, b, c):
    if c % 4 > 1:
        return layers.Attention()([x, m.like(x, b)])
    layer = layers.MultiHeadAttention(2, 3)
    return layer(x, m.like(x, b)) if c % 2 else layer(query=x, value=x)


@only(3)
def pooled(m, x, b, c):
    kinds = (layers.GlobalAveragePooling1D(), layers.GlobalMaxPooling1D(), layers.Flatten())
    kinds += (layers.Permute((2, 1)), layers.MaxPooling1D(2), layers.UpSampling1D(2))
    kinds += (layers.TimeDistributed(layers.Dense(m.width(b))), layers.ZeroPadding1D(1))
    return kinds[c % len(kinds)](x)


def normed(m, x, b, c):
    kinds = (layers.LayerNormalization, layers.BatchNormalization, layers.RMSNormalization)
    kinds += (layers.UnitNormalization, layers.PReLU, layers.Softmax)
    kinds += (layers.Masking, layers.ReLU)
    return kinds[c % len(kinds)]()(x)


def merged(m, x, b, c):
    kinds = (layers.Add, layers.Multiply, layers.Concatenate, layers.Maximum, layers.Average)
    layer, pair = kinds[c % len(kinds)](), [x, m.like(x, b)]
    return layer(inputs=pair) if b % 2 else layer(pair)


def reused(m, x, b, c):
    fits = [y for y in m.layers if y.built and y.input.shape[1:] == x.shape[1:]]
    return fits[b % len(fits)](x) if fits else None


def nested(m, x, b, c):
    inner = keras.Input(x.shape[1:])
    hidden = layers.Dense(m.width(b), "relu")(inner)
    h = layers.Dense(m.width(c), name="end")(hidden)
    return m.made(keras.Model(inner, h))(x)


def carried(m, x, b, c):
    kinds = (Sums, Mixes, lambda: layers.Lambda(odd), lambda: layers.Dropout(0.3))
    return kinds[c % len(kinds)]()(x)


def constants(m, x, b, c):
    n = m.number(b)
    row = np.linspace(-1, n, x.shape[-1])
    kinds = [x + n, n - x, x * n, x / n, x + row, x * row, ops.clip(x, -n, abs(n)), x**2]
    kinds += [ops.where(x > n, x, 0.0), ops.maximum(x, n), ops.power(ops.abs(x) + 1, 0.5)]
    return kinds[c % len(kinds)]


def functions(m, x, b, c):
    names = ("tanh", "sigmoid", "exp2", "cos", "square", "abs", "log1p", "silu", "softsign", "erf")
    function = getattr(ops, names[c % len(names)])
    return function(ops.abs(x)) if "log" in names[c % len(names)] else function(ops.tanh(x))


def pairs(m, x, b, c):
    y = m.like(x, b)
    mean = ops.mean(y, axis=-1, keepdims=True)
    kinds = [x + y, x * y, x - mean, x * ops.sigmoid(mean), ops.maximum(x, y)]
    kinds += [x / (1 + ops.abs(y)), ops.concatenate([x, y], axis=-1), ops.stack([x, y], axis=1)]
    found = kinds[c % len(kinds)]
    return found if len(found.shape) < 4 else ops.sum(found, axis=1)


def cut(m, x, b, c):
    kinds = [x[..., :2], x[..., ::-1], ops.softmax(x, axis=-1), ops.normalize(x, axis=-1)]
    kinds += [ops.flip(x, axis=-1), ops.repeat(x, 2, axis=-1), ops.take(x, [0, 0], axis=-1)]
    kinds += [ops.sort(x, axis=-1), ops.pad(x, [[0, 0]] * (len(x.shape) - 1) + [[1, 0]])]
    kinds += [ops.tile(x, [1] * (len(x.shape) - 1) + [2]), ops.argmax(x, -1, keepdims=True) * 1.0]
    return kinds[c % len(kinds)]


@only(3)
def positions(m, x, b, c):
    kinds = [x[:, 0], x[:, 1:], ops.max(x, axis=1), ops.softmax(x, axis=1), ops.cumsum(x, axis=1)]
    kinds += [ops.transpose(x, (0, 2, 1)), ops.reshape(x, (-1, x.shape[1] * x.shape[2]))]
    kinds += [ops.mean(x, axis=1, keepdims=True), ops.logsumexp(x, axis=1), ops.flip(x, axis=1)]
    kinds += [ops.split(x, x.shape[1], axis=1)[0], ops.unstack(x, axis=1)]
    return kinds[c % len(kinds)]


@only(3)
def products(m, x, b, c):
    y = m.like(x, b)
    scores = ops.matmul(x, ops.transpose(y, (0, 2, 1))) / 3.0
    kinds = [scores, ops.matmul(ops.softmax(scores), y), ops.einsum("bnd,bmd->bnm", x, y)]
    kinds += [ops.einsum("bnd,bnc->bdc", x, m.inputs[0]) if x.shape[1] == 3 else None]
    kinds += [ops.matmul(np.ones((2, x.shape[1]), "float32"), x)]
    kinds += [ops.einsum("bnd,bmd->bdnm", x, y)[..., 0], layers.Dot((2, 2))([x, y])]
    return kinds[c % len(kinds)]


KINDS = (dense, dense, convolution, recurrent, attention, pooled, normed, merged, reused, nested)
KINDS += (carried, constants, functions, pairs, cut, positions, products)
STEPS = st.lists(
    st.tuples(*[st.integers(0, n) for n in (len(KINDS) - 1, 11, 11, 11)]), min_size=3, max_size=15
)


def refused(error):
    """Whether an error is one of ours, and says what came."""
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    return (
        isinstance(error, ValueError | TypeError)
        and "adaptive_nets" in last
        and "Cannot" in str(error)
    )


def check(gc, verb, plan_of, expected, x):
    try:
        plan = plan_of()
        grown = growth.apply(plan, verify=False)[0]
    except Exception as error:
        assert refused(error), f"{verb}: {type(error).__name__}: {error}"
        return "refused"
    if not plan.exact:
        return "approximate"
    gap = gc.gap(gc.outputs(grown, x), expected)
    assert gap <= 1e-7, f"{verb}: plan says exact, and the gap is {gap:.2g}\n{plan}"
    return "exact"


def check_majority(gc, model, expected, x):
    try:
        collapsed = majority.collapse(majority.expand(model, 2))[0]
    except Exception as error:
        assert refused(error), f"expand: {type(error).__name__}: {error}"
        return "refused"
    assert gc.gap(gc.outputs(collapsed, x), expected) <= 1e-7, "expand and collapse"
    return "exact"


@pytest.fixture
def double():
    """Rounding is no difference in float64."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


def tried(gc, steps, choice):
    """What the verbs say of one graph."""
    keras.utils.clear_session(free_memory=False)
    x = np.random.default_rng(7).normal(size=(4, 3, 5))
    try:
        sources = [Builder(steps, variant, choice % 2 == 1).model for variant in (0, 1)]
    except (ValueError, TypeError, RuntimeError):
        return {}  # not a graph
    for number, model in enumerate(sources):
        gc.randomise(model, number)
    one, other = (gc.outputs(model, x) for model in sources)
    if not all(np.isfinite(y).all() and np.abs(y).max() > 1e-6 for y in (*one, *other)):
        return {}
    model, found = sources[0], {}
    verbs = {
        "widen": lambda: growth.plan_widen(model, 2.0, seed=0),
        "replicate": lambda: growth.plan_widen(model, 2.0, "replicate", seed=0),
        "deepen": lambda: growth.plan_deepen(model, 1 + choice % 2, seed=0),
        "self_fuse": lambda: growth.plan_self_fuse(model, cross="zero", preserve="exact"),
        "fuse": lambda: growth.plan_fuse(sources, norm="grouped"),
    }
    groups = (("widen", "replicate"), ("deepen", "expand", "self_fuse"), ("fuse",))
    for names in groups if GRAPHS <= 100 else [[name] for name in (*verbs, "expand")]:
        verb = names[choice % len(names)]
        expected = one
        if verb == "fuse":
            if any(a.shape != b.shape for a, b in zip(one, other, strict=True)):
                continue
            expected = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
        if verb == "expand":
            found[verb] = check_majority(gc, model, expected, x)
        else:
            found[verb] = check(gc, verb, verbs[verb], expected, x)
    return found


@pytest.mark.usefixtures("double")
@settings(
    max_examples=GRAPHS,
    deadline=None,
    derandomize=GRAPHS <= 100,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(steps=STEPS, choice=st.integers(0, 5))
def test_growth_is_exact_or_says_so(gc, steps, choice):
    tried(gc, steps, choice)
