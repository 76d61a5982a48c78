"""The session hooks that still make sense, on top of Keras callbacks."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
from absl import logging

from adaptive_nets._arguments import takes
from adaptive_nets._checks import (
    check_bool,
    check_dict,
    check_function,
    check_integer,
    check_list,
    check_number,
    check_path,
    or_none,
    show,
)
from adaptive_nets.adanet.monitoring.callback import SearchCallback
from adaptive_nets.estimator.compat.contract import CHECKPOINT_SAVER_HOOK, STEP_COUNTER_HOOK


class RunContext:
    """Lets a hook stop the training."""

    def __init__(self) -> None:
        self.stop_requested = False

    def request_stop(self) -> None:
        """Stops training after the steps of this call."""
        self.stop_requested = True


@dataclasses.dataclass
class RunValues:
    """Values passed to a hook.

    Args:
        results: `{"global_step": ..., "loss": ...}`. The loss is the mean over candidates.
    """

    results: dict[str, float]


class SessionRunHook:
    """Base class of hooks, which are called during training.

    There is no session: `None` is passed instead.

    Attributes:
        steps_per_call: The most steps between the calls of `before_run` and `after_run`. A call for
            each step makes the training of small networks slow. Defaults to `1`; `None`: as many as
            one compiled call takes.
    """

    steps_per_call: int | None = 1

    def begin(self) -> None:
        """Called once, before training."""

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Called once, after `begin`."""

    def before_run(self, run_context: RunContext) -> None:
        """Called before a block of steps."""

    def after_run(self, run_context: RunContext, run_values: RunValues) -> None:
        """Called after a block of steps."""

    def end(self, session: Any) -> None:
        """Called once, after training."""


@takes({})
class StopAtStepHook(SessionRunHook):
    """Stops training after exactly `num_steps` more steps, or at global step `last_step`.

    Args:
        num_steps: Number of steps in this call of `train`. Defaults to `None`.
        last_step: Global step to stop at. Defaults to `None`.
    """

    def __init__(self, num_steps: int | None = None, last_step: int | None = None) -> None:
        if (num_steps is None) == (last_step is None):
            raise ValueError(
                "Pass exactly one of num_steps and last_step. "
                f"Received: num_steps={show(num_steps)}, last_step={show(last_step)}."
            )
        self.num_steps = or_none(check_integer, "num_steps", num_steps, 1)
        self.last_step = or_none(check_integer, "last_step", last_step, 1)

    def limit(self, global_step: int) -> int:
        """Returns the last step of a training that starts after `global_step`."""
        return self.last_step if self.num_steps is None else global_step + self.num_steps


@takes({})
class LoggingTensorHook(SessionRunHook):
    """Logs the loss and the global step.

    Args:
        tensors: Names to log, `"loss"` or `"global_step"`, or a dict from labels to these names.
            Defaults to `("loss",)`.
        every_n_iter: Steps between log lines. Defaults to `None`.
        every_n_secs: Seconds between log lines, instead of steps. Defaults to `None`.
        at_end: Whether to log at the end of training. Defaults to `False`.
        formatter: Function from the dict of values to a log line. Defaults to `None`.
    """

    steps_per_call = None

    def __init__(
        self,
        tensors: Iterable[str] | dict[str, str] = ("loss",),
        every_n_iter: int | None = None,
        every_n_secs: float | None = None,
        at_end: bool = False,
        formatter: Callable[[dict], str] | None = None,
    ) -> None:
        at_end = check_bool("at_end", at_end)
        if (every_n_iter is None) == (every_n_secs is None) and not at_end:
            raise ValueError(
                "Pass exactly one of every_n_iter and every_n_secs, or at_end=True. "
                f"Received: every_n_iter={show(every_n_iter)}, every_n_secs={show(every_n_secs)}."
            )
        words = "names of what to log, or a dict from labels to them"
        if isinstance(tensors, dict):
            self.tensors = check_dict("tensors", tensors, str, words, 1)
        else:
            listed = [tensors] if isinstance(tensors, str) else tensors
            self.tensors = {name: name for name in check_list("tensors", listed, str, words, 1)}
        unknown = set(self.tensors.values()) - {"loss", "global_step"}
        if unknown:
            raise ValueError(
                "Only 'loss' and 'global_step' can be logged: there is no graph of tensors. "
                f"Received: {', '.join(sorted(map(show, unknown)))}."
            )
        self.every_n_iter = or_none(check_integer, "every_n_iter", every_n_iter, 1)
        self.every_n_secs = or_none(check_number, "every_n_secs", every_n_secs, 0)
        self.at_end = at_end
        self.formatter = or_none(check_function, "formatter", formatter)
        self._last, self._values = (0, time.monotonic()), None

    def after_run(self, run_context: RunContext, run_values: RunValues) -> None:
        self._values, step = run_values.results, int(run_values.results["global_step"])
        steps, seconds = step - self._last[0], time.monotonic() - self._last[1]
        due = self.every_n_iter is not None and steps >= self.every_n_iter
        if due or (self.every_n_secs is not None and seconds >= self.every_n_secs):
            self._log()
            self._last = (step, time.monotonic())

    def end(self, session: Any) -> None:
        if self.at_end and self._values is not None:
            self._log()

    def _log(self) -> None:
        shown = {name: self._values[key] for name, key in self.tensors.items()}
        text = ", ".join(f"{name} = {value:.6g}" for name, value in shown.items())
        logging.info(self.formatter(shown) if self.formatter else text)


@takes(STEP_COUNTER_HOOK)
class StepCounterHook(SessionRunHook):
    """Logs steps per second.

    Args:
        every_n_steps: Steps between log lines. Defaults to `100`.
        every_n_secs: Seconds between log lines, instead of steps. Defaults to `None`.
        output_dir: Ignored: steps per second are logged. Defaults to `None`.
        summary_writer: Ignored, too. Defaults to `None`.
    """

    steps_per_call = None

    def __init__(
        self,
        every_n_steps: int | None = 100,
        every_n_secs: float | None = None,
        output_dir: Any = None,
        summary_writer: Any = None,
    ) -> None:
        self.every_n_steps = or_none(check_integer, "every_n_steps", every_n_steps, 1)
        self.every_n_secs = or_none(check_number, "every_n_secs", every_n_secs, 0)
        or_none(check_path, "output_dir", output_dir)
        self.steps_per_second: float | None = None
        self._last: tuple[int, float] | None = None

    def after_run(self, run_context: RunContext, run_values: RunValues) -> None:
        step, now = int(run_values.results["global_step"]), time.monotonic()
        if self._last is None:
            self._last = (step, now)
            return
        steps, seconds = step - self._last[0], now - self._last[1]
        due = steps >= (self.every_n_steps or 1) if self.every_n_secs is None else False
        if due or (self.every_n_secs is not None and seconds >= self.every_n_secs):
            self.steps_per_second = steps / max(seconds, 1e-9)
            logging.info("global_step/sec: %.6g", self.steps_per_second)
            self._last = (step, now)


@takes(CHECKPOINT_SAVER_HOOK)
class CheckpointSaverHook(SessionRunHook):
    """Sets the time between the checkpoints that the search writes.

    Args:
        checkpoint_dir: Must be the estimator's `model_dir` or `None`. Defaults to `None`.
        save_secs: Seconds between checkpoints. Defaults to `None`: as `RunConfig` says.
        save_steps: Ignored: checkpoints go by time. Defaults to `None`.
        listeners: `CheckpointSaverListener`s. Defaults to `None`.
    """

    def __init__(
        self,
        checkpoint_dir: Any = None,
        save_secs: float | None = None,
        save_steps: int | None = None,
        saver: Any = None,
        checkpoint_basename: str = "model.ckpt",
        scaffold: Any = None,
        listeners: Sequence[Any] | None = None,
        save_graph_def: bool = True,
    ) -> None:
        save_steps = or_none(check_integer, "save_steps", save_steps, 1)
        if (save_steps is None) == (save_secs is None):
            raise ValueError(
                "Pass exactly one of save_secs and save_steps. "
                f"Received: save_secs={show(save_secs)}, save_steps={show(save_steps)}."
            )
        self.checkpoint_dir = or_none(check_path, "checkpoint_dir", checkpoint_dir)
        self.save_secs = save_secs
        if save_secs is not None:
            self.save_secs = check_number("save_secs", save_secs, 0, inclusive=False)
        self.listeners = check_listeners(listeners)


class CheckpointSaverListener:
    """Base class of listeners, which are called with the state that each call of `train` leaves.

    There is no session: `None` is passed instead.
    """

    def begin(self) -> None:
        """Called before training."""

    def before_save(self, session: Any, global_step_value: int) -> None:
        """Called when training has ended."""

    def after_save(self, session: Any, global_step_value: int) -> None:
        """Called when the state is in `model_dir`."""

    def end(self, session: Any, global_step_value: int) -> None:
        """Called at the end."""


class HookCallback(SearchCallback):
    """Calls hooks while a search trains; `self.model` is the search."""

    def __init__(self, hooks: Sequence[SessionRunHook]) -> None:
        super().__init__()
        self.hooks, self.context = list(hooks), RunContext()
        wanted = [hook.steps_per_call for hook in self.hooks if _is_called(hook)]
        self.steps_per_call = min(filter(None, wanted), default=None)

    def on_train_begin(self, logs: dict | None = None) -> None:
        for hook in self.hooks:
            hook.begin()
        for hook in self.hooks:
            hook.after_create_session(None, None)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        for hook in self.hooks:
            hook.before_run(self.context)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        search = self.model
        step = search.state.steps + batch + 1
        values = RunValues({"global_step": step, "loss": float((logs or {}).get("loss", 0.0))})
        for hook in self.hooks:
            hook.after_run(self.context, values)
        if self.context.stop_requested:
            search.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        for hook in self.hooks:
            hook.end(None)


class PlayedHooks:
    """Calls hooks of one subnetwork while it is trained.

    Args:
        hooks: The hooks.

    Attributes:
        steps_per_call: The most steps between two calls, or `None` if no hook wants any.
    """

    def __init__(self, hooks: Sequence[SessionRunHook]) -> None:
        self.hooks, self.context, self.begun = list(hooks), RunContext(), False
        # A hook without such methods hears of the beginning and the end.
        wanted = [each.steps_per_call or 1 for each in self.hooks]
        self.steps_per_call = min(wanted, default=None)

    def after_steps(self, step: int, loss: float, done: bool) -> bool:
        """Calls the hooks after some steps; returns whether one has requested to stop."""
        values = RunValues({"global_step": step, "loss": loss})
        for hook in self.hooks:
            if not self.begun:
                hook.begin()
                hook.after_create_session(None, None)
            hook.before_run(self.context)
            hook.after_run(self.context, values)
        self.begun = True
        for hook in self.hooks if done or self.context.stop_requested else []:
            hook.end(None)
        return self.context.stop_requested


def _is_called(hook):
    """Returns whether a hook does something in the middle of the training."""
    kind, base = type(hook), SessionRunHook
    return (kind.before_run, kind.after_run) != (base.before_run, base.after_run)


def check_listeners(listeners: Sequence[Any] | None) -> list[CheckpointSaverListener]:
    """Returns listeners as a list.

    Raises:
        TypeError: One is not a `CheckpointSaverListener`.
    """
    words = "a list of estimator.CheckpointSaverListeners, or None"
    if listeners is None:
        return []
    return check_list("saving_listeners", listeners, CheckpointSaverListener, words)


def check_hooks(hooks: Sequence[Any] | None) -> list[Any]:
    """Returns hooks as a list.

    Raises:
        TypeError: A hook is neither a `SessionRunHook` nor a Keras callback.
    """
    kinds = SessionRunHook | keras.callbacks.Callback
    words = "a list of estimator.SessionRunHooks or Keras callbacks, or None"
    if hooks is None:
        return []
    for hook in hooks if isinstance(hooks, list | tuple) else [hooks]:
        if type(hook).__mro__[-2].__module__.startswith("tensorflow.python.training"):
            raise TypeError(
                "hooks of tf.compat.v1.train need a session. Use the class of this name in "
                "adaptive_nets.estimator, as whose subclass a hook of your own is called too, or "
                f"leave it out. Received: {type(hook).__name__}."
            )
    return check_list("hooks", hooks, kinds, words)


def callbacks_of(hooks: Sequence[Any] | None) -> list[keras.callbacks.Callback]:
    """Returns the Keras callbacks among the hooks, and one that calls all other hooks.

    Raises:
        TypeError: A hook is neither a `SessionRunHook` nor a Keras callback.
    """
    given = check_hooks(hooks)
    played = [hook for hook in given if isinstance(hook, SessionRunHook)]
    callbacks = [hook for hook in given if not isinstance(hook, SessionRunHook)]
    return [*callbacks, *([HookCallback(played)] if played else [])]
