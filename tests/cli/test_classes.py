"""Labels that are text, any integers or one-hot, from the search to the header of predictions."""

import contextlib
import io

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.cli import app

SEARCH = (
    "--seed=0", "--max_iterations=1", "--steps_per_iteration=60",
    "--width=8", "--learning_rate=0.05",
)  # fmt: skip
CENTRES = np.array([[0.0, 4.0], [4.0, 0.0], [-4.0, -4.0]])


def run(*arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert app.main(arguments) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Searches on the same rows with labels of several forms: folder, data and what was printed."""
    folder, rng = tmp_path_factory.mktemp("classes"), np.random.default_rng(0)
    classes = rng.integers(0, 3, 90)
    x = CENTRES[classes] + rng.normal(size=(90, 2))
    labels = {
        "text": np.array(["north", "east", "south west"])[classes],
        "integers": np.array([3, 7, 10])[classes],
        "one_hot": np.eye(3)[classes],
    }
    found = {}
    for kind, y in labels.items():
        np.savez(folder / f"{kind}.npz", x=x, y=y)
        names = (f"--model_dir={folder / kind}", f"--data=npz:{folder / kind}.npz")
        found[kind] = (folder / kind, names, run("search", *names, *SEARCH))
    return found


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("text", ["east", "north", "south west"]),
        ("integers", ["3", "7", "10"]),
        ("one_hot", ["0", "1", "2"]),
    ],
)
@pytest.mark.parametrize("source", ["model_dir", "saved_model"])
def test_the_header_has_the_classes(searched, kind, names, source):
    folder, (_, data), _ = searched[kind]
    path = folder if source == "model_dir" else folder / "export"
    table = pd.read_csv(io.StringIO(run("predict", f"--{source}={path}", data)))
    assert list(table.columns) == ["class", *(f"probability_{name}" for name in names)]
    # Each class is the one whose column is the largest.
    columns = table[[f"probability_{name}" for name in names]].to_numpy().argmax(1)
    assert table["class"].astype(str).tolist() == [names[column] for column in columns]


def test_one_hot_labels_are_classes_and_the_command_says_so(searched):
    folder, names, printed = searched["one_hot"]
    assert "features 2, multi-class with one-hot labels (--head=multi_label: " in printed
    assert isinstance(an.AdaNet.load(folder).head, an.heads.MultiClass)
    assert pd.read_csv(io.StringIO(run("evaluate", *names, "--format=csv"))).accuracy[0] > 0.9
    # The same rows with the labels as integers end in the same network.
    other = an.AdaNet.load(searched["integers"][0])
    assert an.AdaNet.load(folder).ensemble.objective == pytest.approx(other.ensemble.objective)


def test_one_hot_labels_are_independent_on_demand(searched, tmp_path):
    names = (f"--model_dir={tmp_path}", searched["one_hot"][1][1])
    printed = run("search", *names, *SEARCH, "--head=multi_label")
    assert "features 2, multi-label\n" in printed
    assert isinstance(an.AdaNet.load(tmp_path).head, an.heads.MultiLabel)
    assert "auc" in run("evaluate", *names, "--format=csv")
    header = run("predict", *names).splitlines()[0].split(",")
    assert header == [f"{kind}_{k}" for kind in ("class", "probability") for k in range(3)]
