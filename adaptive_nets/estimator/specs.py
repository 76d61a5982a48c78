"""What `train_and_evaluate` is told of training and of evaluation."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class TrainSpec:
    """How to train.

    Args:
        input_fn: Gives the training data.
        max_steps: Steps in all. Defaults to `None`: to the end of the search or of the data.
        hooks: `SessionRunHook`s or Keras callbacks.

    Raises:
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
        input_fn: Gives the evaluation data.
        steps: Batches of an evaluation. Defaults to 100; `None`: all.
        name: Of the folder `eval_<name>`. Defaults to `None`: `eval`.
        hooks: Accepted for old scripts.
        exporters: One or several `Exporter`s.
        start_delay_secs: An evaluator process waits so long at its start. Defaults to 120.
        throttle_secs: No evaluation sooner after the one before. Defaults to 600.

    Raises:
        ValueError: An option is out of range, or two exporters have one name.
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
