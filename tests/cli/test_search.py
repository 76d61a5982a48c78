"""Flags become heads and generators; what is not given keeps the library's defaults."""

import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.cli import data, flags, search


def parsed(*arguments):
    values = flags.for_command("search")
    flags.parse("search", values, ["--data=iris", "--model_dir=m", *arguments])
    return values


def some(shape=(4,), head="multi_class", class_names=None):
    x, y = np.zeros((3, *shape), "float32"), np.arange(3)
    return data.DataSet("some", x, y, x, y, head, class_names)


@pytest.mark.parametrize(
    ("shape", "arguments", "kind"),
    [
        ((4,), (), "Dense"),
        ((8, 8), (), "Dense"),
        ((8, 8, 1), (), "Conv"),
        ((8, 8, 1), ("--generator=dense",), "Dense"),
        ((4,), ("--generator=conv",), "Conv"),
    ],
)
def test_generator_suits_the_features_unless_told(shape, arguments, kind):
    made = search.generator_for(some(shape), parsed(*arguments))
    assert type(made) is getattr(an.generators, kind)
    assert made.get_config() == getattr(an.generators, kind)().get_config()


def test_generator_takes_width_and_learning_rate():
    values = parsed("--width=7", "--learning_rate=0.5")
    for shape, width in (((4,), "widths"), ((8, 8, 1), "filters")):
        config = search.generator_for(some(shape), values).get_config()
        assert config[width] == [7]
        assert config["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("binary", "BinaryClass"),
        ("multi_class", "MultiClass"),
        ("multi_label", "MultiLabel"),
        ("regression", "Regression"),
    ],
)
def test_head_is_what_the_data_says_unless_told(kind, head):
    assert type(search.head_for(some(head=kind))) is getattr(an.heads, head)
    assert type(search.head_for(some(), kind)) is getattr(an.heads, head)


def test_head_knows_the_class_names_in_their_order():
    head = search.head_for(some(class_names=["b", "c", "a"]))
    assert head.encode(["a", "b"]).tolist() == [2, 0]
    assert head.encode([2, 0]).tolist() == [2, 0]


def test_only_given_flags_are_passed_on():
    names = ("seed", "max_iterations", "training", "mixture_weights", "adanet_lambda")
    assert flags.given(parsed(), *names) == {}
    values = parsed("--seed=0", "--adanet_lambda=0", "--mixture_weights", "vector")
    assert flags.given(values, *names) == {
        "seed": 0,
        "adanet_lambda": 0.0,
        "mixture_weights": "vector",
    }
