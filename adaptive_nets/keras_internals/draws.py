"""Where Keras takes the seeds that its initializers and layers were not given."""

import contextlib
import random
import threading
from collections.abc import Iterator
from typing import Any


class _Draws:
    """Stands for the module `random` where Keras draws seeds: each thread may have its own source.

    Threads without one draw from the module, as before.
    """

    def __init__(self):
        self._own = threading.local()

    @property
    def source(self) -> random.Random | None:
        """The calling thread's own source, or `None`."""
        return getattr(self._own, "source", None)

    @source.setter
    def source(self, source: random.Random | None) -> None:
        self._own.source = source

    def randint(self, low: int, high: int) -> int:
        return (self.source or random).randint(low, high)

    def __getattr__(self, name: str) -> Any:
        return getattr(random, name)


_DRAWS = _Draws()


def draw_seed() -> int:
    """Draws a seed as Keras does for what was given none: inside `seeded`, from its source."""
    from keras.src.random.seed_generator import make_default_seed

    return make_default_seed()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Makes the layers and initializers that this thread creates inside reproducible.

    Keras takes the seeds that it was not given from here. Random states that belong to the process
    (of Python, NumPy, TensorFlow and Keras) are neither read nor changed, so that threads do not
    disturb each other.

    Args:
        seed: Integer seed.
    """
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator

    seed_generator.python_random = _DRAWS
    # Random operations without a seed share a generator, which Keras keeps for each thread.
    name = seed_generator.GLOBAL_SEED_GENERATOR
    before, shared = _DRAWS.source, global_state.get_global_attribute(name)
    _DRAWS.source = random.Random(seed)
    global_state.set_global_attribute(name, None)
    try:
        yield
    finally:
        _DRAWS.source = before
        global_state.set_global_attribute(name, shared)
