"""`adaptive-nets leaderboard | evaluate | export`: results of a finished search or fit."""

import pandas as pd
from absl import flags as absl_flags

from adaptive_nets import adanet, automl, heads
from adaptive_nets.cli import data, flags, output, tables


def leaderboard(values: absl_flags.FlagValues) -> None:
    """Prints every candidate of a search.

    Args:
        values: Parsed flags of the subcommand.
    """
    output.show(_load(values.model_dir).leaderboard(), values.format)


def _load(model_dir: str) -> "adanet.AdaNet | automl.AutoClassifier | automl.AutoRegressor":
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
    dataset = data.load(values.data, **flags.data_options(values))
    search = adanet.AdaNet.load(values.model_dir)
    one_class = isinstance(search.head, heads.BinaryClass | heads.MultiClass)
    dataset = dataset.for_head("auto" if one_class else "multi_label")
    metrics = search.evaluate(dataset.x_test, dataset.y_test)
    output.show(pd.DataFrame([{"rows": len(dataset.x_test), **metrics}]), values.format)


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
    print(_load(values.model_dir).export(values.path, format=values.format, **options))


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
