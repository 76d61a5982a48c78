"""`ModelFnEstimator`: `Estimator(model_fn=...)`."""

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from adaptive_nets._checks import (
    check_dict,
    check_instance,
    check_integer,
    check_path,
    or_none,
    show,
)
from adaptive_nets._seeds import derive_seed
from adaptive_nets.data.datasets import is_dataset
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.hooks import (
    RunContext,
    RunValues,
    SessionRunHook,
    StopAtStepHook,
    check_hooks,
)
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.estimator.model_fn.function import ModelFunction
from adaptive_nets.serving import receiver_of

_KEPT = 3


class ModelFnEstimator:
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
        self.config = config.replace(model_dir=os.fspath(folder))
        self.params = dict(or_none(check_dict, "params", params, object, "a dict by name") or {})
        self.warm_start_from = or_none(check_path, "warm_start_from", warm_start_from)
        self.model_fn = model_fn
        self._new()

    @property
    def model_dir(self) -> str:
        """Folder of the state."""
        return self.config.model_dir

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
            saving_listeners: Not supported. Must be `None`.

        Returns:
            The estimator itself.
        """
        if saving_listeners is not None or (steps is not None and max_steps is not None):
            raise ValueError(
                "Pass only one of steps and max_steps, and no saving_listeners. Received: "
                f"steps={show(steps)}, max_steps={show(max_steps)}, "
                f"saving_listeners={show(saving_listeners)}."
            )
        steps = or_none(check_integer, "steps", steps, 1)
        max_steps = or_none(check_integer, "max_steps", max_steps, 1)
        listed = check_hooks(hooks)
        for hook in listed:
            if not isinstance(hook, SessionRunHook):
                raise TypeError(
                    "hooks of a model_fn must be estimator.SessionRunHooks. "
                    f"Received: {show(hook)}."
                )
        data = _dataset(inputs.call(input_fn, ModeKeys.TRAIN, self.config, self.params), True)
        model, context, saved = self._new(), RunContext(), time.monotonic()
        for place, (features, labels) in enumerate(data):
            if place == 0:
                self._restore(model, features, labels, ModeKeys.TRAIN)
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
            if time.monotonic() - saved > self.config.checkpoint_seconds:
                self._save(model)
                saved = time.monotonic()
        if not model.built:
            raise ValueError("The data of input_fn must have a row. Received: no batch.")
        self._save(model)
        for hook in listed:
            hook.end(None)
        return self

    def evaluate(
        self,
        input_fn: Callable,
        steps: int | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """Returns the mean loss over batches, the metrics of `model_fn` and the global step.

        Args:
            input_fn: As in `train`.
            steps: Number of batches to read. Defaults to `None`: all.
            hooks: Accepted but ignored. Defaults to `None`.
            checkpoint_path: A state file. Defaults to `None`: the newest.
            name: Accepted but ignored. Defaults to `None`.
        """
        steps = or_none(check_integer, "steps", steps, 1)
        check_hooks(hooks)
        data = inputs.call(input_fn, ModeKeys.EVAL, self.config, self.params)
        data = _dataset(data, True)
        losses, metrics, model = [], {}, self._new()
        for place, (features, labels) in enumerate(data if steps is None else data.take(steps)):
            if place == 0:
                self._restore(model, features, labels, ModeKeys.EVAL, checkpoint_path)
            found = model.spec(features, labels, ModeKeys.EVAL)
            losses.append(float(found.loss))
            for key, metric in (found.eval_metric_ops or {}).items():
                _add(metrics, key, metric)
        if not losses:
            raise ValueError("The data of input_fn must have a row. Received: no batch.")
        measured = {key: float(np.asarray(metric.result())) for key, metric in metrics.items()}
        return {**measured, "loss": float(np.mean(losses)), "global_step": model.step}

    def predict(
        self,
        input_fn: Callable,
        predict_keys: str | Sequence[str] | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        yield_single_examples: bool = True,
    ) -> Iterator[Any]:
        """Yields the predictions of `model_fn`, row by row or batch by batch.

        Args:
            input_fn: Function that returns features; labels are ignored.
            predict_keys: Names of the predictions to return. Defaults to `None`: all.
            hooks: Accepted but ignored. Defaults to `None`.
            checkpoint_path: A state file. Defaults to `None`: the newest.
            yield_single_examples: Whether to yield rows. Defaults to `True`.
        """
        check_hooks(hooks)
        keys = [predict_keys] if isinstance(predict_keys, str) else predict_keys
        data = inputs.call(input_fn, ModeKeys.PREDICT, self.config, self.params)
        data = _dataset(data, False)
        self._newest(checkpoint_path)
        return self._predicted(data, keys, checkpoint_path, yield_single_examples)

    def _predicted(self, data, keys, checkpoint_path, single):
        model = self._new()
        for place, features in enumerate(data):
            if place == 0:
                self._restore(model, features, None, ModeKeys.PREDICT, checkpoint_path)
            found = model.spec(features, None, ModeKeys.PREDICT).predictions
            if isinstance(found, dict) and keys:
                unknown = [key for key in keys if key not in found]
                if unknown:
                    raise ValueError(
                        f"predict_keys must be among {', '.join(found)}. "
                        f"Received: {', '.join(unknown)}."
                    )
                found = {key: found[key] for key in keys}
            found = keras.tree.map_structure(np.asarray, found)
            if not single:
                yield found
                continue
            for row in range(len(keras.tree.flatten(found)[0])):
                yield keras.tree.map_structure(lambda each, row=row: each[row], found)

    def export_saved_model(
        self,
        export_dir_base: str | os.PathLike,
        serving_input_receiver_fn: Callable,
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
        experimental_mode: str = "infer",
    ) -> str:
        """Writes a SavedModel with the predictions into a folder named by a timestamp.

        Args:
            export_dir_base: Parent of the new folder.
            serving_input_receiver_fn: As in `Estimator.export_saved_model`.
            assets_extra: Not supported. Must be `None`.
            as_text: Not supported. Must be `False`.
            checkpoint_path: A state file. Defaults to `None`: the newest.
            experimental_mode: Must be `ModeKeys.PREDICT`.

        Returns:
            Path of the new folder.
        """
        if assets_extra or as_text or experimental_mode != "infer":
            raise ValueError(
                "assets_extra, as_text and experimental_mode are not supported with model_fn. "
                f"Received: assets_extra={show(assets_extra)}, as_text={show(as_text)}, "
                f"experimental_mode={show(experimental_mode)}."
            )
        base = Path(check_path("export_dir_base", export_dir_base))
        receiver, model = receiver_of(serving_input_receiver_fn), self._new()
        state = self._newest(checkpoint_path)

        def run(**received: Any) -> dict[str, Any]:
            found = model.spec(receiver.features(**received), None, ModeKeys.PREDICT).predictions
            found = found if isinstance(found, dict) else {"output": found}
            return {name: tf.convert_to_tensor(value) for name, value in found.items()}

        # Makes the layers.
        tf.function(run, autograph=False).get_concrete_function(**receiver.specs)
        model.built = True
        model.load(state)
        served = tf.Module()
        served.held = [v.value for v in model.weights]
        function = tf.function(run, autograph=False)
        signature = function.get_concrete_function(**receiver.specs)
        taken = [int(path.name) for path in base.glob("*") if re.fullmatch(r"\d+", path.name)]
        path = base / str(max([int(time.time()), *(number + 1 for number in taken)]))
        tf.saved_model.save(served, str(path), {"serving_default": signature, "predict": signature})
        return str(path)

    def latest_checkpoint(self) -> str | None:
        """Returns the path of the newest state file, or `None`."""
        found = _states(self.model_dir)
        return str(found[-1]) if found else None

    def _new(self):
        return ModelFunction(self.model_fn, self.config, self.params)

    def _newest(self, checkpoint_path):
        path = self.latest_checkpoint() if checkpoint_path is None else (
            check_path("checkpoint_path", checkpoint_path)
        )  # fmt: skip
        if path is None or not os.path.isfile(path):
            raise ValueError(
                f"Could not find a trained model in model_dir '{self.model_dir}'. Call train first."
            )
        return path

    def _restore(self, model, features, labels, mode, checkpoint_path=None):
        """Builds a model and reads its state, which only training can do without."""
        seed = self.config.tf_random_seed
        if seed is not None and not _states(self.model_dir):
            keras.utils.set_random_seed(derive_seed(seed, "model_fn"))
        model.build(features, labels, mode)
        newest = self.latest_checkpoint()
        if mode == ModeKeys.TRAIN and newest is None:
            if self.warm_start_from is not None:
                found = _states(self.warm_start_from)
                if not found:
                    raise ValueError(
                        "warm_start_from must be the folder of an estimator of a model_fn. "
                        f"Received: '{self.warm_start_from}', without a state."
                    )
                model.load(found[-1])
                model.step = 0
            return
        model.load(self._newest(checkpoint_path))

    def _save(self, model):
        model.save(Path(self.model_dir, f"model_fn-{model.step}.npz"))
        for old in _states(self.model_dir)[:-_KEPT]:
            old.unlink(missing_ok=True)


def _states(folder):
    pairs = [(re.fullmatch(r"model_fn-(\d+)\.npz", path.name), path)
             for path in Path(folder).glob("model_fn-*.npz")]  # fmt: skip
    return [path for _, path in sorted((int(m[1]), path) for m, path in pairs if m)]


def _dataset(found, labelled):
    """Returns a dataset of features and labels, or of features."""
    if not is_dataset(found):
        parts = tuple(found) if isinstance(found, tuple | list) else (found,)
        endless = tf.data.Dataset.from_tensors(parts if labelled else parts[0])
        found = endless.repeat() if labelled and len(parts) == 2 else endless
    pair = isinstance(found.element_spec, tuple)
    if labelled and not (pair and len(found.element_spec) == 2):
        raise ValueError(
            "input_fn must return a tf.data.Dataset of (features, labels), or such a pair. "
            f"Received: {show(found.element_spec)}."
        )
    return found.map(lambda features, *rest: features) if pair and not labelled else found


def _add(metrics, key, metric):
    """Adds what a metric has counted in one batch."""
    if not type(metric).__module__.startswith("keras."):
        raise ValueError(
            f"eval_metric_ops must be metrics of keras.metrics. Received: '{key}': {show(metric)}."
        )
    if key not in metrics:
        metrics[key] = metric
        return
    for total, one in zip(metrics[key].variables, metric.variables, strict=True):
        total.assign_add(one)
