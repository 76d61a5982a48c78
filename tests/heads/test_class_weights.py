"""`class_weight`, which names classes as the labels do."""

import numpy as np
import pandas as pd
import pytest

from adaptive_nets import heads
from adaptive_nets.heads.class_weights import read_class_weight

TEXT = np.array(["ant", "bee", "bee", "cat"])
FLAGS = np.array([True, False, False, False])
MULTI = {"kind": heads.MultiClass(), "flag": heads.BinaryClass(), "size": heads.Regression()}


def read(given, labels=TEXT, head=None, weights=None):
    head = (head or heads.MultiClass()).adapt(labels)
    return read_class_weight(head, given, head.encode(labels), weights)


@pytest.mark.parametrize(
    "given",
    [
        {"bee": 2, "cat": 0.5},
        {np.str_("bee"): np.float32(2), "cat": np.array(0.5)},
        {1: 2, np.int64(2): 0.5},
        pd.Series({"bee": 2.0, "cat": 0.5}),
    ],
    ids=["dict", "scalars", "indices", "series"],
)
def test_a_dict_names_classes(given):
    assert read(given) == {1: 2.0, 2: 0.5}


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda w: np.array(w, "float32")])
def test_a_list_goes_in_the_order_of_the_classes(kind):
    assert read(kind([1.0, 2.0, 0.5])) == {0: 1.0, 1: 2.0, 2: 0.5}


@pytest.mark.parametrize("key", [True, np.True_, 1])
def test_booleans_are_named_as_booleans(key):
    assert read({key: 3}, FLAGS, heads.BinaryClass()) == {1: 3.0}


def test_other_integers_are_named_as_they_are():
    assert read({9: 3, -1: 2}, [-1, 9, 9], heads.BinaryClass()) == {0: 2.0, 1: 3.0}


def test_balanced_gives_every_class_the_same_total():
    assert read("balanced") == {0: 4 / 3, 1: 2 / 3, 2: 4 / 3}
    assert read("balanced", FLAGS, heads.BinaryClass()) == {0: 2 / 3, 1: 2.0}
    assert read("balanced", weights=[1, 1, 0, 2.0]) == {0: 4 / 3, 1: 4 / 3, 2: 2 / 3}
    # A class without rows has no weight, rather than an infinite one.
    assert read("balanced", [0, 0, 2, 2], heads.MultiClass(3)) == {0: 1.0, 2: 1.0}


def test_nothing_given_is_no_weight():
    assert read(None) is None and read({}) is None


def test_several_heads_have_one_each():
    labels = {"kind": TEXT, "flag": FLAGS, "size": [1.0, 2, 3, 4]}
    given = {"kind": {"cat": 5}, "flag": "balanced"}
    found = read(given, labels, heads.Multi(MULTI))
    assert found == {"kind": {2: 5.0}, "flag": {0: 2 / 3, 1: 2.0}}
    for bad, message in (
        ("balanced", "must be a dict by the heads"),
        ({"kinds": "balanced"}, "must be a dict by the heads .*kinds"),
        ({"size": "balanced"}, r"class_weight\['size'\] requires one class per row"),
        ({"kind": {"dog": 1}}, r"class_weight\['kind'\] names an unknown class 'dog'"),
    ):
        with pytest.raises(ValueError, match=message):
            read(bad, labels, heads.Multi(MULTI))


@pytest.mark.parametrize(
    "given, message",
    [
        ("balance", "must be 'balanced', a dict.*'balance'"),
        (3, "must be 'balanced'.*class_weight=3"),
        ([1, 2], "one weight for each of the 3 classes"),
        ([[1, 2, 3]], "one weight for each of the 3 classes"),
        ([1, 2, -3], r"class_weight\[2\] must be a finite number >= 0"),
        ({"bee": "2"}, r"class_weight\['bee'\] must be a finite number"),
        ({"bee": np.nan}, r"class_weight\['bee'\] must be a finite number"),
        ({"bee": True}, r"class_weight\['bee'\] must be a finite number"),
        ({"wasp": 1.0}, "unknown class 'wasp'"),
        ({None: 1.0}, "unknown class None"),
        ({("bee",): 1.0}, "unknown class"),
        ({3: 1.0}, "unknown class 3"),
        ({"bee": 1.0, 1: 2.0}, "each class once"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(given, message):
    with pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z"):
        read(given)


@pytest.mark.parametrize(
    "head, labels",
    [(heads.Regression(), [1.0, 2.0]), (heads.MultiLabel(), [[0, 1], [1, 0]])],
    ids=["regression", "multi_label"],
)
def test_heads_without_one_class_a_row_refuse(head, labels):
    with pytest.raises(ValueError, match="requires one class per row.*Use sample_weight"):
        read("balanced", labels, head)
