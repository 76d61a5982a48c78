"""How `train_and_evaluate` trains and evaluates."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from adaptive_nets._arguments import takes
from adaptive_nets._checks import (
    check_function,
    check_integer,
    check_list,
    check_number,
    check_text,
    or_none,
)
from adaptive_nets.estimator.compat.contract import EVALUATE
from adaptive_nets.estimator.exporters import Exporter
from adaptive_nets.estimator.hooks import check_hooks, check_listeners


@takes({})
@dataclasses.dataclass(frozen=True)
class TrainSpec:
    """How to train.

    Args:
        input_fn: Function that returns the training data.
        max_steps: Total number of steps. Defaults to `None`: until the search or the data end.
        hooks: `SessionRunHook`s or Keras callbacks. Defaults to `None`.
        saving_listeners: As in `Estimator.train`. Defaults to `None`.

    Raises:
        TypeError: `input_fn` is not callable.
        ValueError: An option is out of range.
    """

    input_fn: Callable
    max_steps: int | None = None
    hooks: Sequence[Any] | None = None
    saving_listeners: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        check_function("input_fn", self.input_fn)
        or_none(check_integer, "max_steps", self.max_steps, 1)
        check_hooks(self.hooks)
        check_listeners(self.saving_listeners)


@takes(EVALUATE)
@dataclasses.dataclass(frozen=True)
class EvalSpec:
    """How to evaluate and export.

    Args:
        input_fn: Function that returns the evaluation data.
        steps: Number of batches per evaluation, or `None` for all. Defaults to `100`.
        name: Suffix of the folder `eval_<name>`. Defaults to `None`: `eval`.
        hooks: Ignored: evaluation calls no hooks. Defaults to `None`.
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
        check_function("input_fn", self.input_fn)
        or_none(check_integer, "steps", self.steps, 1)
        or_none(check_text, "name", self.name)
        check_hooks(self.hooks)
        for name in ("start_delay_secs", "throttle_secs"):
            check_number(name, getattr(self, name), 0)
        words = "an estimator.Exporter, or a list of them"
        check_list("exporters", self.listed_exporters, Exporter, words)
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
