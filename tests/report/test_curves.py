"""Learning curves: what is drawn is the data."""

import numpy as np
import pandas as pd
import pytest

from adaptive_nets.report.curves import draw_learning_curves


def drawn(figure):
    """`(round, name) -> line`, the name by the legend's entry of the same look."""
    (legend,) = figure.legends
    names = {
        (handle.get_color(), handle.get_linestyle()): text.get_text()
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True)
    }
    return {
        (axes.get_title(), names[line.get_color(), line.get_linestyle()]): line
        for axes in figure.axes
        for line in axes.lines
    }


@pytest.mark.parametrize("rounds", [1, 3, 4, 12])
def test_lines_are_the_frame_s(tables, rounds):
    frame = tables.curves(rounds)
    figure = draw_learning_curves(frame)
    assert [axes.get_title() for axes in figure.axes] == [f"Round {k + 1}" for k in range(rounds)]
    lines = drawn(figure)
    assert len(lines) == 2 * rounds
    for (number, name), curve in frame.groupby(["round", "candidate"]):
        line = lines[f"Round {number}", name]
        np.testing.assert_array_equal(line.get_xdata(), curve["step"])
        np.testing.assert_array_equal(line.get_ydata(), curve["loss"])


def test_every_column_ends_with_its_steps(tables):
    figure = draw_learning_curves(tables.curves(5))
    figure.draw_without_rendering()
    labelled = [axes.get_title() for axes in figure.axes if axes.get_xlabel()]
    assert labelled == ["Round 3", "Round 4", "Round 5"]
    ticks = [any(t.get_text() for t in axes.get_xticklabels()) for axes in figure.axes]
    assert ticks == [False, False, True, True, True]


@pytest.mark.parametrize(("losses", "scale"), [([1.0, 0.2], "linear"), ([1.0, 0.09], "log")])
def test_scale_is_logarithmic_where_the_loss_spans_a_decade(losses, scale):
    frame = pd.DataFrame({"round": 1, "candidate": "a", "step": [1, 2], "loss": losses})
    assert draw_learning_curves(frame).axes[0].get_yscale() == scale


def test_a_diverged_candidate_does_not_hide_the_others():
    losses = [1.0, 0.5, np.inf, np.nan]
    frame = pd.DataFrame({"round": 1, "candidate": "a", "step": range(4), "loss": losses})
    figure = draw_learning_curves(frame)
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_ylim()
    assert figure.axes[0].get_yscale() == "linear"
    assert 0.4 < low < 0.5
    assert 1.0 < high < 1.1


def test_negative_losses_are_linear():
    frame = pd.DataFrame({"round": 1, "candidate": "a", "step": [1, 2], "loss": [1e-3, -1.0]})
    assert draw_learning_curves(frame).axes[0].get_yscale() == "linear"


def test_names_are_shown_as_they_are():
    names = ["$x^2$", "_own", "1_layer"]
    frame = pd.DataFrame({"round": 1, "candidate": names, "step": 1, "loss": [1.0, 2.0, 3.0]})
    figure = draw_learning_curves(frame)
    texts = figure.legends[0].get_texts()
    assert [text.get_text() for text in texts] == names
    assert not any(text.get_parse_math() for text in texts)
    # A curve of one point has a mark.
    assert all(line.get_marker() == "." for line in figure.axes[0].lines)


def test_the_legend_is_below_the_panels(tables):
    figure = draw_learning_curves(tables.curves(12))
    figure.draw_without_rendering()
    lowest = min(axes.get_tightbbox().y0 for axes in figure.axes)
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.y0 < box.y1 <= lowest
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
