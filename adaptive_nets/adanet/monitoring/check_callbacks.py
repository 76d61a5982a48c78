"""The checks of a search's callbacks, before training begins."""

import dataclasses
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras

from adaptive_nets._checks import show
from adaptive_nets._values import elements
from adaptive_nets.heads import Head
from adaptive_nets.keras_internals import metric_direction

_RATE_CALLBACKS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
_FALLING = ("loss", "log_loss", "mse", "rmse", "mae")


@dataclasses.dataclass(frozen=True)
class Training:
    """What callbacks can expect of a call of `fit`.

    Args:
        directions: `"up"` or `"down"` for the name of each metric.
        validated: Whether there is validation data.
        apart: The name of the placement if other processes train the subnetworks, else `None`.
    """

    directions: dict[str, str]
    validated: bool
    apart: str | None = None

    @property
    def keys(self) -> list[str]:
        """The keys of a round's logs."""
        measured = [name for name in self.directions if name != "objective"]
        return [
            "objective", *measured, *(f"val_{name}" for name in measured if self.validated)
        ]  # fmt: skip


def metric_directions(head: Head) -> dict[str, str]:
    """Returns whether each metric of a round is better `"up"` or `"down"`."""
    found = {"objective": "down", "loss": "down"}
    for name, metric in head.metrics().items():
        falls = name.rpartition("/")[2] in _FALLING
        found[name] = metric_direction(metric) or ("down" if falls else "up")
    name, better = head.main_metric
    return {**found, name: "up" if better == "max" else "down"}


def list_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Returns the callbacks in a list, a `CallbackList` or a single callback, one by one.

    Raises:
        TypeError: Something in it is not a Keras callback.
    """
    return list(_each(callbacks, 0))


def _each(given, depth) -> Iterator[keras.callbacks.Callback]:
    if given is None:
        return
    if isinstance(given, keras.callbacks.CallbackList):
        given = given.callbacks
    if isinstance(given, keras.callbacks.Callback):
        yield given
    elif _is_list(given) and depth < 64:
        for each in elements(given):
            yield from _each(each, depth + 1)
    else:
        made = isinstance(given, type) and issubclass(given, keras.callbacks.Callback)
        hint = f" Create one: {given.__name__}(...)." if made else ""
        raise TypeError(
            f"callbacks must be Keras callbacks. Received: {show(given)} "
            f"({type(given).__name__}).{hint}"
        )


def _is_list(given):
    listed = isinstance(given, Iterable) and not isinstance(given, str | bytes | dict)
    return listed and not hasattr(given, "shape") and elements(given) is not None


def check_callbacks(callbacks: list[keras.callbacks.Callback], training: Training) -> None:
    """Checks that each callback can do in a search what it is for.

    Args:
        callbacks: Single callbacks.
        training: `Training`.

    Raises:
        ValueError: One of them cannot. The message names it, and what to use instead.
        ImportError: It needs a package that is not installed.
    """
    keys = training.keys
    if any(isinstance(each, _RATE_CALLBACKS) for each in callbacks):
        keys = [*keys, "learning_rate"]
    for callback in callbacks:
        # Callbacks of this package that change the model of `keras.Model.fit` say what to use.
        instead = getattr(callback, "instead_in_a_search", None)
        if instead is not None:
            raise _refused(callback, instead)
        for kind, check in _CHECKS.items():
            if isinstance(callback, kind):
                check(callback, training, keys)


def _check_monitor(callback, training, keys):
    if callback.monitor not in keys:
        without = not training.validated and callback.monitor.startswith("val_")
        hint = "Pass validation_data or validation_split to fit, or m" if without else "M"
        raise _refused(
            callback,
            f"it monitors {callback.monitor!r}, which rounds do not have. {hint}onitor one of "
            f"{', '.join(keys)}.",
        )


def _check_checkpoint(callback, training, keys):
    if callback.save_freq != "epoch":
        raise _refused(
            callback,
            f"save_freq={callback.save_freq!r} counts batches, but the model of a search changes "
            "only when a round is decided. Use save_freq='epoch'; what is within a round is saved "
            "by AdaNet(model_dir=..., checkpoint_seconds=...).",
        )
    if callback.save_best_only:
        _check_monitor(callback, training, keys)
    try:
        callback.filepath.format(epoch=1, **dict.fromkeys(keys, 0.0))
    except (KeyError, IndexError, ValueError) as error:
        raise _refused(
            callback,
            f"filepath {callback.filepath!r} has a placeholder that cannot be filled in "
            f"({type(error).__name__}: {error}). There are epoch, {', '.join(keys)}.",
        ) from error


def _check_rates(callback, training, keys):
    if training.apart is not None:
        raise _refused(
            callback,
            f"placement={training.apart!r} trains subnetworks in other processes, which it does "
            "not reach. Pass a LearningRateSchedule to the generator, or use "
            "placement='replicated'.",
        )


def _check_tensorboard(callback, training, keys):
    if callback.embeddings_freq:
        raise _refused(
            callback,
            "embeddings_freq needs the model's layers before training, and a search has none yet. "
            "Use embeddings_freq=0, and log `search.model` after fit.",
        )
    _check_package(callback, "tensorboard")


def _check_package(callback, package):
    if importlib.util.find_spec(package) is None:
        raise ImportError(
            f"{type(callback).__name__} needs the package {package}, which is not installed: "
            f"pip install {package}"
        )


def _check_backup(callback, training, keys):
    if type(callback) is not keras.callbacks.BackupAndRestore:
        raise _refused(
            callback,
            "a search resumes by its own files, so that what a subclass of BackupAndRestore does "
            "cannot be done. Use AdaNet(model_dir=...).",
        )


def _refuse(reason: str) -> Callable[[Any, Training, list[str]], None]:
    def check(callback, training, keys):
        raise _refused(callback, reason)

    return check


def _refused(callback, reason):
    return ValueError(f"AdaNet.fit cannot use the callback {type(callback).__name__}: {reason}")


# By class of `keras.callbacks`; what is not here works as it is.
_CHECKS = {
    keras.callbacks.EarlyStopping: _check_monitor,
    keras.callbacks.ModelCheckpoint: _check_checkpoint,
    keras.callbacks.ReduceLROnPlateau: lambda callback, training, keys: (
        _check_rates(callback, training, keys), _check_monitor(callback, training, keys)
    ),
    keras.callbacks.LearningRateScheduler: _check_rates,
    keras.callbacks.TensorBoard: _check_tensorboard,
    keras.callbacks.BackupAndRestore: _check_backup,
    keras.callbacks.RemoteMonitor: lambda callback, *_: _check_package(callback, "requests"),
    keras.callbacks.SwapEMAWeights: _refuse(
        "subnetworks are trained in one compiled function, whose weights cannot be swapped. Pass "
        "the generator an optimizer with use_ema=True and ema_overwrite_frequency="
        "steps_per_iteration, which ends each round with the averages."
    ),
}  # fmt: skip
if hasattr(keras.callbacks, "OrbaxCheckpoint"):
    _CHECKS[keras.callbacks.OrbaxCheckpoint] = _refuse(
        "there is no model to checkpoint within a round. Use ModelCheckpoint for the model of "
        "each round, and AdaNet(model_dir=...) to resume."
    )
