"""`GroupScores`: how far off predictions are in groups of rows, for coverage in each of them."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets._checks import show
from adaptive_nets.automl.judging.intervals import Intervals
from adaptive_nets.data.columns.naming import some
from adaptive_nets.data.schema import Schema

# Different values of a column that names groups, columns, and rows that are kept.
_MOST_GROUPS, _MOST_COLUMNS, _MOST_ROWS = 50, 100, 20_000


@dataclasses.dataclass(frozen=True)
class GroupScores:
    """The scores of held-out rows, with their values in columns of few different ones.

    Conformal prediction group by group (Vovk, 2012): the interval of a row is as wide as the rows
    of its group ask for.

    Args:
        scores: `[rows, targets]`.
        weights: `[rows]` weights, or `None`.
        columns: By name of a column, its values as text, and `[rows]` positions among them.
    """

    scores: np.ndarray
    weights: np.ndarray | None
    columns: dict[str, tuple[list[str], np.ndarray]]

    @classmethod
    def learn(
        cls, schema: Schema, table: pd.DataFrame, scores: np.ndarray, weights: np.ndarray | None
    ) -> "GroupScores":
        """Keeps the scores of rows that were held out; of very many, some drawn at random.

        Args:
            schema: How the table is read.
            table: The rows.
            scores: `[rows, targets]`.
            weights: `[rows]` weights, or `None`.
        """
        if len(table) > _MOST_ROWS:
            kept = np.sort(np.random.default_rng(0).permutation(len(table))[:_MOST_ROWS])
            table, scores = table.iloc[kept], scores[kept]
            weights = None if weights is None else weights[kept]
        columns, most = {}, min(_MOST_GROUPS, len(table) // 2)
        for name in table.columns:
            if len(columns) == _MOST_COLUMNS:
                break
            try:
                if table[name].nunique(dropna=False) > most:
                    continue
                codes, values = pd.factorize(texts_of(schema, table, name))
            except (TypeError, ValueError):
                continue  # Values that are no groups, such as arrays.
            if len(values) <= most:
                columns[str(name)] = list(values), codes
        return cls(scores, weights, columns)

    def check(self, by: Any) -> str:
        """Refuses what is not a column that names groups.

        Args:
            by: What was passed for it.

        Raises:
            ValueError: There is no such column, or it has too many different values.
        """
        if not isinstance(by, str) or by not in self.columns:
            known = f", such as {some(self.columns)}" if self.columns else ""
            raise ValueError(
                f"by must be the name of a column of few different values, at most {_MOST_GROUPS} "
                "and half as many as the rows that were held out"
                f"{known}. Received: by={show(by)}."
            )
        return by

    def widths(
        self, intervals: Any, coverage: float, by: str, texts: np.ndarray
    ) -> tuple[np.ndarray, list[str]]:
        """Returns `[rows, targets]` scores that this share of a row's group does not exceed.

        Args:
            intervals: What all rows say, for groups of so few rows that these do not tell.
            coverage: Share of rows, between 0 and 1.
            by: Name of the column.
            texts: `[rows]` values of the column, as `texts_of` returns them.

        Returns:
            The scores, and the groups of `texts` that have too few rows.
        """
        values, codes = self.columns[by]
        found = np.tile(intervals.widths(coverage), (len(texts), 1))
        few = []
        for text in pd.unique(texts):
            mask = codes == values.index(text) if text in values else np.zeros(len(codes), bool)
            try:
                if not mask.any():
                    raise ValueError("none")
                weights = None if self.weights is None else self.weights[mask]
                own = Intervals.of_scores(self.scores[mask], weights).widths(coverage)
            except ValueError:
                few.append(text)
            else:
                found[texts == text] = own
        return found, few

    def to_dict(self) -> dict[str, Any]:
        """Returns what is known as JSON values."""
        return {
            "scores": self.scores.tolist(),
            "weights": None if self.weights is None else self.weights.tolist(),
            "columns": {n: [values, codes.tolist()] for n, (values, codes) in self.columns.items()},
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any] | None) -> "GroupScores | None":
        """Returns what `to_dict` has described; `None` stays `None`."""
        if values is None:
            return None
        scores, weights = np.array(values["scores"], "float64"), values["weights"]
        columns = {n: (list(v), np.array(c, "int64")) for n, (v, c) in values["columns"].items()}
        if any(len(codes) != len(scores) for _, codes in columns.values()):
            raise ValueError("holds columns of another number of rows")
        return cls(scores, None if weights is None else np.array(weights, "float64"), columns)


def texts_of(schema: Schema, table: pd.DataFrame, name: str) -> np.ndarray:
    """Returns the values of a column as text, however they are stored.

    Args:
        schema: How the table is read.
        table: The rows.
        name: Name of the column.

    Raises:
        ValueError: There is no such column.
    """
    if name not in table.columns:
        raise ValueError(
            f"X must have the column {name!r}, by which coverage is asked for. "
            f"Received: columns {some(table.columns)}."
        )
    values = table[name]
    feature = next((f for f in schema.features if f.name == name), None)
    if feature is not None:
        values = feature.read(values)[:, 0]
    found = pd.Series(values, dtype=object)
    missing = found.isna().to_numpy()
    texts = np.array([_text(value) for value in found], dtype=object)
    texts[missing] = ""
    return texts


def _text(value):
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
