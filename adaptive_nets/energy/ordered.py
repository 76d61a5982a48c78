"""Ordered machines, of n units or of as many as the data wants."""

import dataclasses
from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import check_integer, check_number
from adaptive_nets.energy.checks import check_beta
from adaptive_nets.energy.order import Ordered, Parameters
from adaptive_nets.energy.rbm import RBM
from adaptive_nets.energy.shrinking import SoftThreshold
from adaptive_nets.energy.widening import KeepRoom


@keras.saving.register_keras_serializable(package="adaptive_nets")
class OrderedRBM(RBM):
    """A restricted Boltzmann machine of which the first z units take part, z being drawn too.

    Each unit pays `beta softplus(b)` for taking part, so that the first ones learn first.

    Args:
        units: Number of hidden units.
        beta: The price, > 1. Defaults to 1.01.
        **kwargs: As for `RBM`.

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
        """The constructor's arguments."""
        return {**super().get_config(), "beta": self.beta}


@keras.saving.register_keras_serializable(package="adaptive_nets")
class InfiniteRBM(OrderedRBM):
    """A restricted Boltzmann machine of infinitely many hidden units, of which some are trained.

    It begins with one unit of zero weights. Whenever a sample wants all trained units, one more is
    trained, which changes no energy, for it is one of those behind. Variables have room for more
    units than there are; the room is doubled when it is full, so functions are traced again
    log2(n) times at most.

    Args:
        beta: The price of a unit, > 1. Nearer to 1 more units are used. Defaults to 1.01.
        max_units: No more are trained. Defaults to `None`: no limit.
        regroup: Whether units are put into a random order at each step, which trains them all
            alike and faster. Defaults to `False`.
        l1: The kernel is moved towards zero by the learning rate times this at each step, and the
            last unit is given up once its weights are zero. Defaults to 0.
        capacity: Room for so many units at the beginning. Defaults to 64.
        **kwargs: As for `RBM`, but `units`.

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
        check_integer("capacity", capacity, 1)
        if max_units is not None:
            check_integer("max_units", max_units, 1)
        check_number("l1", l1, 0)
        kwargs = {"kernel_initializer": "zeros", "gibbs_steps": 10, **kwargs}
        kwargs.pop("units", None)
        super().__init__(1, beta, **kwargs)
        self.max_units, self.regroup, self.l1 = max_units, bool(regroup), float(l1)
        self.capacity = capacity if max_units is None else min(capacity, max_units)

    def add_hidden(self, capacity: int, visible: int) -> None:
        super().add_hidden(capacity, visible)
        if self.l1:
            self.kernel_variable.constraint = SoftThreshold(self)

    def contrast(self, v: Any) -> Any:
        """As of `RBM`; one more unit is trained where a sample wants all there are."""
        p = self.parameters
        if self.regroup:
            p = p.regrouped(self.random_order(p))
        wanted = ops.max(self.order.draw(p.inputs(v), p, self.drawn_numbers(v))[1])
        chains, z = self.moved(v, p)
        wanted = ops.maximum(wanted, ops.max(z))
        limit = self.capacity if self.max_units is None else min(self.capacity, self.max_units)
        units = ops.minimum(p.units + ops.cast(wanted >= p.units, "int32"), limit)
        self.count.assign(units)
        p = dataclasses.replace(p, units=units)
        return self.gaps(v, chains, p)

    def drawn_numbers(self, v: Any) -> Any:
        """Uniform draws for how many units each row wants."""
        shape = (ops.shape(v)[0],)
        return keras.random.uniform(shape, seed=self.draws, dtype=self.compute_dtype)

    def random_order(self, p: Parameters) -> Any:
        """The trained units in a random order, and the room behind them."""
        capacity = p.kernel.shape[1]
        places = ops.arange(capacity, dtype="int32")
        keys = keras.random.uniform((capacity,), seed=self.draws, dtype="float32")
        room = ops.cast(places >= p.units, "float32") * ops.cast(places + 1, "float32")
        return ops.argsort(keys + room)

    def own_callbacks(self) -> list[keras.callbacks.Callback]:
        """What watches `fit`, and makes room for units."""
        return [KeepRoom(), *super().own_callbacks()]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with the present capacity."""
        config = {
            **super().get_config(),
            "max_units": self.max_units,
            "regroup": self.regroup,
            "l1": self.l1,
            "capacity": self.capacity,
        }
        del config["units"]
        return config
