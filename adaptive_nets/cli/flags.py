"""The flags of every subcommand. Nothing here imports TensorFlow, so help and errors are fast."""

import math
import os

from absl import flags

from adaptive_nets.cli import data, table_flags

HEADS = ("auto", "binary", "multi_class", "regression", "multi_label")
HEAD_HELP = (
    "Kind of task; auto chooses it by the labels. One-hot labels are classes, and independent "
    "labels with multi_label."
)
GENERATORS = ("dense", "conv")
TRAININGS = ("residual", "independent")
MIXTURE_DATA = ("train", "validation")
MIXTURE_WEIGHTS = ("scalar", "vector", "matrix", "uniform", "probability")
FORMATS = ("table", "csv", "json")
EXPORTS = ("saved_model", "onnx")
TASKS = ("auto", "classification", "regression")
PRESETS = ("fast", "good", "best")
TABLE_HELP = "CSV or Parquet file, several as a quoted pattern, or their folder,"


class UsageError(ValueError):
    """The command line is wrong."""


def for_command(command: str) -> flags.FlagValues:
    """Defines the flags of one subcommand.

    Args:
        command: One of `app.COMMANDS`.

    Returns:
        A new `FlagValues`, not yet parsed and independent of absl's global one.
    """
    values = flags.FlagValues()
    values.set_gnu_getopt(True)
    _DEFINE[command](values)
    flags.DEFINE_boolean("debug", False, "Show tracebacks and every log line.", flag_values=values)
    return values


def parse(command: str, values: flags.FlagValues, arguments: list[str]) -> None:
    """Parses the arguments of one subcommand.

    Args:
        command: The subcommand.
        values: The flags returned by `for_command`.
        arguments: The arguments after the subcommand.

    Raises:
        UsageError: A flag is unknown, missing or has a bad value, or an argument is not a flag.
    """
    try:
        _, *surplus = values(["adaptive-nets", *arguments])
    except flags.Error as error:
        raise UsageError(str(error)) from error
    if command == "fuse":
        values["sources"].value = surplus
        if len(surplus) < 2:
            raise UsageError(f"fuse needs at least two .keras files. Received: {len(surplus)}.")
    elif surplus:
        raise UsageError(f"Unexpected argument {surplus[0]!r}: options must be --flags.")
    # A shell leaves the ~ of `--model_dir=~/run` to the program.
    for name in _PATHS.intersection(values):
        if values[name].value is not None:
            if values[name].value.isspace():
                given = values[name].value
                raise UsageError(f"--{name} must be a path. Received: --{name}={given!r}.")
            values[name].value = os.path.expanduser(values[name].value)
    for name in _REQUIRED[command]:
        if not values[name].value:
            raise UsageError(f"{command} needs --{name}.")
    if command == "predict" and bool(values.saved_model) == bool(values.model_dir):
        raise UsageError("predict needs exactly one of --saved_model and --model_dir.")
    if command in ("predict", "evaluate") and bool(values.data) == bool(values.table):
        raise UsageError(f"{command} needs exactly one of --table and --data.")
    if command == "report" and values.data and values.table:
        raise UsageError("report takes one of --table and --data.")
    if command == "predict" and values.coverage and not (values.model_dir and values.table):
        raise UsageError("--coverage needs --model_dir and --table, of what fit has found.")
    if command == "predict" and values.by and not values.coverage:
        raise UsageError("--by needs --coverage.")
    if command == "predict" and values.out and values.output:
        raise UsageError("predict takes one of --out and --output.")


def given(values: flags.FlagValues, *names: str) -> dict[str, object]:
    """Returns the flags of `names` that were set; the rest keep the library's defaults."""
    return {name: values[name].value for name in names if values[name].value is not None}


def data_options(values: flags.FlagValues) -> dict[str, object]:
    """Returns the flags that select rows of `--data`, as arguments of `data.load`."""
    return {name: values[name].value for name in ("test_split", "split_seed", "data_dir")}


def help_of(values: flags.FlagValues) -> str:
    """Returns the help of a subcommand's flags, as absl formats it."""
    parts = [values.module_help(name) for name in sorted(values.flags_by_module_dict())]
    return "\n\n".join(filter(None, (part.partition(":\n")[2].rstrip() for part in parts)))


def _define_fit(values: flags.FlagValues) -> None:
    _model_dir(values, "Folder of the search, and of the model that it finds.")
    _table(values, f"{TABLE_HELP} with the target among its columns.")
    flags.DEFINE_string("target", None, "Column to predict.", flag_values=values)
    flags.DEFINE_enum(
        "task",
        "auto",
        TASKS,
        "Kind of task; auto takes text, booleans and whole numbers of at most 10 values for "
        "classes.",
        flag_values=values,
    )
    flags.DEFINE_float("time_limit", None, "Seconds for all of it.", flag_values=values)
    _above_zero(values, "time_limit")
    flags.DEFINE_enum(
        "preset", "good", PRESETS, "How much time it takes by itself.", flag_values=values
    )
    flags.DEFINE_string(
        "metric",
        "auto",
        "What the choice is made by: the name of a scorer of scikit-learn. Default: log loss or "
        "root mean squared error.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "kinds",
        [],
        "What columns are, such as zip=category,note=text,row=ignore. Default: found out.",
        flag_values=values,
    )
    flags.DEFINE_integer("seed", None, "Seed of all of it.", lower_bound=0, flag_values=values)
    table_flags.define_fit(values)
    flags.DEFINE_string(
        "export", None, "SavedModel to write. Default: MODEL_DIR/export.", flag_values=values
    )
    flags.DEFINE_boolean(
        "verbose",
        True,
        "Show columns and progress: a live display on a terminal, plain lines otherwise.",
        flag_values=values,
    )


def _define_search(values: flags.FlagValues) -> None:
    _model_dir(values, "Folder of the search. An unfinished search in it is resumed.")
    _data(values, "Data set to train on")
    flags.DEFINE_enum("head", "auto", HEADS, HEAD_HELP, flag_values=values)
    flags.DEFINE_enum(
        "generator",
        None,
        GENERATORS,
        "Kind of candidates. Default: conv for images, otherwise dense.",
        flag_values=values,
    )
    flags.DEFINE_float(
        "time_limit", None, "Maximum duration of the search, in seconds.", flag_values=values
    )
    _above_zero(values, "time_limit")
    flags.DEFINE_integer(
        "seed", None, "Seed of the whole search.", lower_bound=0, flag_values=values
    )
    for name, text in {
        "max_iterations": "Maximum number of rounds.",
        "steps_per_iteration": "Training steps per round.",
        "batch_size": "Rows per training step.",
        "width": "Units of each dense layer, or channels of the first convolution.",
        "early_stopping": "Steps without an improvement on held-out rows after which a candidate "
        "stops; needs --validation_split or --folds.",
    }.items():
        flags.DEFINE_integer(name, None, text, lower_bound=1, flag_values=values)
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
    flags.DEFINE_enum(
        "training",
        None,
        TRAININGS,
        "Whether candidates learn the residual of the ensemble, or the task on their own.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "mixture_weights", None, MIXTURE_WEIGHTS, "Kind of mixture weights.", flag_values=values
    )
    flags.DEFINE_enum(
        "mixture_data",
        None,
        MIXTURE_DATA,
        "Rows that mixture weights are solved on; validation needs --validation_split.",
        flag_values=values,
    )
    for name, text in {
        "adanet_lambda": "Weight of the penalty on a member's complexity.",
        "adanet_beta": "Constant penalty per member.",
    }.items():
        flags.DEFINE_float(name, None, text, lower_bound=0.0, flag_values=values)
    flags.DEFINE_float(
        "learning_rate", None, "Learning rate of the candidates.", flag_values=values
    )
    _above_zero(values, "learning_rate")
    flags.DEFINE_float(
        "validation_split",
        None,
        "Fraction of the training rows used for validation, at least 0 and below 1.",
        flag_values=values,
    )
    flags.register_validator(
        "validation_split",
        lambda value: value is None or 0 <= value < 1,
        "must be at least 0 and below 1",
        flag_values=values,
    )
    flags.DEFINE_string(
        "export", None, "SavedModel to write. Default: MODEL_DIR/export.", flag_values=values
    )
    flags.DEFINE_boolean(
        "verbose",
        True,
        "Show progress: a live display on a terminal, plain lines otherwise.",
        flag_values=values,
    )


def _define_leaderboard(values: flags.FlagValues) -> None:
    _model_dir(values, "Folder of the search.")
    _format(values)


def _define_evaluate(values: flags.FlagValues) -> None:
    _model_dir(values, "Folder of the search.")
    _data(values, "Data set whose test part is evaluated")
    _table(values, f"{TABLE_HELP} to evaluate, for what fit has found.")
    _format(values)


def _define_predict(values: flags.FlagValues) -> None:
    _model_dir(values, "Folder of the search. Alternative to --saved_model.")
    flags.DEFINE_string("saved_model", None, "SavedModel to predict with.", flag_values=values)
    _data(values, "Data set whose test part, or table whose rows, are predicted", predicted=True)
    flags.DEFINE_integer(
        "rows", None, "Number of rows to predict. Default: all.", lower_bound=1, flag_values=values
    )
    _table(values, f"{TABLE_HELP} to predict.")
    table_flags.define_coverage(values)
    for name in ("out", "output"):
        flags.DEFINE_string(
            name, None, "CSV file to write. Default: standard output.", flag_values=values
        )


def _define_fuse(values: flags.FlagValues) -> None:
    flags.DEFINE_list(
        "sources", [], "The .keras files of the models, given as arguments.", flag_values=values
    )
    flags.DEFINE_string("out", None, "Path of the .keras file to write.", flag_values=values)
    flags.DEFINE_string(
        "cross",
        "zero",
        "Weights between the sources: zero, random, or the scale of noise.",
        flag_values=values,
    )
    for name, choices, text in (
        ("norm", ("joint", "grouped"), "Layer norms over all sources jointly, or one per source."),
        ("output", ("mean", "sum", "concatenate"), "How to combine the outputs of the sources."),
        (
            "preserve",
            ("exact", "approximate"),
            "Fail if outputs would change (exact), or report the change (approximate).",
        ),
    ):
        flags.DEFINE_enum(name, choices[0], choices, text, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of random weights.", lower_bound=0, flag_values=values)


def _define_export(values: flags.FlagValues) -> None:
    _model_dir(values, "Folder of the search.")
    flags.DEFINE_string("path", None, "SavedModel, or file, to write.", flag_values=values)
    text = "What to write; onnx is for features that are numbers."
    flags.DEFINE_enum("format", EXPORTS[0], EXPORTS, text, flag_values=values)
    table_flags.define_coverage(values, by=False)


def _define_importances(values: flags.FlagValues) -> None:
    _model_dir(values, "Folder of the search, as fit has left it.")
    _table(values, f"{TABLE_HELP} with the target, of rows that were not trained on.")
    flags.DEFINE_float("time_limit", None, "Seconds for it.", flag_values=values)
    _above_zero(values, "time_limit")
    table_flags.define_importances(values)
    _format(values)


def _define_report(values: flags.FlagValues) -> None:
    _model_dir(values, "Folder of the search.")
    text = "File to write, .html or .json; or a folder for tables and pictures."
    flags.DEFINE_string("out", None, text, flag_values=values)
    _table(values, f"{TABLE_HELP} to measure on, for what fit has found.")
    _data(values, "Data set whose test part is measured on, for a search")
    text = "Seconds for importances, for what fit has found. Default: 4."
    flags.DEFINE_float("time_limit", None, text, flag_values=values)
    _above_zero(values, "time_limit")


_REQUIRED = {
    "fit": ("table", "target", "model_dir"),
    "search": ("data", "model_dir"),
    "leaderboard": ("model_dir",),
    "evaluate": ("model_dir",),
    "predict": (),
    "fuse": ("out",),
    "export": ("model_dir", "path"),
    "report": ("model_dir", "out"),
    "importances": ("model_dir", "table"),
}
_PATHS = frozenset(("data", "export", "model_dir", "out", "output", "path", "saved_model", "table"))
_DEFINE = {
    "fit": _define_fit,
    "search": _define_search,
    "leaderboard": _define_leaderboard,
    "evaluate": _define_evaluate,
    "predict": _define_predict,
    "fuse": _define_fuse,
    "export": _define_export,
    "report": _define_report,
    "importances": _define_importances,
}


def _model_dir(values: flags.FlagValues, text: str) -> None:
    flags.DEFINE_string("model_dir", None, text, flag_values=values)


def _table(values: flags.FlagValues, text: str) -> None:
    flags.DEFINE_string("table", None, text, flag_values=values)
    flags.DEFINE_string(
        "encoding", None, "Encoding of a CSV file, such as cp1252. Default: UTF-8.",
        flag_values=values,
    )  # fmt: skip


def _format(values: flags.FlagValues) -> None:
    flags.DEFINE_enum("format", "table", FORMATS, "Output format.", flag_values=values)


def _data(values: flags.FlagValues, text: str, predicted: bool = False) -> None:
    forms = data.PREDICTED_FORMS if predicted else data.FORMS
    flags.DEFINE_string("data", None, f"{text}: {forms}.", flag_values=values)
    flags.register_validator(
        "data",
        lambda value: value is None or data.is_name(value, predicted),
        f"unknown data set, expected one of {forms}",
        flag_values=values,
    )
    flags.DEFINE_string("data_dir", None, "Folder of tensorflow-datasets.", flag_values=values)
    flags.DEFINE_float(
        "test_split",
        0.25,
        "Fraction of the rows held out for testing if the data has no test part.",
        flag_values=values,
    )
    flags.register_validator(
        "test_split", lambda value: 0 < value < 1, "must be between 0 and 1", flag_values=values
    )
    flags.DEFINE_integer(
        "split_seed",
        0,
        "Seed of the hold-out. Use the same for every command on one search.",
        lower_bound=0,
        flag_values=values,
    )


def _above_zero(values: flags.FlagValues, name: str) -> None:
    flags.register_validator(
        name,
        lambda value: value is None or 0 < value < math.inf,
        "must be a number greater than 0",
        flag_values=values,
    )
