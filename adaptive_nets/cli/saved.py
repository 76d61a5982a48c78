"""`adaptive-nets leaderboard | evaluate | export`: results of a finished search or fit."""

from typing import Any

import pandas as pd
from absl import flags as absl_flags

from adaptive_nets import adanet, automl, heads
from adaptive_nets.cli import data, flags, output, tables


def leaderboard(values: absl_flags.FlagValues) -> None:
    """Prints every candidate of a search.

    Args:
        values: Parsed flags of the subcommand.
    """
    output.show(load(values.model_dir).leaderboard(), values.format)


def load(model_dir: str) -> "adanet.AdaNet | automl.AutoClassifier | automl.AutoRegressor":
    """Returns what a search or fit has found.

    Args:
        model_dir: Its folder.
    """
    fitted = tables.is_fit(model_dir)
    return automl.load(model_dir) if fitted else adanet.AdaNet.load(model_dir)


def evaluate(values: absl_flags.FlagValues) -> None:
    """Prints the ensemble's loss and metrics on the test part of a data set, or on a table.

    Args:
        values: Parsed flags of the subcommand.
    """
    if values.table:
        found = tables.load_fit(values.model_dir)
        table = tables.opened(values.table, found.schema_, values.encoding)
        measured = found.evaluate(table)
        output.show(pd.DataFrame([{"rows": len(table), **measured}]), values.format)
        return
    search = adanet.AdaNet.load(values.model_dir)
    x, y = test_rows(values, search)
    output.show(pd.DataFrame([{"rows": len(x), **search.evaluate(x, y)}]), values.format)


def test_rows(values: absl_flags.FlagValues, search: adanet.AdaNet) -> tuple[Any, Any]:
    """Returns features and labels of the test part of `--data`, as a search takes them.

    Args:
        values: Parsed flags of the subcommand.
        search: The search.
    """
    dataset = data.load(values.data, **flags.data_options(values))
    one_class = isinstance(search.head, heads.BinaryClass | heads.MultiClass)
    dataset = dataset.for_head("auto" if one_class else "multi_label")
    return dataset.x_test, dataset.y_test


def export(values: absl_flags.FlagValues) -> None:
    """Writes what was found as a SavedModel or an ONNX file, and prints its path.

    Args:
        values: Parsed flags of the subcommand.
    """
    output.check_target("--path", values.path, (values.model_dir,))
    options = flags.given(values, "coverage")
    if options and not tables.is_fit(values.model_dir):
        raise flags.UsageError(
            "--coverage is for what `adaptive-nets fit` has found. Received: "
            f"--model_dir={values.model_dir}, the folder of a search."
        )
    print(load(values.model_dir).export(values.path, format=values.format, **options))


def importances(values: absl_flags.FlagValues) -> None:
    """Prints what the model of a fit loses when a column has the values of other rows.

    Args:
        values: Parsed flags of the subcommand.
    """
    found = tables.load_fit(values.model_dir)
    parts = tables.parts(values.table, found.schema_, values.encoding, values.rows)
    options = flags.given(values, "repeats", "time_limit", "group_correlated", "metric", "seed")
    table = pd.concat(list(parts), ignore_index=True)
    output.show(found.importances(table, **options), values.format)
