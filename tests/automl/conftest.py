"""A raw table, and a model that a short search has found for it."""

import functools
import pathlib
import runpy

import pytest

import adaptive_nets as an
from adaptive_nets.automl import searching

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def flats():
    """Offers of flats: text, dates, codes, and holes of several kinds."""
    return runpy.run_path(str(EXAMPLES / "raw_table.py"), run_name="example")["flats"](320)


@pytest.fixture(scope="session")
def short_search():
    """Within it, a front searches one round of few steps."""

    def within():
        context = pytest.MonkeyPatch.context()
        patch = context.__enter__()
        short = functools.partial(an.AdaNet, max_iterations=1, steps_per_iteration=60)
        patch.setattr(searching, "AdaNet", short)
        return context

    context = within()
    yield
    context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def generator():
    return an.generators.Tabular("mlp", members=1, width=16)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("automl")


@pytest.fixture(scope="session")
def fitted(flats, short_search, generator, folder):
    """A regressor of the rents, kept in a folder."""
    path = folder / "flats.csv"
    flats.to_csv(path, index=False)
    model = an.AutoRegressor(generator=generator, model_dir=folder / "run", seed=0, verbose=0)
    return model.fit(path, "rent")
