"""The checks of arguments: what they let pass, what they refuse, and in which words."""

import re

import numpy as np
import pytest

from adaptive_nets._checks import check_bool, check_choice, check_integer, check_number

pytestmark = pytest.mark.backend_agnostic


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2)])
def test_integers_of_numpy_are_integers(value):
    found = check_integer("n", value, 2)
    assert found == 2 and type(found) is int


@pytest.mark.parametrize("value", [1, 2.0, True, np.True_, "2", None, np.float32(2), [2]])
def test_what_is_no_integer_of_two_or_more_is_refused(value):
    words = re.escape(f"n must be an integer >= 2. Received: n={value!r}.")
    with pytest.raises(ValueError, match=words):
        check_integer("n", value, 2)


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.int8(1)])
def test_numbers_of_numpy_are_numbers(value):
    found = check_number("rate", value, 0, 1)
    assert found == value and type(found) is float


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), True, "0.5", None, 1j])
def test_what_is_no_number_from_zero_to_one_is_refused(value):
    words = re.escape(f"rate must be a finite number >= 0 and <= 1. Received: rate={value!r}.")
    with pytest.raises(ValueError, match=words):
        check_number("rate", value, 0, 1)


@pytest.mark.parametrize(
    ("inclusive", "allowed", "words"),
    [
        (True, {0, 1}, ">= 0 and <= 1"),
        (False, set(), "> 0 and < 1"),
        ("low", {0}, ">= 0 and < 1"),
        ("high", {1}, "> 0 and <= 1"),
    ],
)
def test_limits_are_allowed_or_not(inclusive, allowed, words):
    for limit in (0, 1):
        if limit in allowed:
            assert check_number("x", limit, 0, 1, inclusive) == limit
        else:
            with pytest.raises(ValueError, match=f"a finite number {words}. Received: x={limit}."):
                check_number("x", limit, 0, 1, inclusive)


def test_without_limits_any_finite_number_passes():
    assert check_number("x", -1e300) == -1e300 and check_integer("n", -7) == -7
    with pytest.raises(ValueError, match=r"x must be a finite number\. Received"):
        check_number("x", float("-inf"))
    with pytest.raises(ValueError, match=r"n must be an integer\. Received"):
        check_integer("n", 0.5)


def test_choices():
    check_choice("mode", "min", ("min", "max"))
    check_choice("mode", np.str_("max"), ("min", "max"))
    check_choice("jit", True, ("auto", True))
    check_choice("parent", None, (None, 3))
    for value in ("Min", 1, None, ["min"], np.array(["min", "max"])):
        with pytest.raises(ValueError, match=r"mode must be one of 'min', 'max', True\. Received"):
            check_choice("mode", value, ("min", "max", True))


def test_truth():
    assert check_bool("yes", np.True_) is True and check_bool("yes", False) is False
    for value in (1, 0, "yes", None):
        with pytest.raises(ValueError, match="yes must be True or False. Received: yes="):
            check_bool("yes", value)
