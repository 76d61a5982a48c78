"""Flags of `fit`, `predict` and `importances` on tables: rows to hold out, decisions, coverage."""

from collections.abc import Iterable
from typing import Any

from absl import flags

OUTPUTS = ("mean", "quantiles", "distribution")
CLASS_FLAGS, NUMBER_FLAGS = ("class_weight", "costs"), ("output",)


class LabelError(ValueError):
    """A flag does not name the classes of the target."""


def define_fit(values: flags.FlagValues) -> None:
    """Defines the flags of `fit` that say which rows are held out, and what is predicted.

    Args:
        values: The flags to add them to.
    """
    for name, text in {
        "groups": "Column of groups: the rows of one are held out together or not at all.",
        "time": "Column of dates or numbers: the last rows are held out.",
        "gap": "Time between training rows and those held out, such as '7 days', or a number.",
    }.items():
        flags.DEFINE_string(name, None, text, flag_values=values)
    flags.DEFINE_integer(
        "folds",
        None,
        "Networks per candidate, each trained without one fold of the rows, and judged on it.",
        lower_bound=2,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "repeats",
        None,
        "How often the rows are divided into folds, each time with further networks. Default: 1.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_list(
        "class_weight",
        None,
        "What classes weigh in training: balanced, or such as no=1,yes=5.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "costs",
        None,
        "What errors cost, as TRUE:PREDICTED=COST, such as yes:no=5,no:yes=1. Others cost 1.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "output",
        None,
        OUTPUTS,
        "What is predicted of numbers. Default: mean.",
        flag_values=values,
    )


def define_coverage(values: flags.FlagValues, by: bool = True) -> None:
    """Defines `coverage`, and `by`.

    Args:
        values: The flags to add them to.
        by: Whether groups of rows can be asked for. Defaults to `True`.
    """
    flags.DEFINE_float(
        "coverage",
        None,
        "Share of the rows that intervals, or sets of classes, hold. Default: there are none.",
        flag_values=values,
    )
    flags.register_validator(
        "coverage",
        lambda value: value is None or 0 < value < 1,
        "must be greater than 0 and less than 1",
        flag_values=values,
    )
    if by:
        flags.DEFINE_string(
            "by",
            None,
            "Column of few values, for each of which --coverage holds by itself.",
            flag_values=values,
        )


def define_importances(values: flags.FlagValues) -> None:
    """Defines the flags that `importances` has by itself.

    Args:
        values: The flags to add them to.
    """
    for name, text in {
        "repeats": "How often each column is permuted. Default: 5.",
        "rows": "Number of rows to measure on, the first ones. Default: all.",
    }.items():
        flags.DEFINE_integer(name, None, text, lower_bound=1, flag_values=values)
    flags.DEFINE_boolean(
        "group_correlated",
        False,
        "Permute columns together whose correlation is .8 or more.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "metric",
        None,
        "The name of a scorer of scikit-learn. Default: that of the fit.",
        flag_values=values,
    )
    flags.DEFINE_integer("seed", 0, "Seed of it.", lower_bound=0, flag_values=values)


def gap_of(given: str | None) -> str | float | None:
    """Returns `--gap` as a number if it is one."""
    try:
        return None if given is None else float(given)
    except ValueError:
        return given


def class_weight_of(given: list[str], labels: Iterable[Any]) -> str | dict[Any, float]:
    """Returns `--class_weight` as the estimator takes it.

    Args:
        given: Parts of the flag, such as `no=1`.
        labels: The target's values.

    Raises:
        LabelError: A part is not of this form, or names no class.
    """
    if given == ["balanced"]:
        return "balanced"
    known, found = _by_text(labels), {}
    for part in given:
        label, weight = _split("class_weight", part, "balanced, or CLASS=WEIGHT")
        found[_known("class_weight", label, known)] = weight
    return found


def costs_of(given: list[str], labels: Iterable[Any]) -> dict[tuple[Any, Any], float]:
    """Returns `--costs` as the estimator takes them.

    Args:
        given: Parts of the flag, such as `no:yes=5`.
        labels: The target's values.

    Raises:
        LabelError: A part is not of this form, or names no class.
    """
    known, found = _by_text(labels), {}
    for part in given:
        pair, cost = _split("costs", part, "TRUE:PREDICTED=COST")
        places = [k for k, letter in enumerate(pair) if letter == ":"]
        pairs = [(pair[:k], pair[k + 1 :]) for k in places]
        # A class may have a colon itself.
        both = [each for each in pairs if set(each) <= set(known)]
        if len(both) != 1:
            raise LabelError(
                "--costs must be TRUE:PREDICTED=COST, separated by commas, with classes of the "
                f"target: {_some(known)}. Received: {part!r}."
            )
        true, predicted = both[0]
        found[known[true], known[predicted]] = cost
    return found


def _split(flag, part, form):
    label, _, number = part.rpartition("=")
    try:
        return label, float(number)
    except ValueError:
        raise LabelError(
            f"--{flag} must be {form}, separated by commas. Received: {part!r}."
        ) from None


def _known(flag, label, known):
    if label not in known:
        raise LabelError(
            f"--{flag} must name classes of the target: {_some(known)}. Received: {label!r}."
        )
    return known[label]


def _by_text(labels):
    return {str(label): label for label in labels}


def _some(known):
    return ", ".join(list(known)[:8]) + (", ..." if len(known) > 8 else "")
