"""What the tests of a search's folder share: few rows, and a search that costs next to nothing."""

import pytest


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(60)


@pytest.fixture(scope="module")
def search(lc):
    """Makes a search of one round, whose rounds cost next to nothing."""

    def make(folder, **more):
        given = {"mixture_weights": "uniform", "steps_per_iteration": 2, "max_iterations": 1}
        return lc.small(folder, **{**given, "jit_compile": False, **more})

    return make
