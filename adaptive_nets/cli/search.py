"""`adaptive-nets search`: searches an ensemble on a data set and exports it."""

import os

import pandas as pd
from absl import flags as absl_flags

from adaptive_nets import adanet, generators, heads
from adaptive_nets.cli import data, flags, output

_ADANET_FLAGS = (
    "max_iterations",
    "steps_per_iteration",
    "training",
    "mixture_weights",
    "mixture_data",
    "adanet_lambda",
    "adanet_beta",
    "early_stopping",
    "folds",
    "repeats",
    "seed",
)
_FIT_FLAGS = ("batch_size", "validation_split", "time_limit")
_DATA_FLAGS = ("data", "test_split", "split_seed", "data_dir")


def search(values: absl_flags.FlagValues) -> None:
    """Searches, then prints the leaderboard, test metrics and the next command.

    Args:
        values: Parsed flags of the subcommand.
    """
    output.check_target("--export", values.export, (values.data, values.model_dir))
    dataset = data.load(values.data, **flags.data_options(values)).for_head(values.head)
    engine = adanet.AdaNet(
        head_for(dataset),
        generator_for(dataset, values),
        model_dir=values.model_dir,
        **flags.given(values, *_ADANET_FLAGS),
    )
    if values.verbose:
        print(dataset.description, flush=True)
    engine.fit(
        dataset.x_train,
        dataset.y_train,
        verbose="auto" if values.verbose else 0,
        **flags.given(values, *_FIT_FLAGS),
    )
    path = engine.export(values.export or os.path.join(values.model_dir, "export"))
    _report(engine, dataset, path, values)


def head_for(dataset: data.DataSet, kind: str = "auto") -> heads.Head:
    """Returns the head for a data set.

    Args:
        dataset: The data set.
        kind: The name of a head, or `"auto"` to choose it by the labels. Defaults to `"auto"`.

    Returns:
        A head that is not adapted yet.
    """
    kind = dataset.head if kind == "auto" else kind
    if kind == "regression":
        return heads.Regression()
    classes = {
        "binary": heads.BinaryClass,
        "multi_class": heads.MultiClass,
        "multi_label": heads.MultiLabel,
    }
    return classes[kind](class_names=dataset.class_names)


def generator_for(dataset: data.DataSet, values: absl_flags.FlagValues) -> adanet.Generator:
    """Returns the generator for `--generator`, `--width` and `--learning_rate`."""
    images = dataset.x_train.ndim == 4
    if (values.generator or ("conv" if images else "dense")) == "conv":
        return generators.Conv(**_renamed(values, width="filters", learning_rate="learning_rate"))
    return generators.Dense(**_renamed(values, width="widths", learning_rate="learning_rate"))


def _renamed(values: absl_flags.FlagValues, **names: str) -> dict[str, object]:
    return {names[name]: value for name, value in flags.given(values, *names).items()}


def _report(
    engine: adanet.AdaNet, dataset: data.DataSet, path: str, values: absl_flags.FlagValues
) -> None:
    output.show(engine.leaderboard())
    print(f"\nStopped: {engine.stop_reason.replace('_', ' ')}")
    print(f"\nOn {len(dataset.x_test)} test rows:")
    output.show(_tested(engine, dataset))
    print(f"\nSavedModel: {path}")
    changed = {
        name: values[name].value for name in _DATA_FLAGS if not values[name].using_default_value
    }
    print(f"Predict with it: {output.command_line('predict', saved_model=path, **changed)}")


def _tested(engine: adanet.AdaNet, dataset: data.DataSet) -> pd.DataFrame:
    test = dataset.x_test, dataset.y_test
    return pd.DataFrame(
        [
            {"model": "ensemble", **engine.evaluate(*test)},
            {"model": "best single candidate", **engine.evaluate(*test, model=engine.best_single)},
        ]
    )
