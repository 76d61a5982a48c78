"""What the columns of rows contribute to their predictions, as a frame."""

from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets.automl.explaining.shapley import Shapley
from adaptive_nets.automl.explaining.targets import columns_of
from adaptive_nets.automl.fitted import Fitted
from adaptive_nets.automl.targets import Classes
from adaptive_nets.data.tables.source import TableSource


def contributions(
    fitted: Fitted,
    table: pd.DataFrame,
    background: pd.DataFrame,
    wanted: list[tuple[Any, int]],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Returns a line for each row, output and column.

    Args:
        fitted: The model.
        table: Rows to explain.
        background: Rows to compare with.
        wanted: Classes or targets with their columns among the outputs.
        draws: Least number of draws for each row.
        seed: Seed of the draws.

    Raises:
        ValueError: There are no rows, or too many to be in memory.
    """
    for name, given in {"X": table, "background": background}.items():
        if isinstance(given, TableSource):
            raise ValueError(
                f"{name} must fit into memory. Pass fewer rows. "
                f"Received: {len(given):,} rows of {given.name}."
            )
        if not len(given):
            raise ValueError(f"{name} must have at least one row. Received: 0 rows.")
    schema, places = fitted.schema, [k for _, k in wanted]
    if len(background) > draws:
        order = np.random.default_rng(seed).permutation(len(background))
        background = background.iloc[np.sort(order[:draws])]
    rows = schema.read(table)
    keys = [feature.key for feature in schema.features]

    def predict(features):
        return columns_of(fitted.target, fitted.outputs_of(features))[:, places]

    shapley = Shapley(predict, keys, schema.read(background), draws, seed)
    predicted, mean = predict(rows), shapley.base.mean(axis=0)
    names = [feature.name for feature in schema.features]
    frames = []
    for number in range(len(table)):
        row = {key: values[number : number + 1] for key, values in rows.items()}
        found = shapley.explain(row, predicted[number])
        for k, (label, _) in enumerate(wanted):
            frames.append(
                pd.DataFrame(
                    {
                        "row": number,
                        "output": _name(fitted.target, label),
                        "feature": names,
                        "value": pd.Series(
                            [_value(table, each, number) for each in schema.features], dtype=object
                        ),
                        "contribution": found.mean[:, k],
                        "standard_error": found.error[:, k],
                        "prediction": predicted[number, k],
                        "mean": mean[k],
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def _name(target, label):
    if isinstance(target, Classes):
        return label
    return target.name if label is None else f"{target.name} {label}"


def _value(table, feature, number):
    name = feature.name if feature.name in table.columns else feature.key
    return table[name].iloc[number] if name in table.columns else None
