"""Files: valid, the same each time, and whole or not there."""

import sys
from xml.etree import ElementTree

import matplotlib
import matplotlib.image
import pytest
from matplotlib.figure import Figure

from adaptive_nets.report import plot_architecture, plot_learning_curves, plot_mixture_weights

PLOTS = {
    "curves": plot_learning_curves,
    "architecture": plot_architecture,
    "weights": plot_mixture_weights,
}


@pytest.mark.parametrize("kind", PLOTS)
def test_png(tables, tmp_path, kind):
    path = PLOTS[kind](getattr(tables, kind)(), tmp_path / "new" / "plot.PNG")
    assert path == tmp_path / "new" / "plot.PNG"
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = matplotlib.image.imread(path, format="png")
    assert pixels.shape[0] > 200
    assert pixels.std() > 0.05


@pytest.mark.parametrize("kind", PLOTS)
def test_svg(tables, tmp_path, kind):
    path = PLOTS[kind](getattr(tables, kind)(), str(tmp_path / "plot.svg"))
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 5


def test_pdf(tables, tmp_path):
    written = plot_mixture_weights(tables.weights(), tmp_path / "plot.pdf").read_bytes()
    assert written.startswith(b"%PDF-")
    assert written.rstrip().endswith(b"%%EOF")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_same_data_same_file(tables, tmp_path, suffix):
    one, other = tmp_path / f"one.{suffix}", tmp_path / f"other.{suffix}"
    plot_mixture_weights(tables.weights(), one)
    plot_mixture_weights(tables.weights(), other)
    assert one.read_bytes() == other.read_bytes()


def test_the_caller_s_settings_are_neither_used_nor_changed(tables, tmp_path):
    from matplotlib import pyplot

    plot_mixture_weights(tables.weights(), tmp_path / "plain.png")
    with matplotlib.rc_context({"font.size": 30, "axes.spines.top": True}):
        before = dict(matplotlib.rcParams)
        plot_mixture_weights(tables.weights(), tmp_path / "styled.png")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "styled.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
    assert pyplot.get_fignums() == []


def test_weights_beside_a_frame(tables, tmp_path):
    bare = plot_architecture(tables.architecture(), tmp_path / "bare.svg")
    weighed = plot_architecture(tables.architecture(), tmp_path / "weighed.svg", tables.weights())
    assert bare.read_bytes() != weighed.read_bytes()


# Failures ----------------------------------------------------------------------------------------


def test_failure_leaves_the_old_file_and_nothing_else(tables, tmp_path, monkeypatch):
    path = tmp_path / "plot.png"
    path.write_bytes(b"old")

    def fail(figure, name, **options):
        with open(name, "wb") as file:
            file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plot_mixture_weights(tables.weights(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", PLOTS)
@pytest.mark.parametrize("name", ["plot.gif", "plot", "png"])
def test_unknown_suffix_is_refused(tables, tmp_path, kind, name):
    with pytest.raises(
        ValueError, match=r"must end in one of \.png, \.pdf, \.svg.*Received: path="
    ):
        PLOTS[kind](getattr(tables, kind)(), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", PLOTS)
def test_what_cannot_be_plotted_is_refused(tables, tmp_path, kind):
    frame, path = getattr(tables, kind)(), tmp_path / "plot.png"
    column = frame.columns[-1]
    with pytest.raises(ValueError, match=f"It lacks {column}"):
        PLOTS[kind](frame.drop(columns=column), path)
    with pytest.raises(ValueError, match="There is nothing to show"):
        PLOTS[kind](frame.iloc[:0], path)
    with pytest.raises(TypeError, match="Expected a search.*Received: list"):
        PLOTS[kind]([1, 2], path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", PLOTS)
def test_without_matplotlib_it_says_how_to_install_it(tables, tmp_path, monkeypatch, kind):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'adaptive-nets\[examples\]'"):
        PLOTS[kind](getattr(tables, kind)(), tmp_path / "plot.png")
    assert not list(tmp_path.iterdir())
