"""`adaptive-nets leaderboard | evaluate | export`: results of a finished search."""

import pandas as pd
from absl import flags as absl_flags

from adaptive_nets import adanet, heads
from adaptive_nets.cli import data, flags, output


def leaderboard(values: absl_flags.FlagValues) -> None:
    """Prints every candidate of a search.

    Args:
        values: Parsed flags of the subcommand.
    """
    output.show(adanet.AdaNet.load(values.model_dir).leaderboard(), values.format)


def evaluate(values: absl_flags.FlagValues) -> None:
    """Prints the ensemble's loss and metrics on the test part of a data set.

    Args:
        values: Parsed flags of the subcommand.
    """
    dataset = data.load(values.data, **flags.data_options(values))
    search = adanet.AdaNet.load(values.model_dir)
    one_class = isinstance(search.head, heads.BinaryClass | heads.MultiClass)
    dataset = dataset.for_head("auto" if one_class else "multi_label")
    metrics = search.evaluate(dataset.x_test, dataset.y_test)
    output.show(pd.DataFrame([{"rows": len(dataset.x_test), **metrics}]), values.format)


def export(values: absl_flags.FlagValues) -> None:
    """Writes the ensemble of a search as a SavedModel and prints its path.

    Args:
        values: Parsed flags of the subcommand.
    """
    output.check_target("--path", values.path, (values.model_dir,))
    print(adanet.AdaNet.load(values.model_dir).export(values.path))
