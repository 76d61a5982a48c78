"""`train_and_evaluate`, on one machine or as one task of a cluster."""

import os
import time
from typing import Any

from absl import logging

from adaptive_nets.adanet import AdaNet
from adaptive_nets.estimator.estimator import Estimator
from adaptive_nets.estimator.hooks import RunContext, RunValues, SessionRunHook
from adaptive_nets.estimator.specs import EvalSpec, TrainSpec

# The search is over, whatever steps were allowed.
OVER = ("max_iterations", "no_improvement")
POLL_SECONDS = 1.0


def train_and_evaluate(
    estimator: Estimator, train_spec: TrainSpec, eval_spec: EvalSpec
) -> tuple[dict[str, Any] | None, list[str | None]]:
    """Trains, evaluates now and then, and exports.

    Without a cluster in `TF_CONFIG` this process does all, and pauses its training for an
    evaluation every `throttle_secs`, or `save_checkpoints_secs` where these are more. In a cluster
    chief and workers train, and the evaluator evaluates what it finds in `model_dir`, to the end
    of the training.

    Args:
        estimator: An `Estimator`.
        train_spec: How to train.
        eval_spec: How to evaluate and export.

    Returns:
        What the last evaluation found and the last export of each exporter; `(None, [])` in a
        task that only trains.

    Raises:
        TypeError: An argument is of another type.
        ValueError: The task is a parameter server, which there is none of.
    """
    expected = (Estimator, TrainSpec, EvalSpec)
    given = (estimator, train_spec, eval_spec)
    for value, kind in zip(given, expected, strict=True):
        if not isinstance(value, kind):
            raise TypeError(f"Expected an estimator.{kind.__name__}. Received: {value!r}.")
    config = estimator.config
    if config.task_type == "ps":
        raise ValueError(
            "There are no parameter servers: let train_distribute be 'multi_worker', or placement "
            "'round_robin', and leave tasks of type 'ps' out of TF_CONFIG."
        )
    if config.task_type == "evaluator":
        return _evaluate_on(estimator, train_spec, eval_spec)
    if config.cluster_spec:
        estimator.train(train_spec.input_fn, train_spec.hooks, max_steps=train_spec.max_steps)
        return None, []
    while True:
        # As tf.estimator, which evaluates checkpoints.
        pause = _Pause(max(eval_spec.throttle_secs, config.checkpoint_seconds))
        hooks = [*(train_spec.hooks or ()), pause]
        search = estimator.train_search(train_spec.input_fn, hooks, max_steps=train_spec.max_steps)
        final = not pause.due or is_over(search, train_spec.max_steps)
        found, exports = _evaluate(estimator, eval_spec, final)
        if final:
            return found, exports


def is_over(search: AdaNet, max_steps: int | None) -> bool:
    """Whether training has ended."""
    enough = max_steps is not None and search.global_step >= max_steps
    return enough or search.stop_reason in OVER


class _Pause(SessionRunHook):
    """Ends training after some time."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.due, self.began = seconds, False, None

    def after_run(self, run_context: RunContext, run_values: RunValues) -> None:
        # From the first steps on: what comes before them is tracing.
        self.began = self.began or time.monotonic()
        if time.monotonic() - self.began >= self.seconds:
            self.due = True
            run_context.request_stop()


def _evaluate(estimator, spec, final):
    checkpoint = estimator.latest_checkpoint()
    found = estimator.evaluate(
        spec.input_fn, spec.steps, name=spec.name, checkpoint_path=checkpoint
    )
    exports = [
        exporter.export(
            estimator, os.path.join(estimator.model_dir, "export", exporter.name), checkpoint,
            found, final,
        )
        for exporter in spec.listed_exporters
    ]  # fmt: skip
    return found, exports


def _evaluate_on(estimator, train_spec, eval_spec):
    """The evaluator's part: waits for states and evaluates them, until training has ended."""
    time.sleep(eval_spec.start_delay_secs)
    seen, found, exports = None, None, []
    while True:
        checkpoint = estimator.latest_checkpoint()
        if checkpoint in (None, seen):
            time.sleep(POLL_SECONDS)
            continue
        began, seen = time.monotonic(), checkpoint
        final = is_over(estimator.load(checkpoint), train_spec.max_steps)
        found, exports = _evaluate(estimator, eval_spec, final)
        logging.info("Evaluated global step %d.", found["global_step"])
        if final:
            return found, exports
        time.sleep(max(0.0, eval_spec.throttle_secs - (time.monotonic() - began)))
