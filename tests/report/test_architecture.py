"""The architecture: a box a subnetwork, an arc a connection, an arrow a member."""

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from adaptive_nets.report.architecture import draw_architecture


def parts(figure):
    """Boxes and arrows; arrows as `(start, end)` in data coordinates, arcs apart."""
    patches = figure.axes[0].patches
    boxes = [p for p in patches if isinstance(p, FancyBboxPatch)]
    arcs, arrows = [], []
    for patch in patches:
        if isinstance(patch, FancyArrowPatch):
            if patch._posA_posB is None:
                arcs.append((patch._path_original.vertices[0], patch._path_original.vertices[-1]))
            else:
                arrows.append((patch, patch._posA_posB))
    return boxes, arcs, arrows


@pytest.mark.parametrize("rounds", [1, 4, 12])
def test_boxes_and_connections_are_the_frame_s(tables, rounds):
    frame = tables.architecture(rounds).sample(frac=1, random_state=0)
    boxes, arcs, arrows = parts(draw_architecture(frame))
    assert len(boxes) == rounds + 1
    places = {name: int(name.partition("_")[0]) - 1 for name in frame["subnetwork"]}
    expected = {
        (places[read], places[row.subnetwork]) for row in frame.itertuples() for read in row.reads
    }
    assert sorted((round(a[0]), round(b[0])) for a, b in arcs) == sorted(expected)
    assert sorted(round(start[0]) for _, (start, _) in arrows) == list(range(rounds))
    # Out of a box's top, into a box's top; out of its bottom, into the ensemble.
    assert all(a[1] == b[1] == 1 for a, b in arcs)
    ensemble = boxes[-1]
    assert all(b == (a[0], ensemble.get_y() + ensemble.get_height()) for _, (a, b) in arrows)


def test_texts_say_what_the_frame_says(tables):
    figure = draw_architecture(tables.architecture(3), tables.weights(3, signed=False))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [t for t in texts if t.startswith("Round")] == ["Round 1", "Round 2", "Round 3"]
    assert "2_layer_dense" in texts
    assert "depth 2\n12,345,678 parameters\nr = 1.41" in texts
    assert "Ensemble" in texts
    for norm in tables.weights(3, signed=False)["norm"]:
        assert f"‖w‖₁ = {norm:.3g}" in texts


def test_arrows_are_as_thick_as_the_weights(tables):
    weights = tables.weights(4)
    _, _, arrows = parts(draw_architecture(tables.architecture(4), weights))
    widths = [patch.get_linewidth() for patch, _ in arrows]
    slope, offset = np.polyfit(weights["norm"], widths, 1)
    assert slope > 0
    np.testing.assert_allclose(slope * weights["norm"] + offset, widths, rtol=1e-9)
    # Without weights all are the same, and there are no numbers.
    figure = draw_architecture(tables.architecture(4))
    assert len({patch.get_linewidth() for patch, _ in parts(figure)[2]}) == 1
    assert len(figure.axes[0].texts) == 4 + 2 * 4 + 1


@pytest.mark.parametrize("rounds", [3, 12])
def test_what_is_only_read_has_no_arrow(tables, rounds):
    figure = draw_architecture(tables.architecture(rounds, read_only=["2_2_layer_dense"]))
    boxes, _, arrows = parts(figure)
    assert [box.get_linestyle() for box in boxes[:3]] == ["-", "--", "-"]
    assert sorted(start[0] for _, (start, _) in arrows) == [k for k in range(rounds) if k != 1]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert sum("(read only)" in text for text in texts) == 1
    assert f"Ensemble: {rounds - 1} of {rounds}" in texts


def test_several_subnetworks_of_a_round_share_its_band(tables):
    frame = tables.architecture(4).assign(round=[1, 1, 2, 2])
    texts = draw_architecture(frame).axes[0].texts
    rounds = {t.get_text(): t.get_position()[0] for t in texts if t.get_text().startswith("Round")}
    assert rounds == {"Round 1": 0.5, "Round 2": 2.5}
    assert len(texts) == 2 + 2 * 4 + 1


@pytest.mark.parametrize("rounds", [1, 3, 12, 30])
def test_texts_fit_into_their_boxes(tables, rounds):
    frame = tables.architecture(rounds, read_only=["1_1_layer_dense"] if rounds > 1 else [])
    frame["subnetwork"] = [f"{n}_a_long_name_of_a_convolution" for n in frame["round"]]
    frame["reads"] = [[] for _ in frame["reads"]]
    figure = draw_architecture(frame)
    figure.draw_without_rendering()
    assert figure.get_figwidth() < 20
    boxes = [box.get_window_extent() for box in parts(figure)[0][:-1]]
    inside = [t.get_window_extent() for t in figure.axes[0].texts if 0 < t.get_position()[1] < 1]
    assert len(inside) == 2 * rounds
    for text in inside:
        assert any(
            b.x0 <= text.x0 and text.x1 <= b.x1 and b.y0 <= text.y0 and text.y1 <= b.y1
            for b in boxes
        )
    for one in inside:
        assert not any(one.overlaps(other) for other in inside if other is not one)


@pytest.mark.parametrize("rounds", [1, 4, 12])
def test_numbers_are_within_the_picture(tables, rounds):
    weights = tables.weights(rounds).assign(norm=0.000123456)
    figure = draw_architecture(tables.architecture(rounds), weights)
    figure.draw_without_rendering()
    texts = [t for t in figure.axes[0].texts if "0.000123" in t.get_text()]
    assert len(texts) == rounds
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in texts)


def test_reading_of_an_unknown_subnetwork_is_refused(tables):
    frame = tables.architecture(3).iloc[1:]
    with pytest.raises(ValueError, match="'2_2_layer_dense' reads '1_1_layer_dense'"):
        draw_architecture(frame)
