"""`train_and_evaluate`, on one machine or as a task of a cluster."""

import os
import time
from typing import Any

from absl import logging

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_instance
from adaptive_nets.adanet import AdaNet
from adaptive_nets.estimator.estimator import Estimator
from adaptive_nets.estimator.hooks import RunContext, RunValues, SessionRunHook
from adaptive_nets.estimator.model_fn import ModelFnEstimator
from adaptive_nets.estimator.model_fn.reading import Progress
from adaptive_nets.estimator.specs import EvalSpec, TrainSpec

# Stop reasons after which the search is over, however many steps were allowed.
OVER = ("max_iterations", "no_improvement")
POLL_SECONDS = 1.0


@takes({})
def train_and_evaluate(
    estimator: Estimator | ModelFnEstimator, train_spec: TrainSpec, eval_spec: EvalSpec
) -> tuple[dict[str, Any] | None, list[str | None]]:
    """Trains, evaluates periodically, and exports.

    Without a cluster in `TF_CONFIG`, this process does everything, and pauses training for an
    evaluation every `throttle_secs` or `save_checkpoints_secs`, whichever is longer, or if
    `save_checkpoints_steps` is given, when so many steps and `throttle_secs` have passed. In a
    cluster, the chief and the workers train, and the evaluator evaluates the states in `model_dir`
    until training ends.

    Args:
        estimator: An `Estimator`, also one of a `model_fn`.
        train_spec: How to train.
        eval_spec: How to evaluate and export.

    Returns:
        The metrics of the last evaluation and the last export of each exporter, or `(None, [])`
        in a task that only trains.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The task is a parameter server, which is not supported.
    """
    kinds = Estimator | ModelFnEstimator
    check_instance("estimator", estimator, kinds, "an estimator.Estimator")
    check_instance("train_spec", train_spec, TrainSpec, "an estimator.TrainSpec")
    check_instance("eval_spec", eval_spec, EvalSpec, "an estimator.EvalSpec")
    config = estimator.config
    if config.task_type == "ps":
        raise ValueError(
            "Parameter servers are not supported. Use train_distribute='multi_worker' or "
            "placement='round_robin', and remove tasks of type 'ps' from TF_CONFIG."
        )
    if config.task_type == "evaluator":
        return _evaluate_on(estimator, train_spec, eval_spec)
    if config.cluster_spec:
        estimator.train(
            train_spec.input_fn, train_spec.hooks, max_steps=train_spec.max_steps,
            saving_listeners=train_spec.saving_listeners,
        )  # fmt: skip
        return None, []
    # Between two trainings no other process may come in between.
    with estimator.holding(train_spec.max_steps):
        return _train_in_turns(estimator, train_spec, eval_spec)


def _train_in_turns(estimator, train_spec, eval_spec):
    """Trains and evaluates in turns, in one process."""
    config = estimator.config
    while True:
        # As in tf.estimator, which evaluates checkpoints.
        steps = config.save_checkpoints_steps
        seconds = 0.0 if steps else config.checkpoint_seconds
        pause = _Pause(max(eval_spec.throttle_secs, seconds), steps or 0)
        hooks = [*(train_spec.hooks or ()), pause]
        search = estimator.train_search(
            train_spec.input_fn, hooks, max_steps=train_spec.max_steps,
            saving_listeners=train_spec.saving_listeners,
        )  # fmt: skip
        final = not pause.due or is_over(search, train_spec.max_steps)
        found, exports = _evaluate(estimator, eval_spec, final)
        if final:
            return found, exports


def is_over(search: AdaNet | Progress, max_steps: int | None) -> bool:
    """Returns whether training has ended."""
    enough = max_steps is not None and search.global_step >= max_steps
    return enough or search.stop_reason in OVER


class _Pause(SessionRunHook):
    """Stops training after some time and at least some steps."""

    steps_per_call = None

    def __init__(self, seconds: float, steps: int) -> None:
        self.seconds, self.steps, self.due, self.began = seconds, steps, False, None

    def after_run(self, run_context: RunContext, run_values: RunValues) -> None:
        # Counted from the first steps: what comes before is tracing.
        now, step = time.monotonic(), int(run_values.results["global_step"])
        self.began = self.began or (now, step)
        if now - self.began[0] >= self.seconds and step - self.began[1] >= self.steps:
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
    """Runs the evaluator: waits for states and evaluates them until training has ended."""
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
