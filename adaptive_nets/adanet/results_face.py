"""`ResultsFace`: what is asked of a search, which its results answer."""

import functools
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from adaptive_nets._shown import html_of
from adaptive_nets.adanet.checkpoints.changes import Change
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.results import SearchResults
from adaptive_nets.report.content.document import Report
from adaptive_nets.report.content.searches import search_report
from adaptive_nets.report.files import write_report

P, R = ParamSpec("P"), TypeVar("R")


def _of_results(method: Callable[Concatenate[SearchResults, P], R]) -> Callable[..., R]:
    """Returns a method that delegates to `results`, with the same signature and docstring."""

    @functools.wraps(method)
    def ask(self: "ResultsFace", *args: P.args, **kwargs: P.kwargs) -> R:
        return method(self.results, *args, **kwargs)

    return ask


def _property_of_results(name: str) -> property:
    """Returns a property that delegates to `results`."""
    doc = getattr(SearchResults, name).__doc__
    return property(lambda self: getattr(self.results, name), doc=doc)


class ResultsFace:
    """Delegates to a search's `SearchResults`.

    Attributes:
        results: `SearchResults`.
        state: `SearchState`.
    """

    results: SearchResults
    state: SearchState

    stop_reason = _property_of_results("stop_reason")
    global_step = _property_of_results("global_step")
    feature_spec = _property_of_results("feature_spec")
    schema = _property_of_results("schema")
    ensemble = _property_of_results("ensemble")
    model = _property_of_results("model")
    best_single = _property_of_results("best_single")
    leaderboard = _of_results(SearchResults.leaderboard)
    learning_curves = _of_results(SearchResults.learning_curves)
    architecture = _of_results(SearchResults.architecture)
    member_weights = _of_results(SearchResults.member_weights)
    evaluate = _of_results(SearchResults.evaluate)
    predict = _of_results(SearchResults.predict)
    fuse = _of_results(SearchResults.fuse)
    export = _of_results(SearchResults.export)

    def _repr_html_(self) -> str:
        """Returns what notebooks show: what the search is, and its leaderboard."""
        found = self.state.current.entries
        return html_of([repr(self), *([self.leaderboard().metric_first] if found else [])])

    def report(self, path: str | os.PathLike, x: Any = None, y: Any = None) -> Path | list[Path]:
        """Writes a report of the search: candidates, learning curves, the ensemble, rounds.

        Args:
            path: A file that ends in `.html` (one page that needs no network) or `.json`, or a
                folder for CSV tables, PNG charts and the page.
            x: Features of rows to measure the ensemble on. Defaults to `None`.
            y: Their labels. Defaults to `None`.

        Returns:
            The path; of a folder, a list of the paths of its files.

        Raises:
            ImportError: The extra `report` is not installed, which all but JSON needs.
            ValueError: The search was not fitted, or the rows do not suit it.
        """
        return write_report(self, path, x, y)

    def report_data(self, x: Any = None, y: Any = None) -> Report:
        """Returns what `report` writes, as a `report.Report` of named DataFrames.

        Args:
            x: Features of rows to measure the ensemble on. Defaults to `None`.
            y: Their labels. Defaults to `None`.
        """
        return search_report(self, x, y)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Settings with which the search has gone on, oldest first; `print(*search.changes)`."""
        return self.state.changes

    @property
    def record(self) -> SearchState:
        """Deprecated: use `state`."""
        _deprecated("record", "state")
        return self.state

    @property
    def mixture_weights(self) -> Callable[[], Any]:
        """Deprecated: use `member_weights`, or `settings.mixture_weights`."""
        _deprecated("mixture_weights", "member_weights")
        return self.member_weights


def _deprecated(old, new):
    warnings.warn(
        f"AdaNet.{old} is deprecated; use AdaNet.{new}.", DeprecationWarning, stacklevel=3
    )
