"""Models of given weights, and double precision."""

import keras
import numpy as np
import pytest

import adaptive_nets as an


@pytest.fixture(scope="module")
def double():
    """Layers of float64 while a module's tests run."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.fixture(scope="session")
def filled():
    """Makes a model of given weights, "plain", "ordered" or "infinite"."""

    def make(kind, kernel, hidden, bias, beta=1.3, room=2, **settings):
        settings = {"seed": 0, **settings}
        if kind == "infinite":
            model = an.energy.InfiniteRBM(beta, capacity=len(kernel) + room, **settings)
        elif kind == "ordered":
            model = an.energy.OrderedRBM(len(kernel), beta, **settings)
        else:
            model = an.energy.RBM(len(kernel), **settings)
        model.build((None, kernel.shape[1]))
        room = model.capacity - len(kernel)
        model.kernel_variable.assign(np.pad(kernel, ((0, room), (0, 0))).T)
        model.bias_variable.assign(np.pad(hidden, (0, room)))
        model.visible_variable.assign(bias)
        model.count.assign(len(kernel))
        return model

    return make
