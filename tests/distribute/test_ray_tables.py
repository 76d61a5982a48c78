"""Processes of a Ray cluster fit a table together, each with its half, as one process does."""

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.automl.clusters.on_ray import _shares
from adaptive_nets.data.tables import opening


@pytest.fixture(scope="module")
def cluster():
    """Two CPUs of this machine; it counts nothing and asks for no token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("ADAPTIVE_NETS_CLUSTER_SECONDS", "120")
        ray = an.distribute.import_ray()
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield ray
        ray.shutdown()


def table(rows=1601):
    random = np.random.default_rng(0)
    number, word = random.normal(size=rows), random.choice(["red", "green", "blue"], rows)
    amount = number**2 + 2 * (word == "red") + random.normal(scale=0.1, size=rows)
    return pd.DataFrame({"number": number, "word": word, "amount": amount})


def model(**arguments):
    generator = an.generators.Dense([16], 1, optimizer="sgd", learning_rate=0.05)
    return an.AutoRegressor(generator=generator, seed=0, verbose=0, **arguments)


@pytest.mark.exhaustive
def test_two_processes_of_ray_find_what_one_does(cluster, tmp_path, monkeypatch):
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = ray.data.from_pandas([table().iloc[:900], table().iloc[900:]])
    shares, places = _shares(rows, 2)
    assert places == [(0, 1601), (800, 1601)] and [s.count() for s in shares] == [800, 801]
    both = pd.concat([share.to_pandas() for share in shares], ignore_index=True)
    pd.testing.assert_frame_equal(both, table(), check_dtype=False)
    on_two = an.distribute.Ray(workers=2)
    folder = tmp_path / "run"
    found = model(placement=on_two, model_dir=folder).fit(rows, "amount")
    monkeypatch.setattr(opening, "MEMORY_LIMIT", 0)
    alone = model().fit(rows, "amount")
    # Rounding decides whether the last round has improved a little or not at all.
    _, _, rows_read = found.leaderboard()["note"].iloc[-1].partition("; ")
    assert rows_read and alone.leaderboard()["note"].iloc[-1].endswith(rows_read)
    np.testing.assert_allclose(
        found.predict(table().iloc[:100]), alone.predict(table().iloc[:100]), atol=1e-4
    )
    assert found.search_.state.iteration == alone.search_.state.iteration
    with pytest.raises(ValueError, match="no column 'amuont'"):
        model(placement=on_two).fit(rows, "amuont")


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        ({"placement": "soup"}, "x.parquet", "placement must be 'replicated', 'ray' or"),
        ({"placement": "round_robin"}, "x.parquet", "placement must be 'replicated', 'ray' or"),
        ({"placement": "ray", "distribute": "auto"}, "x.parquet", "Leave out distribute"),
        ({"placement": "ray"}, table(50), "need it in Parquet files"),
        ({"placement": "ray"}, "x.csv", "No such file"),
    ],
)
def test_what_processes_of_ray_cannot_fit_is_refused_before_they_start(arguments, given, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        an.AutoRegressor(**arguments).fit(given, "amount")
