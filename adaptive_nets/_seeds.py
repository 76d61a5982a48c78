"""Seeds for one purpose each."""

import random
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from adaptive_nets._checks import check_integer


def derive_seed(seed: int, *words) -> int:
    """A seed for one purpose, independent of every other purpose's."""
    path = [w if isinstance(w, int) else zlib.crc32(str(w).encode()) for w in words]
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])


# Keras draws the seeds of unseeded initializers and dropout from `random`, and a user's builder may
# draw from NumPy: from states that all threads share. Whatever makes such layers holds this lock,
# so that nothing draws in between while another thread builds a seeded candidate. It does not hold
# back a thread of the caller's that draws on its own.
making_layers = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Makes initializers and dropout created inside reproducible; the caller's state comes back.

    One thread at a time is inside, and none makes layers elsewhere under `making_layers`.
    """
    with making_layers:
        states = random.getstate(), np.random.get_state()
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def new_seed(seed: int | None) -> int:
    """The given seed, or a new one."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return check_integer("seed", seed, 0)
