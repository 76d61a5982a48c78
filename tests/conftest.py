"""What all tests share."""

import collections
import gc
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# float64 is compared with float64 under KERAS_BACKEND=jax too.
os.environ.setdefault("JAX_ENABLE_X64", "1")
# Tests run a program once or twice, and to optimise it takes longer.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import pytest
from python_processes import Forkserver

REPO = pathlib.Path(__file__).resolve().parents[1]


# A trace makes some hundred thousand objects, few of them garbage.
gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish(session):
    """What has been imported stays, and graphs that run once or twice are not rewritten first."""
    gc.freeze()
    _rewrite_graphs(False)


def _rewrite_graphs(on):
    if "tensorflow" in sys.modules:
        optimizer = sys.modules["tensorflow"].config.optimizer
        optimizer.set_experimental_options({"disable_meta_optimizer": not on})


@pytest.fixture
def rewritten_graphs():
    """TensorFlow makes graphs faster before it runs them, as it does outside tests."""
    _rewrite_graphs(True)
    yield
    _rewrite_graphs(False)


@pytest.fixture(scope="module", autouse=True)
def what_is_left_is_not_collected_again():
    """Keras keeps what a file's tests made; to walk through it each time took a tenth of them."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def what_a_long_test_leaves_is_collected_at_once():
    """To collect the graphs of a whole file together takes far longer than those of each test."""
    began = time.perf_counter()
    yield
    if time.perf_counter() - began > 2:
        gc.collect()


def _listed(name):
    """`{test, or file: the rest of its line}` of a list of tests beside this file."""
    lines = pathlib.Path(__file__).with_name(name).read_text("utf-8").splitlines()
    parts = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return {test: rest for test, _, rest in parts}


def pytest_collection_modifyitems(items):
    """Marks the tests that `slow_tests.txt` and `exhaustive_tests.txt` name, in whatever folder."""
    slow, exhaustive = _listed("slow_tests.txt"), _listed("exhaustive_tests.txt")
    cases = collections.Counter()
    for item in items:
        file, _, test = item.nodeid.partition("[")[0].rpartition("/")[2].partition("::")
        name = f"{file}::{test}"
        if file in slow or name in slow:
            item.add_marker(pytest.mark.slow)
        step = exhaustive.get(name, exhaustive.get(file))
        if step is not None:
            if not step or cases[name] % int(step):
                item.add_marker(pytest.mark.exhaustive)
            cases[name] += 1


@pytest.fixture(scope="session")
def python():
    """Starts other Python processes: `python.run("-c", code)`, and without the package too."""
    server = Forkserver()
    yield server
    server.close()


@pytest.fixture(scope="session")
def data_dir() -> pathlib.Path:
    """The folder of real data sets: $ADAPTIVE_NETS_DATA, or a data folder beside the checkout."""
    named = os.environ.get("ADAPTIVE_NETS_DATA")
    path = pathlib.Path(named) if named else REPO.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(
            f"ADAPTIVE_NETS_DATA names no folder: {named}"
            if named
            else "needs real data: set ADAPTIVE_NETS_DATA to its folder"
        )
    return path


@pytest.fixture(scope="module")
def few_chunks():
    """The mixture weights of endless data are solved on few pieces of it, to be quick."""
    from adaptive_nets.adanet.rounds import runner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "MIXTURE_CHUNKS", 12)
        yield
