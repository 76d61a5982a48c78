"""`ModelFnEstimator`: `Estimator(model_fn=...)`."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from adaptive_nets._checks import (
    check_dict,
    check_instance,
    check_integer,
    check_path,
    or_none,
    show,
)
from adaptive_nets.adanet.checkpoints.writer_lease import HoldsLease
from adaptive_nets.distribute import task_from_environment
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.hooks import (
    CheckpointSaverHook,
    RunContext,
    RunValues,
    SessionRunHook,
    StopAtStepHook,
    check_hooks,
    check_listeners,
)
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.estimator.model_fn.reading import (
    ModelFnReader,
    Progress,
    dataset_of,
    states_of,
)

_KEPT = 3


class ModelFnEstimator(HoldsLease, ModelFnReader):
    """Trains, evaluates, predicts and exports what a `model_fn` computes.

    `model_fn` is called again and again, as in tf.estimator; the Keras layers that it makes are
    those of its first call. It must call the same layers in the same order in each mode.

    Args:
        model_fn: Function of `features` and, if it wants them, `labels`, `mode`, `params` and
            `config`, that returns an `EstimatorSpec`. It computes by Keras layers and TensorFlow.
        model_dir: Folder of the state. Defaults to `None`: that of `config`, or a temporary one.
        config: A `RunConfig`. Defaults to `None`: `RunConfig()`.
        params: Passed to `model_fn` and `input_fn`. Defaults to `None`.
        warm_start_from: Folder of another such estimator whose weights training begins with.
            Defaults to `None`.

    Raises:
        TypeError: An argument has the wrong type.
    """

    def __init__(
        self,
        model_fn: Callable,
        model_dir: str | os.PathLike | None = None,
        config: RunConfig | None = None,
        params: dict | None = None,
        warm_start_from: str | os.PathLike | None = None,
    ) -> None:
        or_none(check_instance, "config", config, RunConfig, "an estimator.RunConfig, or None")
        config = RunConfig() if config is None else config
        folder = or_none(check_path, "model_dir", model_dir) or config.model_dir
        if folder is None:
            folder = tempfile.mkdtemp()
            logging.warning("Using a temporary folder as model_dir: %s", folder)
        if config.train_distribute is not None:
            raise ValueError(
                "train_distribute is not supported with model_fn: use a Keras model. "
                f"Received: train_distribute={show(config.train_distribute)}."
            )
        self._config = config.replace(model_dir=os.fspath(folder))
        self._params = dict(or_none(check_dict, "params", params, object, "a dict by name") or {})
        self.warm_start_from = or_none(check_path, "warm_start_from", warm_start_from)
        self.model_fn = model_fn
        self.new_function()

    def train(
        self,
        input_fn: Callable,
        hooks: Sequence[Any] | None = None,
        steps: int | None = None,
        max_steps: int | None = None,
        saving_listeners: Any = None,
    ) -> "ModelFnEstimator":
        """Trains from the newest state, until the data end or a limit is reached.

        Args:
            input_fn: Function that returns a batched `tf.data.Dataset` of `(features, labels)`, or
                a pair of tensors. It may take `mode`, `config` and `params`.
            hooks: `SessionRunHook`s. Defaults to `None`.
            steps: Number of further steps. Defaults to `None`: no limit.
            max_steps: Total number of steps. Defaults to `None`: no limit.
            saving_listeners: `CheckpointSaverListener`s. Defaults to `None`.

        Returns:
            The estimator itself.
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
    ) -> Progress:
        """Like `train`, but returns how far it is."""
        listed, listeners = check_hooks(hooks), check_listeners(saving_listeners)
        for hook in listed:
            if not isinstance(hook, SessionRunHook):
                raise TypeError(
                    "hooks of a model_fn must be estimator.SessionRunHooks. "
                    f"Received: {show(hook)}."
                )
            listeners += hook.listeners if isinstance(hook, CheckpointSaverHook) else []
        task = task_from_environment()
        if task.workers > 1:
            raise ValueError(
                "A model_fn is trained by one process, and a cluster has several. Leave the other "
                f"workers out of TF_CONFIG, or use a Keras model. Received: task {task.kind} "
                f"{task.index} of {task.workers} that train."
            )
        # Taken before anything is read, so that a second process is refused at once.
        with self.holding(max_steps):
            began = self.steps_taken()
            if max_steps is not None and began >= max_steps:
                logging.info("Nothing to train: already at global step %d.", began)
                return Progress(began)
            return self._train(input_fn, listed, listeners, steps, max_steps)

    def holding(self, max_steps: int | None) -> AbstractContextManager:
        """Holds the lease of `model_dir` during a block that trains.

        Args:
            max_steps: Total number of steps, or `None`.
        """
        enough = max_steps is not None and self.steps_taken() >= max_steps
        return contextlib.nullcontext() if enough else self.writing()

    def _train(self, input_fn, listed, listeners, steps, max_steps):
        data = dataset_of(inputs.call(input_fn, ModeKeys.TRAIN, self.config, self.params), True)
        model, context, saved = self.new_function(), RunContext(), time.monotonic()
        waits = [h.save_secs for h in listed if isinstance(h, CheckpointSaverHook) and h.save_secs]
        wait = min([self.config.checkpoint_seconds, *waits])
        for each in listeners:
            each.begin()
        for place, (features, labels) in enumerate(data):
            if place == 0:
                self.restore(model, features, labels, ModeKeys.TRAIN)
                began = model.step
                limits = [began + steps] if steps else []
                limits += [max_steps] if max_steps else []
                limits += [h.limit(began) for h in listed if isinstance(h, StopAtStepHook)]
                for hook in listed:
                    hook.begin()
                    hook.after_create_session(None, None)
            if limits and model.step >= min(limits):
                break
            for hook in listed:
                hook.before_run(context)
            loss = model.train(features, labels)
            if not np.isfinite(loss):
                raise ValueError(
                    f"The loss of model_fn must be finite. Received: {loss} at step {model.step}."
                )
            for hook in listed:
                hook.after_run(context, RunValues({"global_step": model.step, "loss": loss}))
            if context.stop_requested:
                break
            if time.monotonic() - saved > wait:
                self._save(model)
                saved = time.monotonic()
        if not model.built:
            raise ValueError("The data of input_fn must have a row. Received: no batch.")
        for each in listeners:
            each.before_save(None, model.step)
        self._save(model)
        for each in listeners:
            each.after_save(None, model.step)
            each.end(None, model.step)
        for hook in listed:
            hook.end(None)
        return Progress(model.step)

    def _save(self, model):
        self.lease.confirm()
        model.save(Path(self.model_dir, f"model_fn-{model.step}.npz"))
        for old in states_of(self.model_dir)[:-_KEPT]:
            old.unlink(missing_ok=True)
