"""The entry point of `adaptive-nets`: chooses the subcommand and reports its errors."""

import contextlib
import dataclasses
import importlib
import logging as python_logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence

from absl import logging

from adaptive_nets._version import __version__
from adaptive_nets.cli import flags

_FAILED, _MISUSED, _INTERRUPTED = 1, 2, 130
_MODULES = "adaptive_nets.cli"


@dataclasses.dataclass(frozen=True)
class Command:
    """A subcommand: the function `name(flags)` of `module`, and its help.

    Args:
        module: Module of `adaptive_nets.cli` with the function.
        summary: One line that says what the subcommand does.
        usage: Its arguments, as shown in the help.
    """

    module: str
    summary: str
    usage: str


COMMANDS = {
    "fit": Command(
        "fit",
        "Find a model for a table, as it is, and write a SavedModel.",
        "--table=FILE --target=COLUMN --model_dir=DIR [--time_limit=SECONDS] [flags]",
    ),
    "search": Command(
        "search",
        "Search an ensemble on a data set and write a SavedModel.",
        "--data=DATA --model_dir=DIR [--time_limit=SECONDS] [flags]",
    ),
    "leaderboard": Command(
        "saved",
        "Show every candidate of a search or fit.",
        "--model_dir=DIR [--format=table|csv|json]",
    ),
    "evaluate": Command(
        "saved",
        "Evaluate what a search or fit has found on test rows.",
        "--model_dir=DIR --data=DATA|--table=FILE [flags]",
    ),
    "predict": Command(
        "predict",
        "Predict the rows of a table, or test rows, and write them as CSV.",
        "--saved_model=PATH|--model_dir=DIR --table=FILE|--data=DATA [flags]",
    ),
    "fuse": Command(
        "fuse",
        "Fuse trained Keras models into one larger model.",
        "A.keras B.keras [...] --out=BIG.keras [flags]",
    ),
    "export": Command(
        "saved",
        "Write what a search or fit has found as a SavedModel.",
        "--model_dir=DIR --path=PATH",
    ),
    "report": Command(
        "report",
        "Write a report of a search or fit, as a page or as data.",
        "--model_dir=DIR --out=REPORT.html [--table=FILE|--data=DATA] [flags]",
    ),
    "importances": Command(
        "saved",
        "Show what the model of a fit loses without each column.",
        "--model_dir=DIR --table=FILE [flags]",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one subcommand.

    Args:
        arguments: Command-line arguments without the program name. Defaults to `None`:
            `sys.argv[1:]`.

    Returns:
        The exit status: 0, 1 if the command failed, 2 if the command line is wrong, 130 if it was
        interrupted.

    Example:

    ```python
    from adaptive_nets.cli import app

    app.main(["--version"])  # prints the version and returns 0
    ```
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            _run(arguments)
        sys.stdout.flush()
    except flags.UsageError as error:
        return _fail(error, _MISUSED, debug)
    except KeyboardInterrupt as error:
        return _fail(error, _INTERRUPTED, debug)
    except BrokenPipeError:
        # The reader closed the pipe (`| head`): it has what it wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        return _fail(error, _FAILED, debug)
    return 0


def _run(arguments: list[str]) -> None:
    name, *rest = arguments or ["--help"]
    if name in ("--help", "-h", "help"):
        print(_help())
        return
    if name == "--version":
        print(f"adaptive-nets {__version__}")
        return
    if name not in COMMANDS:
        raise flags.UsageError(f"Unknown command {name!r}. Expected one of {', '.join(COMMANDS)}.")
    values = flags.for_command(name)
    if {"--help", "-h"} & set(rest):
        print(_help_of(name, values))
        return
    flags.parse(name, values, rest)
    _prepare_logs(values.debug)
    with contextlib.nullcontext() if values.debug else _import_noise_withheld():
        importlib.import_module("tensorflow")
        module = importlib.import_module(f"{_MODULES}.{COMMANDS[name].module}")
    getattr(module, name)(values)


def _help() -> str:
    commands = "\n".join(f"  {name:<13}{each.summary}" for name, each in COMMANDS.items())
    return (
        "usage: adaptive-nets COMMAND [flags]\n\n"
        f"Searches for ensembles of neural networks, candidate by candidate.\n\n{commands}\n\n"
        "Run adaptive-nets COMMAND --help for the flags of a command, --version for the version."
    )


def _help_of(name: str, values: flags.flags.FlagValues) -> str:
    command = COMMANDS[name]
    return (
        f"usage: adaptive-nets {name} {command.usage}\n\n{command.summary}\n\n"
        f"{flags.help_of(values)}"
    )


def _fail(error: BaseException, status: int, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    print(f"adaptive-nets: error: {_one_line(error)}", file=sys.stderr)
    return status


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"adaptive-nets: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _one_line(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    text = " ".join(str(error).split("\n\n")[0].split())
    if isinstance(error, (ValueError, TypeError, OSError, ImportError, MemoryError)) and text:
        return text
    # This error is not explained by the command line, so its type is shown.
    kind = type(error).__name__
    hint = "(use --debug for a traceback)"
    return f"{kind}: {text} {hint}" if text else f"{kind} {hint}"


def _prepare_logs(debug: bool) -> None:
    logging.use_absl_handler()
    logging.set_verbosity(logging.DEBUG if debug else logging.WARNING)
    if not debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        python_logging.getLogger("tensorflow").setLevel(python_logging.ERROR)


@contextlib.contextmanager
def _import_noise_withheld() -> Iterator[None]:
    """Hides what TensorFlow's C++ code writes while loading, before its log level takes effect."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
