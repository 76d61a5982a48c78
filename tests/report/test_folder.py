"""A real search's report."""

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.report import files as files_of_reports


@pytest.fixture(scope="module")
def search():
    """Two rounds; the second's subnetwork reads the first's."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    x = rng.normal(size=(3, 5))[y] + rng.normal(size=(200, 5))
    search = an.AdaNet(
        an.heads.MultiClass(),
        an.generators.Dense(widths=4, depths=[2], connect="all"),
        mixture_weights="vector",
        max_iterations=2,
        steps_per_iteration=20,
        force_grow=True,
        seed=0,
    )
    return search.fit(x, y, verbose=0)


@pytest.fixture(scope="module")
def files(search, tmp_path_factory):
    return an.report.write_report(search, tmp_path_factory.mktemp("report") / "new")


def test_report_holds_the_charts_and_their_data(search, files):
    named = [file.name for file in files]
    assert named[0] == "leaderboard.csv" and named[-1] == "index.html"
    assert {"learning_curves_1.png", "member_weights.png", "subnetworks.png"} <= set(named)
    assert set(files) == set(files[0].parent.iterdir())
    for file in files:
        if file.suffix == ".png":
            assert matplotlib.image.imread(file).std() > 0.02
    tables = [file for file in files if file.suffix == ".csv"]
    read = {file.stem: pd.read_csv(file, keep_default_na=False) for file in tables}
    for name, given in {
        "leaderboard": search.leaderboard(),
        "learning_curves": search.learning_curves(),
        "mixture_weights": search.member_weights(),
    }.items():
        wanted = pd.DataFrame(given)
        pd.testing.assert_frame_equal(
            read[name][list(wanted.columns)], wanted, check_dtype=False, rtol=1e-12
        )
    tree = read["architecture"]
    assert tree["subnetwork"].tolist() == ["1_2_layer_dense", "2_2_layer_dense"]
    assert tree["reads"].tolist() == ["", "1_2_layer_dense"]


def test_page_shows_all_of_it(search, files):
    page = files[-1].read_text()
    report = search.report_data()
    for name in report.frames:
        assert f'data-chart="{name}"' in page or f">{report_title(report, name)}" in page
    assert "2_2_layer_dense" in page and len(page) < 3_000_000
    # It asks nothing of a network.
    assert "default-src 'none'" in page
    assert "src=" not in page.partition("<script")[0] and "<link" not in page


def report_title(report, name):
    (found,) = [b.title for b in report.blocks if getattr(b, "name", None) == name]
    return found


def test_plots_of_a_search_are_those_of_its_tables(search, tmp_path):
    for plot, tables in {
        an.report.plot_learning_curves: [search.learning_curves()],
        an.report.plot_mixture_weights: [search.member_weights()],
    }.items():
        one = plot(search, tmp_path / "one.png").read_bytes()
        assert plot(*tables, tmp_path / "other.png").read_bytes() == one
    one = an.report.plot_architecture(search, tmp_path / "one.png").read_bytes()
    tree, weights = search.architecture(), search.member_weights()
    path = an.report.plot_architecture(tree, tmp_path / "other.png", weights)
    assert path.read_bytes() == one


def test_nothing_is_written_if_a_chart_fails(search, tmp_path, monkeypatch):
    def fail(*given):
        raise RuntimeError("cannot draw")

    monkeypatch.setattr(files_of_reports, "still", fail)
    with pytest.raises(RuntimeError, match="cannot draw"):
        an.report.write_report(search, tmp_path / "report")
    assert not list(tmp_path.iterdir())


def test_search_that_was_not_fit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="fit"):
        an.report.write_report(an.AdaNet(an.heads.BinaryClass()), tmp_path / "report")
    with pytest.raises(TypeError, match="Received: {}"):
        an.report.write_report({}, tmp_path / "report")
    assert not list(tmp_path.iterdir())
