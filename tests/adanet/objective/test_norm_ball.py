"""The norm bound on a unit's incoming weights."""

import math

import keras
import numpy as np
import pytest

from adaptive_nets.adanet.objective.norm_ball import NormBall, remove_norm_balls_in_place

pytestmark = pytest.mark.backend_agnostic

RNG = np.random.default_rng(0)
NORMS = [1.0, 1.5, 2.0, 3.0, math.inf]


def _apply(ball, w):
    return keras.ops.convert_to_numpy(ball(w))


def _norms(w, p):
    return np.linalg.norm(np.asarray(w, "float64").reshape(-1, w.shape[-1]), p, axis=0)


@pytest.mark.parametrize("shape", [(6, 8), (3, 2, 4, 8)])
@pytest.mark.parametrize("p", NORMS)
def test_units_are_scaled_to_the_ball_and_those_inside_left(p, shape):
    w = RNG.normal(size=shape)
    # Half of the units inside, half outside.
    w *= 0.7 * np.repeat([0.5, 2.0], 4) / _norms(w, p)
    w = w.astype("float32")
    found = _apply(NormBall(p, 0.7), w)
    np.testing.assert_array_equal(found[..., :4], w[..., :4])
    expected = w[..., 4:].astype("float64") * 0.7 / _norms(w, p)[4:]
    np.testing.assert_allclose(found[..., 4:], expected, rtol=1e-5)
    np.testing.assert_allclose(_norms(found, p)[4:], 0.7, rtol=1e-6)


def test_of_p_2_it_is_keras_max_norm():
    w = RNG.normal(size=(5, 40)).astype("float32")
    assert 5 < (_norms(w, 2) > 2).sum() < 35
    expected = keras.constraints.MaxNorm(2.0)(w)
    expected = keras.ops.convert_to_numpy(expected)
    np.testing.assert_allclose(_apply(NormBall(2, 2.0), w), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("p", [1.0, 2.0, 30.0, math.inf])
def test_zero_tiny_and_huge_weights_stay_finite(p):
    w = np.array([[0.0, 1e-30, 3e30, 0.0], [0.0, -1e-30, 0.0, 5.0]], "float32")
    found = _apply(NormBall(p), w)
    expected = np.array([[0.0, 1e-30, 1.0, 0.0], [0.0, -1e-30, 0.0, 1.0]])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_half_precision_keeps_its_dtype():
    w = keras.ops.cast(np.full((4, 2), 300.0), "float16")
    found = NormBall(2.0)(w)
    assert keras.backend.standardize_dtype(found.dtype) == "float16"
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), 0.5, rtol=1e-3)


def _fitted(constraint):
    layers = [keras.layers.Dense(n, kernel_constraint=constraint) for n in (6, 1)]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    x = np.random.default_rng(1).normal(size=(64, 5)).astype("float32")
    model.fit(x, 9 * x[:, :1], epochs=3, verbose=0)
    return [_norms(keras.ops.convert_to_numpy(layer.kernel), 1.5).max() for layer in layers]


def test_it_holds_in_training():
    assert min(_fitted(None)) > 1.0
    assert 0.99 < max(_fitted(NormBall(1.5, 0.8))) / 0.8 < 1 + 1e-6


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"p": 0.99}, "p=0.99"),
        ({"p": math.nan}, "p=nan"),
        ({"max_norm": 0}, "max_norm=0"),
        ({"max_norm": -1.0}, "max_norm=-1.0"),
        ({"max_norm": math.nan}, "max_norm=nan"),
        ({"max_norm": math.inf}, "max_norm=inf"),
        ({"max_norm": None}, "max_norm=None"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=f"Received: {words}"):
        NormBall(**arguments)


# Saving ------------------------------------------------------------------------------------------


def _nested_model():
    """Balls in a layer, in a nested Functional model, in one nested within it, and in a wrapper."""

    def dense(units, constraint=None):
        return keras.layers.Dense(units, kernel_constraint=constraint or NormBall(math.inf, 0.5))

    inmost = keras.Sequential([keras.Input((4,)), dense(3)], name="inmost")
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, dense(2, keras.constraints.MaxNorm(2.0))(inmost(inputs)))
    inputs = keras.Input((5, 4))
    steps = keras.layers.TimeDistributed(dense(4))(inputs)
    outputs = inner(dense(4)(keras.layers.GlobalAveragePooling1D()(steps)))
    return keras.Model(inputs, outputs), inner


LOADER = """
import sys
sys.modules["adaptive_nets"] = None
import keras, numpy as np
folder = sys.argv[1]
model = keras.saving.load_model(folder + "/plain.keras")
np.save(folder + "/found.npy", model.predict(np.load(folder + "/x.npy"), verbose=0))
try:
    keras.saving.load_model(folder + "/bound.keras")
except Exception as error:
    sys.exit(0 if "NormBall" in str(error) else str(error))
sys.exit("loaded with constraints that are not there")
"""


def test_without_its_balls_a_model_loads_where_the_package_is_not(tmp_path, python):
    model, inner = _nested_model()
    x = RNG.normal(size=(7, 5, 4)).astype("float32")
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "bound.keras")
    again = keras.saving.load_model(tmp_path / "bound.keras")
    kept = [v.constraint for v in again.trainable_variables if v.constraint is not None]
    assert [type(c) for c in kept].count(NormBall) == 3
    assert {(c.p, c.max_norm) for c in kept if isinstance(c, NormBall)} == {(math.inf, 0.5)}
    remove_norm_balls_in_place(model)
    assert [type(v.constraint) for v in model.variables if v.constraint is not None] == [
        keras.constraints.MaxNorm
    ]
    assert isinstance(inner.layers[-1].kernel_constraint, keras.constraints.MaxNorm)
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    model.save(tmp_path / "plain.keras")
    np.save(tmp_path / "x.npy", x)
    python.run("-c", LOADER, tmp_path, cwd=tmp_path, package=False)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, rtol=1e-5, atol=1e-6)
