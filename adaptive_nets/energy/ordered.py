"""Ordered machines, with n hidden units or as many as the data requires."""

import dataclasses
from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import check_bool, check_integer, check_number, or_none
from adaptive_nets.energy.checks import UNITS_PER_FEATURE, check_beta, has_real_values
from adaptive_nets.energy.gibbs import move_chains
from adaptive_nets.energy.learning.contrast import free_energy_gaps, surprise
from adaptive_nets.energy.learning.shrinking import SoftThreshold
from adaptive_nets.energy.learning.widening import KeepRoom
from adaptive_nets.energy.order import Ordered, Parameters
from adaptive_nets.energy.rbm import RBM


@keras.saving.register_keras_serializable(package="adaptive_nets")
class OrderedRBM(RBM):
    """A restricted Boltzmann machine in which only the first z units are active; z is random.

    Each active unit pays the price `beta softplus(b)`, so that the first ones learn first.

    Args:
        units: Number of hidden units.
        beta: Factor of the price of a unit, > 1. Defaults to `1.01`.
        **kwargs: Further arguments of `RBM`.

    Example:

    ```python
    import numpy as np
    import adaptive_nets as an

    x = (np.random.rand(100, 16) > 0.5).astype("float32")
    model = an.energy.OrderedRBM(8, seed=0)
    model.fit(x, epochs=2, verbose=0)
    ```

    Reference: Côté, Larochelle, "An Infinite Restricted Boltzmann Machine", arXiv 1502.02476,
    section 3.
    """

    endless = False

    def __init__(self, units: int, beta: float = 1.01, **kwargs: Any) -> None:
        check_beta(beta)
        super().__init__(units, **kwargs)
        self.beta = float(beta)
        self.order = Ordered(self.beta, self.endless)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "beta": self.beta}


@keras.saving.register_keras_serializable(package="adaptive_nets")
class InfiniteRBM(OrderedRBM):
    """A restricted Boltzmann machine with infinitely many hidden units, some of them trained.

    It begins with one unit whose weights are zero. Whenever a sample uses all trained units, one
    more is trained; this changes no energy, because the unit was there before, untrained.
    Variables have capacity for more units than are trained. The capacity doubles when it is full,
    so functions are retraced at most log2(n) times.

    Args:
        beta: Factor of the price of a unit, > 1. The closer to 1, the more units are used.
            Defaults to `1.01`.
        max_units: Maximum number of trained units. Defaults to `None`: no limit for rows of bits;
            for rows of real values, once they are seen, 2 per visible unit and at least 64.
        regroup: Whether to put units into a random order at each step, which trains all of them
            equally and is faster. Defaults to `False`.
        l1: Strength of the L1 penalty: each step moves the kernel towards zero by the learning
            rate times `l1`, and drops the last unit once its weights are zero. Defaults to `0`.
        capacity: Initial capacity, in units. Defaults to `64`.
        **kwargs: Further arguments of `RBM`, except `units`.

    Attributes:
        n_units: Number of trained units.

    Example:

    ```python
    import numpy as np
    import adaptive_nets as an

    x = np.eye(16, dtype="float32")[np.random.randint(0, 16, 200)]
    model = an.energy.InfiniteRBM(beta=1.1, gibbs_steps=10, seed=0)
    model.fit(x, epochs=5, verbose=0)
    model.n_units
    ```

    Reference: Côté, Larochelle, "An Infinite Restricted Boltzmann Machine", arXiv 1502.02476,
    section 4; for regrouping Peng, Gao, Li, "On better training the infinite restricted Boltzmann
    machines", Machine Learning 107, 2018.
    """

    endless = True

    def __init__(
        self,
        beta: float = 1.01,
        max_units: int | None = None,
        regroup: bool = False,
        l1: float = 0.0,
        capacity: int = 64,
        **kwargs: Any,
    ) -> None:
        capacity = check_integer("capacity", capacity, 1)
        max_units = or_none(check_integer, "max_units", max_units, 1)
        check_number("l1", l1, 0)
        kwargs = {"kernel_initializer": "zeros", "gibbs_steps": 10, **kwargs}
        kwargs.pop("units", None)
        super().__init__(1, beta, **kwargs)
        self.max_units, self.regroup, self.l1 = max_units, check_bool("regroup", regroup), float(l1)
        self.capacity = capacity if max_units is None else min(capacity, max_units)

    def adapt(self, x: Any) -> None:
        """As in `RBM`; limits the number of units for real values, which say less than bits."""
        super().adapt(x)
        if self.max_units is None and (self.visible == "gaussian" or has_real_values(x)):
            visible = self.visible_variable.shape[0]
            self.max_units = max(UNITS_PER_FEATURE * visible, 64, self.capacity)

    def add_hidden(self, capacity: int, visible: int) -> None:
        super().add_hidden(capacity, visible)
        if self.l1:
            self.kernel_variable.constraint = SoftThreshold(self)

    def contrast(self, v: Any) -> Any:
        """As in `RBM`; trains one more unit if a sample uses all trained ones."""
        p = self.parameters
        if self.regroup:
            p = p.regrouped(self.random_order(p))
        wanted = ops.max(self.order.draw(p.inputs(v), p, self.drawn_numbers(v))[1])
        if self.method != "pl":
            chains, z = move_chains(self, v, p)
            wanted = ops.maximum(wanted, ops.max(z))
        limit = self.capacity if self.max_units is None else min(self.capacity, self.max_units)
        units = ops.minimum(p.units + ops.cast(wanted >= p.units, "int32"), limit)
        self.count.assign(units)
        p = dataclasses.replace(p, units=units)
        return surprise(self, v, p) if self.method == "pl" else free_energy_gaps(self, v, chains, p)

    def drawn_numbers(self, v: Any) -> Any:
        """Draws uniform numbers that decide how many units each row uses."""
        shape = (ops.shape(v)[0],)
        return keras.random.uniform(shape, seed=self.draws, dtype=self.compute_dtype)

    def random_order(self, p: Parameters) -> Any:
        """Returns a random order of the trained units, followed by the spare capacity."""
        capacity = p.kernel.shape[1]
        places = ops.arange(capacity, dtype="int32")
        keys = keras.random.uniform((capacity,), seed=self.draws, dtype="float32")
        room = ops.cast(places >= p.units, "float32") * ops.cast(places + 1, "float32")
        return ops.argsort(keys + room)

    def own_callbacks(self) -> list[keras.callbacks.Callback]:
        """Returns the callbacks that watch `fit` and add capacity."""
        return [KeepRoom(), *super().own_callbacks()]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, with the current capacity."""
        config = {
            **super().get_config(),
            "max_units": self.max_units,
            "regroup": self.regroup,
            "l1": self.l1,
            "capacity": self.capacity,
        }
        del config["units"]
        return config
