"""Session hooks that still make sense, over Keras callbacks."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
from absl import logging


class RunContext:
    """What a hook may ask of the training."""

    def __init__(self) -> None:
        self.stop_requested = False

    def request_stop(self) -> None:
        """Ends the training after this call."""
        self.stop_requested = True


@dataclasses.dataclass
class RunValues:
    """What a hook is told.

    Attributes:
        results: `{"global_step": ..., "loss": ...}`; the loss is the mean over candidates.
    """

    results: dict[str, float]


class SessionRunHook:
    """Called as training goes on. There is no session: what is passed as one is `None`.

    A call stands for some steps, as many as one compiled call takes.
    """

    def begin(self) -> None:
        """Called once, before training."""

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Called once, after `begin`."""

    def before_run(self, run_context: RunContext) -> None:
        """Called before some steps."""

    def after_run(self, run_context: RunContext, run_values: RunValues) -> None:
        """Called after some steps."""

    def end(self, session: Any) -> None:
        """Called once, after training."""


class StopAtStepHook(SessionRunHook):
    """Ends training after `num_steps` more steps, or at global step `last_step`, exactly.

    Args:
        num_steps: Steps of this call of `train`.
        last_step: Step of the whole training.
    """

    def __init__(self, num_steps: int | None = None, last_step: int | None = None) -> None:
        if (num_steps is None) == (last_step is None):
            raise ValueError("Pass one of num_steps and last_step.")
        self.num_steps, self.last_step = num_steps, last_step

    def limit(self, global_step: int) -> int:
        """The last step, where training begins after `global_step`."""
        return self.last_step if self.num_steps is None else global_step + self.num_steps


class LoggingTensorHook(SessionRunHook):
    """Logs the loss and the global step.

    Args:
        tensors: Names, of which `"loss"` and `"global_step"` are known, or a dict from what is
            logged to them.
        every_n_iter: Steps between two lines.
        every_n_secs: Seconds between two lines; one of both is given.
        at_end: Whether only the end is logged.
        formatter: From the dict of values to a line.
    """

    def __init__(
        self,
        tensors: Iterable[str] | dict[str, str] = ("loss",),
        every_n_iter: int | None = None,
        every_n_secs: float | None = None,
        at_end: bool = False,
        formatter: Callable[[dict], str] | None = None,
    ) -> None:
        if (every_n_iter is None) == (every_n_secs is None) and not at_end:
            raise ValueError("Pass one of every_n_iter and every_n_secs, or at_end=True.")
        self.tensors = tensors if isinstance(tensors, dict) else {name: name for name in tensors}
        unknown = set(self.tensors.values()) - {"loss", "global_step"}
        if unknown:
            raise ValueError(
                "There is no graph whose tensors could be logged: expected 'loss' or "
                f"'global_step'. Received: {', '.join(sorted(map(str, unknown)))}."
            )
        self.every_n_iter, self.every_n_secs = every_n_iter, every_n_secs
        self.at_end, self.formatter = at_end, formatter
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


class StepCounterHook(SessionRunHook):
    """Logs steps a second.

    Args:
        every_n_steps: Steps between two lines. Defaults to 100.
        every_n_secs: Seconds between two lines, in place of steps.
        output_dir: Accepted for old scripts.
    """

    def __init__(
        self,
        every_n_steps: int | None = 100,
        every_n_secs: float | None = None,
        output_dir: Any = None,
    ) -> None:
        self.every_n_steps, self.every_n_secs = every_n_steps, every_n_secs
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


class CheckpointSaverHook(SessionRunHook):
    """Sets the time between checkpoints, which the search writes itself.

    Args:
        checkpoint_dir: Must be the estimator's `model_dir`, or `None`.
        save_secs: Seconds between two checkpoints.
        save_steps: Not supported: checkpoints go by time.
    """

    def __init__(
        self, checkpoint_dir: Any = None, save_secs: float | None = None, save_steps: Any = None
    ) -> None:
        if save_steps is not None or save_secs is None:
            raise ValueError("Checkpoints go by time: pass save_secs, and no save_steps.")
        self.checkpoint_dir, self.save_secs = checkpoint_dir, save_secs


class HookCallback(keras.callbacks.Callback):
    """Plays hooks as a search is trained; `self.model` is the search."""

    def __init__(self, hooks: Sequence[SessionRunHook]) -> None:
        super().__init__()
        self.hooks, self.context = list(hooks), RunContext()

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
        step = search.state.iteration * search.steps_per_iteration + batch + 1
        values = RunValues({"global_step": step, "loss": float((logs or {}).get("loss", 0.0))})
        for hook in self.hooks:
            hook.after_run(self.context, values)
        if self.context.stop_requested:
            search.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        for hook in self.hooks:
            hook.end(None)


def callbacks_of(hooks: Sequence[Any] | None) -> list[keras.callbacks.Callback]:
    """Keras callbacks as they are, and one that plays all hooks.

    Raises:
        TypeError: One is neither.
    """
    given = list(hooks or ())
    for hook in given:
        if not isinstance(hook, SessionRunHook | keras.callbacks.Callback):
            raise TypeError(
                "hooks must be estimator.SessionRunHooks or Keras callbacks. Received: "
                f"{type(hook).__name__}."
            )
    played = [hook for hook in given if isinstance(hook, SessionRunHook)]
    callbacks = [hook for hook in given if not isinstance(hook, SessionRunHook)]
    return [*callbacks, *([HookCallback(played)] if played else [])]
