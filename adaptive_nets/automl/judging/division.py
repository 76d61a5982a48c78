"""`Division`: what `fit` is told about which rows to hold out."""

import dataclasses
import datetime
import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets._checks import check_number, show
from adaptive_nets.automl.inputs import as_labels
from adaptive_nets.automl.judging.splits import split, split_groups, split_times
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.settings import Settings
from adaptive_nets.automl.targets import Classes, Target
from adaptive_nets.data.columns.alignment import check_aligned
from adaptive_nets.data.columns.date_text import days_of_numbers, parse_dates
from adaptive_nets.data.columns.naming import some
from adaptive_nets.data.columns.number_text import parse_numbers
from adaptive_nets.data.schema import Schema


@dataclasses.dataclass(frozen=True)
class Division:
    """How rows are held out: at random, by groups, or the last ones in time.

    Args:
        groups: As passed to `fit`. Defaults to `None`.
        time: As passed to `fit`. Defaults to `None`.
        gap: As passed to `fit`. Defaults to `None`.
    """

    groups: Any = None
    time: Any = None
    gap: Any = None

    @property
    def is_random(self) -> bool:
        """Whether rows are drawn at random."""
        return self.groups is None and self.time is None

    @property
    def column(self) -> str | None:
        """The column that rows are held out by, or `None`."""
        return next((each for each in (self.groups, self.time) if isinstance(each, str)), None)

    @property
    def kinds(self) -> dict[str, str]:
        """Kinds of columns, for `Schema.infer`: one that names groups is not a feature."""
        return {self.groups: "ignore"} if isinstance(self.groups, str) else {}

    def check(self, validation_data: Any, settings: Settings, folds: Any) -> Settings:
        """Refuses arguments that exclude each other.

        Args:
            validation_data: As passed to `fit`.
            settings: The estimator's settings.
            folds: The estimator's `folds`.

        Returns:
            The settings, without folds that are not asked for if rows are divided by time.

        Raises:
            ValueError: Two arguments exclude each other.
        """
        if self.groups is not None and self.time is not None:
            raise ValueError(
                "groups and time are two ways of holding rows out; pass one of them. "
                f"Received: groups={show(self.groups)}, time={show(self.time)}."
            )
        if self.gap is not None and self.time is None:
            raise ValueError(
                "gap is the time between training rows and held-out rows, and requires time. "
                f"Received: gap={show(self.gap)}, time=None."
            )
        if validation_data is not None and settings.repeats > 1:
            raise ValueError(
                "repeats is for few rows, of which fit holds out some itself, and divides the "
                "others into folds several times. Pass either validation_data or repeats. "
                f"Received: both validation_data and repeats={settings.repeats}."
            )
        if self.is_random:
            return settings
        name = "groups" if self.time is None else "time"
        if validation_data is not None:
            raise ValueError(
                f"validation_data holds the rows to hold out, and {name} says which rows of X are. "
                f"Pass one of them. Received: both validation_data and {name}."
            )
        if settings.folds is None or self.time is None:
            return settings
        if isinstance(folds, str) and settings.repeats == 1:  # "auto"
            return dataclasses.replace(settings, folds=None)
        raise ValueError(
            "Networks of folds are trained on rows that come after those that they are judged by, "
            "which does not go with time. Expected folds=None or 'auto', and repeats=1. Received: "
            f"folds={show(folds)}, repeats={settings.repeats} with time."
        )

    def read(
        self,
        table: pd.DataFrame,
        given: Any,
        counts: np.ndarray | None = None,
        first: np.ndarray | None = None,
    ) -> np.ndarray | None:
        """Returns what rows are held out by: groups from 0, or times as dates or numbers.

        Args:
            table: The features.
            given: The features as they were passed.
            counts: `[rows]` how many rows each of them stands for. Defaults to `None`: for one.
            first: `[rows]` the number of the first row that each of them stands for. Defaults to
                `None`: they stand for themselves.

        Raises:
            ValueError: There is no such column, or a row has no group or time.
            TypeError: It is neither a name nor one value a row.
        """
        if self.is_random:
            return None
        name = "groups" if self.time is None else "time"
        asked = self.groups if self.time is None else self.time
        values = _values(name, asked, table, given)
        counts = np.ones(len(values), "int64") if counts is None else counts
        first = np.arange(len(values)) if first is None else first
        _check_present(name, asked, values, counts, first)
        if self.time is None:
            return _codes(values)
        times = _times(asked, values)
        _check_present(name, asked, times, counts, first)
        if times.dtype.kind == "f" and np.isinf(times).any():
            raise ValueError(f"time must be finite. Received: {times[np.isinf(times)][0]}.")
        _gap_in(self.gap, times)
        return times

    def split(
        self,
        rows: Labelled,
        target: Target,
        seed: int,
        counts: np.ndarray | None = None,
        share: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the row numbers to train on and those to hold out.

        Args:
            rows: The rows, with `by` as `read` returned it.
            target: The target.
            seed: Seed of random choices.
            counts: `[rows]` how many rows each of them stands for, with groups or times. Defaults
                to `None`: for one.
            share: Share of the rows to hold out, with groups or times. Defaults to `None`:
                `held_out_fraction`.

        Raises:
            ValueError: The rows cannot be divided so.
        """
        labels = target.labels if isinstance(target, Classes) else None
        strata = None if labels is None else target.codes(rows.y)
        if rows.by is None:
            return split(len(rows.x), strata, seed)
        if self.time is None:
            return split_groups(rows.by, strata, seed, labels, counts, share)
        return split_times(rows.by, strata, _gap_in(self.gap, rows.by), labels, counts, share)


def _values(name, asked, table, given):
    """Returns one value a row, from a column or from an array."""
    if isinstance(asked, str):
        check_named(name, asked, table.columns)
        return table[asked]
    check_aligned(given, **{name: asked})
    values = as_labels(asked, name)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (len(table),):
        raise ValueError(
            f"{name} must be the name of a column, or one value for each of the {len(table)} rows. "
            f"Received: {name} of shape {values.shape}."
        )
    if values.dtype.names is not None:
        raise ValueError(
            f"{name} must have one value for each row. Received: {len(values.dtype.names)} fields "
            f"for each ({some(values.dtype.names)})."
        )
    return pd.Series(values)


def check_named(name: str, asked: str, columns: Iterable[str]) -> None:
    """Refuses a name that no column has.

    Args:
        name: Name of the argument.
        asked: What was passed for it.
        columns: The names of the columns.

    Raises:
        ValueError: There is no such column.
    """
    columns = list(columns)
    if asked not in columns:
        near = difflib.get_close_matches(asked, columns, n=1)
        hint = f" (is it {near[0]!r}?)" if near else ""
        raise ValueError(
            f"{name}={asked!r} must be the name of a column of X{hint}, or one value a row. "
            f"Received: columns {some(columns)}."
        )


def _named(name, asked):
    return f"{name}={asked!r}" if isinstance(asked, str) else name


def _check_present(name, asked, values, counts, first):
    absent = np.asarray(pd.isna(values))
    if absent.any():
        what = "group" if name == "groups" else "time"
        raise ValueError(
            f"Every row must have a {what}. Fill in or leave out rows without one. Received: "
            f"{_named(name, asked)} with {counts[absent].sum()} missing or unreadable values, "
            f"first in row {first[absent].min()}."
        )


def _codes(values):
    try:
        return pd.factorize(values)[0]
    except TypeError as error:
        raise TypeError(
            "groups must be numbers, text or dates, one per row. "
            f"Received: {show(values.iloc[0])} in row 0."
        ) from error


def _times(asked, values):
    """Returns times as `datetime64[us]` or numbers; NaT or NaN for what is neither."""
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    plain = getattr(values.dtype, "kind", "") in ("i", "u", "f")
    frame = pd.DataFrame({"time": values.to_numpy() if plain else values.reset_index(drop=True)})
    # With another column, because one that is of no use as a feature may still say when rows were.
    schema = Schema.infer(frame.assign(other=np.arange(len(frame)) % 2), kinds={})
    feature = next(f for f in (*schema.features, *schema.ignored) if f.name == "time")
    if feature.kind == "date":
        read = feature.read(frame["time"])[:, 0]
        if feature.dtype == "string":
            return parse_dates(read.astype(str), feature.style)[0]
        if feature.style is not None:
            return days_of_numbers(read).astype("datetime64[us]")
        return read.astype("datetime64[us]")
    if plain:
        return frame["time"].to_numpy()
    if values.dtype.kind == "M":  # All are one date.
        return values.to_numpy("datetime64[us]")
    if feature.kind == "number":
        read = feature.read(frame["time"])[:, 0]
        return parse_numbers(read, feature.style)[0] if feature.dtype == "string" else read
    raise ValueError(
        f"{_named('time', asked)} must be dates or numbers. Received: {show(values.iloc[0])} in "
        f"row 0 ({feature.reason})."
    )


def _gap_in(gap, times):
    """Returns the gap in the unit of the times."""
    dates = times.dtype.kind == "M"
    if gap is None:
        return np.timedelta64(0, "us") if dates else 0
    if not dates:
        return check_number("gap", gap, 0)
    written = isinstance(gap, str) and any(letter.isalpha() for letter in gap)
    if written or isinstance(gap, datetime.timedelta | np.timedelta64):
        try:
            found = pd.Timedelta(gap)
        except ValueError:
            found = pd.NaT
        if found is not pd.NaT and found >= pd.Timedelta(0):
            return found.to_timedelta64().astype("timedelta64[us]")
    raise ValueError(
        "gap must be a duration >= 0, such as '7 days' or a timedelta, because time is dates. "
        f"Received: gap={show(gap)}."
    )
