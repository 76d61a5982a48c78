"""Plots of machines: what is drawn is the data."""

import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.report.energy import draw_energies, draw_filters, draw_units

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("units", "shape"), [(1, None), (7, (2, 8)), (130, (4, 4))])
def test_filters_are_images_in_order(units, shape):
    kernel = RNG.normal(size=(units, 16))
    axes = draw_filters(kernel, shape).axes
    assert len(axes) == min(units, 100)
    for each, weights in zip(axes, kernel, strict=False):
        (image,) = each.images
        np.testing.assert_array_equal(image.get_array(), weights.reshape(shape or (4, 4)))
        limit = np.abs(weights).max()
        assert image.get_clim() == (-limit, limit)
    with pytest.raises(ValueError, match="must have as many pixels as there are visible units, 16"):
        draw_filters(kernel, (3, 5))


def test_histograms_share_their_bins_and_have_the_mass():
    data, samples = RNG.normal(size=500), RNG.normal(3, 1, 400)
    (axes,) = draw_energies(data, samples).axes
    bars = axes.patches
    assert len(bars) == 80
    area = [sum(b.get_height() * b.get_width() for b in bars[i : i + 40]) for i in (0, 40)]
    assert area == pytest.approx([1, 1])
    assert [bars[i].get_x() for i in range(40)] == [bars[40 + i].get_x() for i in range(40)]


def test_units_are_a_line():
    (axes,) = draw_units([3, 8, 9]).axes
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1, 3], [2, 8], [3, 9]])


def test_files_are_written_from_a_machine(tmp_path):
    x = (RNG.random((64, 9)) > 0.5).astype("float32")
    machine = an.energy.InfiniteRBM(1.1, gibbs_steps=1, seed=0)
    history = machine.fit(x, epochs=2, verbose=0)
    paths = [
        an.report.plot_filters(machine, tmp_path / "filters.png"),
        an.report.plot_energies(machine, x, tmp_path / "energies.svg", samples=50),
        an.report.plot_units(history, tmp_path / "units.pdf"),
    ]
    assert all(path.stat().st_size > 1000 for path in paths)
    with pytest.raises(ValueError, match="must end in"):
        an.report.plot_units(history, tmp_path / "units.txt")
    history.history.pop("units")
    with pytest.raises(ValueError, match=r"needs the history of InfiniteRBM\.fit"):
        an.report.plot_units(history, tmp_path / "units.png")
