"""Seeds for one purpose each."""

import zlib

import numpy as np

from adaptive_nets._checks import check_integer


def derive_seed(seed: int, *words) -> int:
    """A seed for one purpose, independent of every other purpose's."""
    path = [w if isinstance(w, int) else zlib.crc32(str(w).encode()) for w in words]
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])


def new_seed(seed: int | None) -> int:
    """The given seed, or a new one."""
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return check_integer("seed", seed, 0)
