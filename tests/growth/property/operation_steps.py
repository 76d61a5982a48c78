"""Steps that are operations."""

import keras
import numpy as np
from layer_steps import chosen
from random_graphs import kinds_of

layers, ops = keras.layers, keras.ops

EVERYWHERE = (
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "tanh", "softsign"),
    *("hard_silu", "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink", "abs", "square"),
    *("negative", "sin", "sinh", "arctan", "arcsinh", "cbrt", "expm1", "deg2rad", "rad2deg"),
    *("nan_to_num", "conjugate", "real", "erf", "sigmoid", "softplus", "hard_sigmoid", "sinc"),
    *("log_sigmoid", "squareplus", "exp", "exp2", "cos", "cosh", "sparse_sigmoid", "sparse_plus"),
    *("ones_like", "zeros_like", "stop_gradient", "copy", "isfinite", "imag", "erfc"),
)
POSITIVE = ("sqrt", "log", "log2", "log10", "log1p", "rsqrt", "reciprocal")
SMALL = ("tan", "arcsin", "arctanh", "erfinv", "arccos")
STEPWISE = ("sign", "floor", "ceil", "round", "trunc", "isnan", "isinf", "signbit", "logical_not")


def function(name, before):
    return lambda m, x, b: getattr(ops, name)(before(x))


def stepwise(name):
    return lambda m, x, b: ops.cast(getattr(ops, name)(x), x.dtype) + x if m.double else None


def uneven(rows, columns, dtype):
    """A constant matrix of different columns: rounding decides nothing where they are compared."""
    return np.linspace(0.5, 1.5, rows * columns, dtype=dtype).reshape(rows, columns)


kinds_of(
    *(function(name, lambda x: ops.tanh(x) * 2) for name in EVERYWHERE if hasattr(ops, name)),
    *(function(name, lambda x: ops.abs(x) + 0.5) for name in POSITIVE),
    *(function(name, lambda x: ops.tanh(x) * 0.5) for name in SMALL),
    *map(stepwise, STEPWISE),
    lambda m, x, b: ops.arccosh(ops.abs(x) + 1.5),
    lambda m, x, b: ops.threshold(x, *chosen(((0.2, 0.0), (-0.2, 1.0), (0.2, 1.0)), b)),
    lambda m, x, b: ops.cast(ops.cast(x, "float64"), "float32"),
    lambda m, x, b: ops.gelu(x, approximate=False),
    lambda m, x, b: ops.leaky_relu(x, negative_slope=m.number(b)),
    lambda m, x, b: ops.nan_to_num(x, nan=1.0),
    name="functions",
)


def row(m, x, b):
    return np.linspace(-1, m.number(b), x.shape[-1]).astype(x.dtype)


def column(m, x, b):
    return np.linspace(-1, m.number(b), x.shape[1]).astype(x.dtype)[:, None]


kinds_of(
    lambda m, x, b: x + m.number(b),
    lambda m, x, b: m.number(b) - x,
    lambda m, x, b: x * m.number(b),
    lambda m, x, b: x / m.number(b),
    lambda m, x, b: x + row(m, x, b),
    lambda m, x, b: row(m, x, b) * x,
    lambda m, x, b: ops.add(x, ops.convert_to_tensor(row(m, x, b))),
    lambda m, x, b: x * column(m, x, b) if len(x.shape) == 3 else x * np.ones(1, x.dtype),
    lambda m, x, b: x + row(m, x, b).tolist(),
    lambda m, x, b: ops.clip(x, -abs(m.number(b)), abs(m.number(b))),
    lambda m, x, b: ops.clip(x, 0.1, 1.0),
    lambda m, x, b: ops.clip(x, row(m, x, b) - 1, 2.0),
    lambda m, x, b: x**2,
    lambda m, x, b: x**0,
    lambda m, x, b: 2.0 ** ops.tanh(x),
    lambda m, x, b: ops.where(x > m.number(b), x, 0.0),
    lambda m, x, b: ops.where(x > 0, 1.0, row(m, x, b)),
    lambda m, x, b: ops.maximum(x, m.number(b)),
    lambda m, x, b: ops.minimum(x, x2=row(m, x, b)),
    lambda m, x, b: ops.power(ops.abs(x) + 1, m.number(b)),
    lambda m, x, b: x % 1.3 if m.double else None,
    lambda m, x, b: x // 0.7 if m.double else None,
    lambda m, x, b: ops.cast(x > m.number(b), x.dtype) * x,
    lambda m, x, b: ops.logical_and(x > -1, x < 1),
    lambda m, x, b: ops.arctan2(x, m.number(b)),
    lambda m, x, b: ops.hypot(x, m.number(b)),
    lambda m, x, b: ops.logaddexp(x, 0.0),
    lambda m, x, b: 1 / (ops.abs(x) + 0.5),
    lambda m, x, b: ops.heaviside(x, 0.5),
    name="constants",
)


def mean(m, x, b):
    return ops.mean(m.like(x, b), axis=-1, keepdims=True)


kinds_of(
    lambda m, x, b: x + m.like(x, b),
    lambda m, x, b: x * m.like(x, b),
    lambda m, x, b: ops.subtract(x, x2=m.like(x, b)),
    lambda m, x, b: x - mean(m, x, b),
    lambda m, x, b: x * ops.sigmoid(mean(m, x, b)),
    lambda m, x, b: ops.maximum(x, m.like(x, b)),
    lambda m, x, b: ops.fmin(x, m.like(x, b)),
    lambda m, x, b: x / (1 + ops.abs(m.like(x, b))),
    lambda m, x, b: ops.divide_no_nan(x, m.like(x, b)),
    lambda m, x, b: ops.concatenate([x, m.other(x, b)], axis=-1),
    lambda m, x, b: ops.concatenate([x, m.like(x, b)], axis=1),
    lambda m, x, b: ops.sum(ops.stack([x, m.like(x, b)], axis=1), axis=1),
    lambda m, x, b: ops.stack([x, m.like(x, b)], axis=chosen((1, -1), b)),
    lambda m, x, b: ops.where(x > m.like(x, b), x, 0.0),
    lambda m, x, b: ops.power(ops.abs(x) + 0.5, ops.tanh(m.like(x, b))),
    lambda m, x, b: ops.arctan2(x, m.like(x, b)),
    lambda m, x, b: ops.hypot(x, m.like(x, b)),
    lambda m, x, b: ops.logaddexp(x, m.like(x, b)),
    lambda m, x, b: ops.add(x, m.pool[0][:, :1] if len(x.shape) == 3 else x[:, :1]),
    lambda m, x, b: ops.concatenate([x, ops.zeros_like(x)], axis=-1),
    lambda m, x, b: ops.isclose(x, m.like(x, b)),
    lambda m, x, b: ops.logical_or(ops.less(x, 0.1), ops.greater_equal(m.like(x, b), 0.2)),
    lambda m, x, b: ops.logical_xor(ops.less_equal(x, 0.1), ops.not_equal(m.like(x, b), 0.2)),
    lambda m, x, b: ops.fmax(x, m.like(x, b)),
    lambda m, x, b: ops.fmod(x, 1.3) if m.double else None,
    lambda m, x, b: ops.logaddexp2(x, m.like(x, b)),
    name="pairs",
)
kinds_of(
    lambda m, x, b: x[..., : 2 + b % 2],
    lambda m, x, b: x[..., ::-1],
    lambda m, x, b: x[..., -1:],
    lambda m, x, b: x[..., None],
    lambda m, x, b: ops.softmax(x, axis=-1),
    lambda m, x, b: ops.log_softmax(x),
    lambda m, x, b: ops.sparsemax(x),
    lambda m, x, b: ops.normalize(x, axis=-1, order=1 + b % 2),
    lambda m, x, b: ops.flip(x, axis=-1),
    lambda m, x, b: ops.flip(x),
    lambda m, x, b: ops.roll(x, 1, axis=-1),
    lambda m, x, b: ops.repeat(x, 2, axis=-1),
    lambda m, x, b: ops.repeat(x, [1] * (x.shape[-1] - 1) + [2], axis=-1),
    lambda m, x, b: ops.take(x, [0, 0], axis=-1),
    lambda m, x, b: ops.sort(x, axis=-1),
    lambda m, x, b: ops.pad(x, [[0, 0]] * (len(x.shape) - 1) + [[1, 0]]),
    lambda m, x, b: ops.pad(x, [[0, 0], [1, 0], *[[0, 0]] * (len(x.shape) - 2)], "constant", 1.5),
    lambda m, x, b: ops.tile(x, [1] * (len(x.shape) - 1) + [2]),
    lambda m, x, b: ops.tile(x, 2),
    lambda m, x, b: ops.argmax(x, -1, keepdims=True) * 1.0 if m.double else None,
    lambda m, x, b: ops.cumsum(x, axis=-1),
    lambda m, x, b: ops.split(x, 2, axis=-1),
    lambda m, x, b: ops.split(x, [1], axis=-1),
    lambda m, x, b: ops.logsumexp(x, axis=-1, keepdims=True),
    lambda m, x, b: ops.norm(x, axis=-1, keepdims=True),
    lambda m, x, b: ops.var(x, axis=-1, keepdims=True) + x,
    lambda m, x, b: ops.expand_dims(x, axis=chosen((1, -1), b)),
    lambda m, x, b: ops.einsum("...i->...i", x),
    lambda m, x, b: ops.glu(x),
    lambda m, x, b: ops.top_k(x, 2)[0],
    lambda m, x, b: ops.diff(x, axis=-1),
    lambda m, x, b: ops.unstack(x, axis=-1)[0][..., None],
    lambda m, x, b: ops.moveaxis(x, -1, 1),
    lambda m, x, b: ops.swapaxes(x, 1, -1),
    name="features",
)
REDUCTIONS = (
    *("mean", "sum", "max", "min", "amax", "amin", "prod", "var", "std", "ptp", "median"),
    *("logsumexp", "nanmean", "nansum", "nanmax", "nanmin", "nanstd", "nanvar", "nanprod"),
    *("norm", "any", "all", "count_nonzero", "average"),
)


def reduced(name):
    return lambda m, x, b: getattr(ops, name)(x, axis=1, **({"keepdims": True} if b % 2 else {}))


kinds_of(
    *(reduced(name) for name in REDUCTIONS if hasattr(ops, name)),
    lambda m, x, b: x[:, 0],
    lambda m, x, b: x[:, -1:, :],
    lambda m, x, b: x[:, 1:],
    lambda m, x, b: x[:, ::-1],
    lambda m, x, b: ops.softmax(x, axis=1),
    lambda m, x, b: ops.normalize(x, axis=1),
    lambda m, x, b: ops.cumsum(x, axis=1),
    lambda m, x, b: ops.cumprod(x, axis=1),
    lambda m, x, b: ops.sort(x, axis=1),
    lambda m, x, b: ops.argsort(x, axis=1) * 1.0 if m.double else None,
    lambda m, x, b: ops.flip(x, axis=1),
    lambda m, x, b: ops.roll(x, 1, axis=1),
    lambda m, x, b: ops.take(x, [0, 2, 1], axis=1),
    lambda m, x, b: ops.split(x, x.shape[1], axis=1)[0],
    lambda m, x, b: ops.unstack(x, axis=1),
    lambda m, x, b: ops.repeat(x, 2, axis=1),
    lambda m, x, b: ops.max(x, axis=1, initial=0.5),
    lambda m, x, b: ops.average(x, axis=1, weights=[0.2] * x.shape[1]),
    lambda m, x, b: ops.mean(x, axis=(1, 2), keepdims=True) + x,
    lambda m, x, b: ops.reshape(x, (-1, int(np.prod(x.shape[1:])))),
    lambda m, x, b: ops.reshape(x, (-1, x.shape[1], 2, x.shape[2] // 2)),
    lambda m, x, b: ops.reshape(x, (-1, x.shape[1] // 2, 2, x.shape[2])),
    lambda m, x, b: ops.squeeze(ops.mean(x, axis=1, keepdims=True)),
    lambda m, x, b: ops.array_split(x, 2, axis=1)[0],
    ranks=(3, 4),
    name="places",
)
kinds_of(
    lambda m, x, b: ops.transpose(x, (0, 2, 1)),
    lambda m, x, b: ops.matmul(x, ops.transpose(m.like(x, b), (0, 2, 1))) / 3.0,
    lambda m, x, b: ops.matmul(
        ops.softmax(ops.matmul(x, ops.swapaxes(m.like(x, b), 1, 2))), m.other(x, b)
    ),
    lambda m, x, b: ops.einsum("bnd,bmd->bnm", x, m.like(x, b)),
    lambda m, x, b: ops.einsum("bnd,bnc->bdc", x, m.other(x, b)),
    lambda m, x, b: ops.einsum("bnd,bnd->bnd", x, m.like(x, b)),
    lambda m, x, b: ops.einsum("bnd->bdn", x),
    lambda m, x, b: ops.einsum("bnd->bd", x),
    lambda m, x, b: ops.einsum("bnd,dk->bnk", x, uneven(x.shape[-1], 2, x.dtype)),
    lambda m, x, b: ops.einsum("bnd,bmd->bdnm", x, m.like(x, b))[..., 0],
    lambda m, x, b: ops.matmul(uneven(2, x.shape[1], x.dtype), x),
    lambda m, x, b: x @ uneven(x.shape[-1], 3, x.dtype),
    lambda m, x, b: ops.tensordot(x, uneven(x.shape[-1], 3, x.dtype), axes=1),
    lambda m, x, b: ops.tensordot(x, uneven(x.shape[1], 3, x.dtype), axes=[[1], [0]]),
    lambda m, x, b: ops.dot(x, uneven(x.shape[-1], 2, x.dtype)),
    lambda m, x, b: ops.transpose(x, (0, 2, 1))[..., None],
    lambda m, x, b: ops.outer(x[:, 0, 0], x[0, 0])[:, None] + x,
    ranks=(3,),
    name="products",
)
