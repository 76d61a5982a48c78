"""Mixture weights: bars and cells are the data."""

import numpy as np
import pytest

from adaptive_nets.report.mixture import draw_mixture_weights


def bars(axes):
    """Widths of the bars from the top down."""
    found = sorted(axes.patches, key=lambda bar: bar.get_y())
    low, high = axes.get_ylim()
    assert low > high, "the first member is at the top"
    return [bar.get_width() for bar in found]


def names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


@pytest.mark.parametrize("members", [1, 5, 30])
def test_scalar_weights_are_bars(tables, members):
    frame = tables.weights(members)
    (axes,) = draw_mixture_weights(frame).axes
    np.testing.assert_array_equal(bars(axes), frame["weight"])
    assert names(axes) == frame["subnetwork"].tolist()
    assert [text.get_text() for text in axes.texts] == [f"{w:.3g}" for w in frame["weight"]]


@pytest.mark.parametrize(("members", "logits"), [(1, 1), (4, 10), (30, 300)])
@pytest.mark.parametrize("signed", [True, False])
def test_one_weight_a_logit_is_a_cell(tables, members, logits, signed):
    frame = tables.weights(members, logits, signed).sample(frac=1, random_state=0)
    order = frame["subnetwork"].unique()
    figure = draw_mixture_weights(frame)
    heat, norms, _ = figure.axes
    (image,) = heat.images
    expected = frame.set_index(["subnetwork", "unit"])["weight"].unstack().loc[order]
    np.testing.assert_array_equal(image.get_array(), expected)
    largest = np.abs(expected.to_numpy()).max()
    has_sign = expected.to_numpy().min() < 0
    assert image.get_clim() == (-largest if has_sign else 0, largest)
    assert names(heat) == list(order)
    by_name = frame.drop_duplicates("subnetwork").set_index("subnetwork")["norm"]
    np.testing.assert_array_equal(bars(norms), by_name.loc[order])


def test_logits_are_named_by_their_numbers(tables):
    heat = draw_mixture_weights(tables.weights(2, 40)).axes[0]
    labels = {
        int(label.get_text()): x
        for x, label in zip(heat.get_xticks(), heat.get_xticklabels(), strict=True)
    }
    assert 8 <= len(labels) <= 15
    assert all(number == x for number, x in labels.items())


def test_all_zero_weights_are_drawn(tables):
    frame = tables.weights(2, 3).assign(weight=0.0, norm=0.0)
    figure = draw_mixture_weights(frame)
    figure.draw_without_rendering()
    assert figure.axes[0].images[0].get_clim() == (0, 1)
