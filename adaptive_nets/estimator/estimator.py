"""`Estimator`: the API of adanet.Estimator on top of `AdaNet`."""

import contextlib
import dataclasses
import inspect
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from absl import logging

from adaptive_nets._arguments import takes
from adaptive_nets._checks import (
    check_bool,
    check_dict,
    check_function,
    check_instance,
    check_integer,
    check_path,
    or_none,
    show,
)
from adaptive_nets.adanet import (
    AdaNet,
    Ensembler,
    Evaluator,
    Generator,
    SeveralEnsemblers,
)
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.checkpoints.warm_start import start_warm
from adaptive_nets.adanet.checkpoints.writer_lease import HoldsLease
from adaptive_nets.adanet.repetitions import requires_end
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.compat.contract import ESTIMATOR, metric_arguments
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.evaluation import InputFnEvaluator, ReportMaterializer
from adaptive_nets.estimator.hooks import (
    CheckpointSaverHook,
    StopAtStepHook,
    callbacks_of,
    check_listeners,
)
from adaptive_nets.estimator.model_fn import TakesModelFn
from adaptive_nets.estimator.reading.ensemble import TrainedEnsemble
from adaptive_nets.heads import Head

# Stands for no limit of rounds.
UNLIMITED = 1_000_000


def _search_arguments():
    return inspect.signature(AdaNet).parameters


@takes(ESTIMATOR, more=_search_arguments)
class Estimator(TakesModelFn, HoldsLease, TrainedEnsemble):
    """Searches an ensemble of subnetworks behind the methods of tf.estimator.

    All state is in `model_dir`. Each method reads the newest state there, so one process may
    evaluate, predict and export while another trains, and `train` resumes where a killed process
    ended. `Estimator(model_fn=...)`, with the arguments of tf.estimator, returns a
    `ModelFnEstimator` instead.

    Args:
        head: A `heads.Head`.
        subnetwork_generator: An `adanet.Generator`.
        max_iteration_steps: Training steps per round. `None`: a round lasts as long as the first
            call of `train`, whose data end or whose steps are limited.
        ensemblers: An `adanet.Ensembler`, or a list: each weighs each candidate ensemble. Defaults
            to `None`: mixture weights by the arguments below.
        ensemble_strategies: As in `AdaNet`. Defaults to `"grow"`.
        evaluator: An `estimator.InputFnEvaluator` or `adanet.Evaluator` to choose candidates by.
            Defaults to `None`: the objective.
        report_materializer: An `estimator.ReportMaterializer` with the data that reports are
            measured on. Defaults to `None`.
        metric_fn: Function of some of `features`, `labels`, `predictions`, `config` and `params`,
            by these names, that returns a dict of further metrics: numbers or
            `keras.metrics.Metric`s. Defaults to `None`.
        force_grow: Whether to add a round's best candidate even if the objective rises. Defaults
            to `False`.
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary
            folder.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        max_iterations: Maximum number of rounds. Defaults to `None`: until nothing improves.
        export_subnetwork_logits: Whether exports include the logits of each subnetwork. Defaults
            to `False`.
        export_subnetwork_last_layer: Whether exports include the last layer of each subnetwork.
            Defaults to `False`.
        mixture_weight_type: `"scalar"`, `"vector"` or `"matrix"`. Defaults to `"scalar"`.
        adanet_lambda: λ of the objective. Defaults to `0.0`.
        adanet_beta: β of the objective. Defaults to `0.0`.
        use_bias: Whether the mixture has a bias. Defaults to `False`.
        params: Passed to an `input_fn` that has such an argument. Defaults to `None`.
        warm_start_from: Folder of another search that an empty `model_dir` starts from: with its
            ensemble if the search can go on with these settings, else with the weights of its
            subnetworks by name and path; the log says what was taken. Defaults to `None`.
        **kwargs: Further arguments of `AdaNet`, such as `complexity`, `preprocessing` or
            `placement`. Arguments of adanet 0.9 that have no effect here raise a warning
            (the migration page lists them).

    Raises:
        ValueError: A setting is out of range.
        TypeError: An argument is unknown or of the wrong type.

    Example:

    ```python
    import tensorflow as tf
    from sklearn.datasets import load_digits
    import adaptive_nets as an

    x, y = load_digits(return_X_y=True)

    def input_fn():
        return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(2000).repeat().batch(64)

    estimator = an.estimator.Estimator(
        head=an.heads.MultiClass(10),
        subnetwork_generator=an.generators.Dense(16, 1),
        max_iteration_steps=50,
    )
    estimator.train(input_fn, max_steps=100)
    estimator.evaluate(input_fn, steps=5)["accuracy"]
    ```
    """

    def __init__(
        self,
        head: Head,
        subnetwork_generator: Generator,
        max_iteration_steps: int | None,
        ensemblers: Ensembler | Sequence[Ensembler] | None = None,
        ensemble_strategies: Any = "grow",
        evaluator: Any = None,
        report_materializer: Any = None,
        metric_fn: Callable | None = None,
        force_grow: bool = False,
        model_dir: str | os.PathLike | None = None,
        config: RunConfig | None = None,
        max_iterations: int | None = None,
        export_subnetwork_logits: bool = False,
        export_subnetwork_last_layer: bool = False,
        mixture_weight_type: str = "scalar",
        adanet_lambda: float = 0.0,
        adanet_beta: float = 0.0,
        use_bias: bool = False,
        params: dict | None = None,
        warm_start_from: str | os.PathLike | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if ensemblers is not None:
            listed = list(ensemblers) if isinstance(ensemblers, list | tuple) else [ensemblers]
            mixture_weight_type = listed[0] if len(listed) == 1 else SeveralEnsemblers(listed)
        _check_arguments(
            subnetwork_generator, evaluator, report_materializer, metric_fn, config,
            max_iterations, params,
        )  # fmt: skip
        self._config = RunConfig() if config is None else config
        if model_dir is not None:
            model_dir = check_path("model_dir", model_dir)
        found = model_dir or self._config.model_dir
        if model_dir and self._config.model_dir and model_dir != self._config.model_dir:
            raise ValueError(
                "model_dir differs from config.model_dir. Pass only one of the two. Received: "
                f"model_dir={show(model_dir)}, config.model_dir={show(self._config.model_dir)}."
            )
        if found is None:
            found = tempfile.mkdtemp()
            logging.warning("Using a temporary folder as model_dir: %s", found)
        self._config = self._config.replace(model_dir=os.fspath(found))
        self._params, self.metric_fn = dict(params or {}), metric_fn
        if warm_start_from is not None:
            warm_start_from = check_path("warm_start_from", warm_start_from)
        self.report_materializer, self._warm_start = report_materializer, warm_start_from
        self._subnetworks = [
            name
            for name, wanted in (
                ("logits", export_subnetwork_logits),
                ("last_layer", export_subnetwork_last_layer),
            )
            if check_bool(f"export_subnetwork_{name}", wanted)
        ]
        self._evaluator = evaluator
        self._settings = {
            "head": head,
            "generator": subnetwork_generator,
            "max_iterations": max_iterations or UNLIMITED,
            "ensemble_strategies": ensemble_strategies,
            "mixture_weights": mixture_weight_type,
            "mixture_bias": use_bias,
            "adanet_lambda": adanet_lambda,
            "adanet_beta": adanet_beta,
            "force_grow": force_grow,
            "model_dir": self.model_dir,
            "seed": self._config.tf_random_seed,
            "distribute": self._config.train_distribute if self._config.trains else None,
            "checkpoint_seconds": self._config.checkpoint_seconds,
            **kwargs,
        }
        if max_iteration_steps is not None:
            self._settings["steps_per_iteration"] = max_iteration_steps
        # This checks the settings before any data is read.
        judge = Evaluator() if evaluator is not None else None
        self._writes = AdaNet(**self._settings, evaluator=judge).is_chief

    # Training ---------------------------------------------------------------------------------

    @takes({})
    def train(
        self,
        input_fn: Callable,
        hooks: Sequence[Any] | None = None,
        steps: int | None = None,
        max_steps: int | None = None,
        saving_listeners: Any = None,
    ) -> "Estimator":
        """Trains from the newest state.

        Args:
            input_fn: Function that returns a batched `tf.data.Dataset` of `(features, labels)`, or
                a pair of arrays or tables: one batch, used in every step. It may take `mode`,
                `config` and `params`. Training ends when a finite dataset ends.
            hooks: `SessionRunHook`s or Keras callbacks. Defaults to `None`.
            steps: Number of further steps. Defaults to `None`: no limit.
            max_steps: Total number of steps, including those of earlier calls. Defaults to
                `None`: no limit.
            saving_listeners: `CheckpointSaverListener`s. Defaults to `None`.

        Returns:
            The estimator itself.

        Raises:
            ValueError: Both `steps` and `max_steps` are given, or the data have another structure.
        """
        if steps is not None and max_steps is not None:
            raise ValueError(
                "Pass only one of steps and max_steps. "
                f"Received: steps={show(steps)}, max_steps={show(max_steps)}."
            )
        steps = or_none(check_integer, "steps", steps, 1)
        max_steps = or_none(check_integer, "max_steps", max_steps, 1)
        self.train_search(input_fn, hooks, steps, max_steps, saving_listeners)
        return self

    def train_search(
        self,
        input_fn: Callable,
        hooks: Sequence[Any] | None = None,
        steps: int | None = None,
        max_steps: int | None = None,
        saving_listeners: Sequence[Any] | None = None,
    ) -> AdaNet:
        """Like `train`, but returns the search with its `stop_reason`."""
        # Taken before anything is read, so that a second process is refused at once.
        with self.holding(max_steps):
            return _train_search(self, input_fn, hooks, steps, max_steps, saving_listeners)

    def holding(self, max_steps: int | None) -> AbstractContextManager:
        """Holds the lease of `model_dir` during a block that trains, if this process writes there.

        Args:
            max_steps: Total number of steps, or `None`.
        """
        folder = ModelDirReader(self.model_dir)
        enough = max_steps is not None and self.steps_taken() >= max_steps
        if enough or not self._writes or folder.is_finished(self._settings["max_iterations"]):
            return contextlib.nullcontext()
        return self.writing()


def _train_search(estimator, input_fn, hooks, steps, max_steps, saving_listeners):
    callbacks, listeners = callbacks_of(hooks), check_listeners(saving_listeners)
    warm = estimator._warm_start
    checked = SearchSettings(**estimator._settings)
    if warm is not None:
        warm = start_warm(warm, checked, estimator if estimator._writes else None)
    began = estimator.steps_taken()
    if max_steps is not None and began >= max_steps:
        logging.info("Nothing to train: already at global step %d of %d.", began, max_steps)
        return estimator.load(estimator.latest_checkpoint())
    most = [steps, max_steps and max_steps - began]
    if isinstance(checked.steps_per_iteration, int) and isinstance(checked.max_iterations, int):
        # One more than all rounds take, so that they end the training.
        rest = checked.max_iterations * checked.steps_per_iteration - began
        most.append(max(rest, 0) + 1)
    given = inputs.for_training(
        input_fn, estimator._config, estimator._params, min(filter(None, most), default=None),
        lambda: requires_end(checked),
    )  # fmt: skip
    limits = [began + more for more in (steps, given.steps) if more is not None]
    limits += [] if max_steps is None else [max_steps]
    settings = dict(estimator._settings)
    for hook in () if hooks is None else hooks:
        if isinstance(hook, StopAtStepHook):
            limits.append(hook.limit(began))
        if isinstance(hook, CheckpointSaverHook):
            listeners += hook.listeners
            if hook.save_secs is not None:
                settings["checkpoint_seconds"] = float(hook.save_secs)
    if limits and min(limits) <= began:
        return estimator.load(estimator.latest_checkpoint())
    if "steps_per_iteration" not in settings:
        settings["steps_per_iteration"] = _round_steps(estimator.model_dir, limits, began)
    for listener in listeners:
        listener.begin()
    search = AdaNet(**settings, evaluator=_judge(estimator))
    search.settings = dataclasses.replace(search.settings, warm_start=warm)
    search.lease = estimator.lease
    reported = estimator.report_materializer
    search.fit(
        **given.arguments,
        max_steps=min(limits) if limits else None,
        report_data=reported and reported.dataset(estimator._config, estimator._params),
        callbacks=callbacks,
        verbose=0,
    )
    for listener in listeners:
        listener.before_save(None, search.global_step)
        listener.after_save(None, search.global_step)
        listener.end(None, search.global_step)
    logging.info("Global step %d: %s.", search.global_step, search.stop_reason)
    return search


def _judge(estimator):
    judge = estimator._evaluator
    if not hasattr(judge, "input_fn"):
        return judge
    return judge.evaluator(estimator._config, estimator._params)


def _round_steps(model_dir, limits, began):
    """Returns the steps of a round that lasts as long as the first training."""
    folder = ModelDirReader(model_dir)
    if folder.has_state():
        return folder.read_state()["settings"]["steps_per_iteration"]
    if not limits:
        raise ValueError(
            "max_iteration_steps=None needs a dataset that ends, or steps or max_steps of "
            "train: a round lasts as long as the first call. Received: an endless dataset."
        )
    return min(limits) - began


def _check_arguments(
    subnetwork_generator, evaluator, report_materializer, metric_fn, config, max_iterations, params
):
    """Checks the arguments of an `Estimator` that `AdaNet` does not take."""
    or_none(check_instance, "config", config, RunConfig, "an estimator.RunConfig, or None")
    words = "an adanet.Generator"
    check_instance("subnetwork_generator", subnetwork_generator, Generator, words)
    or_none(check_dict, "params", params, object, "a dict by name, or None")
    if or_none(check_function, "metric_fn", metric_fn) is not None:
        metric_arguments(metric_fn)
    or_none(check_integer, "max_iterations", max_iterations, 1)
    words = "an estimator.ReportMaterializer, or None"
    or_none(check_instance, "report_materializer", report_materializer, ReportMaterializer, words)
    words = "an adanet.Evaluator or estimator.Evaluator, or None"
    or_none(check_instance, "evaluator", evaluator, Evaluator | InputFnEvaluator, words)
