"""What the growth tests share: models whose weights hide nothing, and comparison to scale."""

import types

import keras
import numpy as np
import pytest


def randomise(model, seed=0, spread=0.5):
    """Gives every weight random values, and moving variances positive ones.

    Fresh initialisations hide mistakes: biases are zero there, gains and variances one.
    """
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "seed" in variable.path or "int" in variable.dtype:
            continue
        shape = tuple(variable.shape)
        if "variance" in variable.path:
            value = rng.uniform(0.5, 2.0, shape)
        elif len(shape) > 1:
            # Kernels of this spread keep activations of order one through many layers.
            value = rng.normal(size=shape) / np.sqrt(max(np.prod(shape[:-1]), 1))
        else:
            offset = 1.0 if "gamma" in variable.path or "scale" in variable.path else 0.0
            value = offset + spread * rng.normal(size=shape)
        variable.assign(value.astype(variable.dtype))
    return model


def outputs(model, x):
    """All outputs of a model at inference, in float64."""
    call = model if keras.backend.backend() == "tensorflow" else compiled(model)
    found = keras.tree.flatten(call(x, training=False))
    return [keras.ops.convert_to_numpy(y).astype("float64") for y in found]


def compiled(model):
    """The model as one program: step by step, JAX compiles every operation of every shape."""
    import jax

    def call(trainable, rest, x):
        return model.stateless_call(trainable, rest, x, training=False)[0]

    def run(x, training):
        values = [
            [variable.value for variable in variables]
            for variables in (model.trainable_variables, model.non_trainable_variables)
        ]
        return jax.jit(call)(*values, x)

    return run


def gap(grown, expected):
    """The largest difference of outputs, relative to the outputs' scale."""
    pairs = zip(grown, expected, strict=True)
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)) for a, b in pairs)


def fused_gap(sources, x, **settings):
    """The gap of a fused model, whose plan is exact, to the mean of its sources."""
    from adaptive_nets import growth

    fused = growth.fuse(sources, verify=False, **settings)  # first, for a call may draw numbers
    found = [outputs(source, x) for source in sources]
    expected = [np.mean(each, axis=0) for each in zip(*found, strict=True)]
    return gap(outputs(fused, x), expected)


@pytest.fixture(scope="session")
def gc():
    """The helpers above."""
    return types.SimpleNamespace(randomise=randomise, outputs=outputs, gap=gap, fused_gap=fused_gap)
