"""How `train_and_evaluate` trains and evaluates."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class TrainSpec:
    """How to train.

    Args:
        input_fn: Function that returns the training data.
        max_steps: Total number of steps. Defaults to `None`: until the search or the data end.
        hooks: `SessionRunHook`s or Keras callbacks. Defaults to `None`.

    Raises:
        TypeError: `input_fn` is not callable.
        ValueError: An option is out of range.
    """

    input_fn: Callable
    max_steps: int | None = None
    hooks: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        if not callable(self.input_fn):
            raise TypeError(f"input_fn must be a function. Received: {self.input_fn!r}.")
        if self.max_steps is not None and not self.max_steps > 0:
            raise ValueError(f"max_steps must be > 0. Received: max_steps={self.max_steps!r}.")


@dataclasses.dataclass(frozen=True)
class EvalSpec:
    """How to evaluate and export.

    Args:
        input_fn: Function that returns the evaluation data.
        steps: Number of batches per evaluation, or `None` for all. Defaults to `100`.
        name: Suffix of the folder `eval_<name>`. Defaults to `None`: `eval`.
        hooks: Accepted but ignored. Defaults to `None`.
        exporters: An `Exporter` or a list of them. Defaults to `None`.
        start_delay_secs: Seconds that an evaluator process waits before it starts. Defaults to
            `120`.
        throttle_secs: Minimum number of seconds between evaluations. Defaults to `600`.

    Raises:
        TypeError: `input_fn` is not callable.
        ValueError: An option is out of range, or two exporters have the same name.
    """

    input_fn: Callable
    steps: int | None = 100
    name: str | None = None
    hooks: Sequence[Any] | None = None
    exporters: Any = None
    start_delay_secs: float = 120
    throttle_secs: float = 600

    def __post_init__(self) -> None:
        if not callable(self.input_fn):
            raise TypeError(f"input_fn must be a function. Received: {self.input_fn!r}.")
        if self.steps is not None and not self.steps > 0:
            raise ValueError(f"steps must be > 0. Received: steps={self.steps!r}.")
        for name in ("start_delay_secs", "throttle_secs"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be >= 0. Received: {name}={getattr(self, name)!r}.")
        names = [exporter.name for exporter in self.listed_exporters]
        if len(set(names)) < len(names):
            raise ValueError(f"Exporters must have different names. Received: {names}.")

    @property
    def listed_exporters(self) -> list[Any]:
        """The exporters as a list."""
        if self.exporters is None:
            return []
        return (
            list(self.exporters) if isinstance(self.exporters, list | tuple) else [self.exporters]
        )
