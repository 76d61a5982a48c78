"""The names of classes, as a SavedModel carries them."""

import keras
import pytest

import adaptive_nets as an
from adaptive_nets.serving import export_saved_model, named_outputs, read_class_names

HEADS = {
    "strings": (an.heads.MultiClass().adapt(["b", "ä", "c"]), ["b", "c", "ä"]),
    "integers": (an.heads.BinaryClass().adapt([7, 3]), ["3", "7"]),
    "numbered": (an.heads.MultiClass(3), ["0", "1", "2"]),
    "several": (an.heads.MultiLabel(class_names=["red", "round"]), ["red", "round"]),
}


@pytest.mark.parametrize("kind", HEADS)
def test_names_of_the_columns(kind):
    head, names = HEADS[kind]
    assert named_outputs(head)["probabilities"] == names


def test_names_of_several_heads():
    head = an.heads.Multi({"kind": HEADS["strings"][0], "size": an.heads.Regression()})
    assert named_outputs(head)["kind/probabilities"] == ["b", "c", "ä"]
    assert all(name.startswith("kind/") for name in named_outputs(head))
    assert named_outputs(an.heads.Regression()) == {}


def test_an_export_carries_them(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    for kind, stored in (("strings", True), ("none", False)):
        head = HEADS[kind][0] if stored else an.heads.Regression(dim=3)
        path = export_saved_model(model, head, tmp_path / kind)
        assert read_class_names(path) == named_outputs(head)
        assert (tmp_path / kind / "assets.extra" / "classes.json").exists() == stored
