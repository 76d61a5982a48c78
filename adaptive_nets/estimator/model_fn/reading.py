"""What is asked of the state of a `model_fn`: metrics, predictions, exports."""

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets._checks import show
from adaptive_nets._seeds import derive_seed
from adaptive_nets.data.datasets import is_dataset
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.compat.contract import check_updated
from adaptive_nets.estimator.export import next_export
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.estimator.model_fn.function import ModelFunction, stored_variables
from adaptive_nets.estimator.reading.doors import SavedEstimator
from adaptive_nets.estimator.reading.predictions import chosen
from adaptive_nets.files.arrays import load_arrays
from adaptive_nets.files.atomic import temporary_folder
from adaptive_nets.serving import receiver_of
from adaptive_nets.serving.assets import check_assets, copy_assets


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far training is.

    Args:
        global_step: Number of steps.
        stop_reason: Why it has stopped. Defaults to `""`.
    """

    global_step: int
    stop_reason: str = ""


class ModelFnReader(SavedEstimator):
    """The part of `ModelFnEstimator` that reads its `model_dir`.

    Attributes:
        model_fn: The function.
        warm_start_from: Folder whose weights training begins with, or `None`.
    """

    model_fn: Callable
    warm_start_from: str | None

    def latest_checkpoint(self) -> str | None:
        """Returns the path of the newest state file, or `None`."""
        found = states_of(self.model_dir)
        return str(found[-1]) if found else None

    def steps_taken(self) -> int:
        newest = self.latest_checkpoint()
        return 0 if newest is None else self.load(newest).global_step

    def load(self, checkpoint_path: str) -> "Progress":
        """Returns how far training was in a state file."""
        return Progress(int(load_arrays(Path(checkpoint_path))["step"]))

    def new_function(self) -> ModelFunction:
        """Returns the function without layers."""
        return ModelFunction(self.model_fn, self.config, self.params)

    def _variables(self):
        return stored_variables(Path(self._state_file()))

    def _evaluated(self, input_fn, steps, checkpoint_path):
        data = inputs.call(input_fn, ModeKeys.EVAL, self.config, self.params)
        data = dataset_of(data, True)
        losses, metrics, model = [], {}, self.new_function()
        for place, (features, labels) in enumerate(data if steps is None else data.take(steps)):
            if place == 0:
                self.restore(model, features, labels, ModeKeys.EVAL, checkpoint_path)
            found = model.spec(features, labels, ModeKeys.EVAL)
            losses.append(float(found.loss))
            for key, metric in (found.eval_metric_ops or {}).items():
                if place == 0:
                    check_updated("eval_metric_ops", key, metric)
                _add(metrics, key, metric)
        if not losses:
            raise ValueError("The data of input_fn must have a row. Received: no batch.")
        measured = {key: float(np.asarray(metric.result())) for key, metric in metrics.items()}
        return {**measured, "loss": float(np.mean(losses)), "global_step": model.step}

    def _batches(self, input_fn, keys, checkpoint_path):
        data = inputs.call(input_fn, ModeKeys.PREDICT, self.config, self.params)
        return self._predicted(dataset_of(data, False), keys, checkpoint_path)

    def _predicted(self, data, keys, checkpoint_path):
        model = self.new_function()
        for place, features in enumerate(data):
            if place == 0:
                self.restore(model, features, None, ModeKeys.PREDICT, checkpoint_path)
            found = model.spec(features, None, ModeKeys.PREDICT).predictions
            found = chosen(found, keys) if isinstance(found, dict) else found
            yield keras.tree.map_structure(np.asarray, found)

    def _exported(self, base, receiver_fn, assets_extra, checkpoint_path):
        path, assets = next_export(base), check_assets(assets_extra)
        receiver, model = receiver_of(receiver_fn), self.new_function()

        def run(**received: Any) -> dict[str, Any]:
            found = model.spec(receiver.features(**received), None, ModeKeys.PREDICT).predictions
            found = found if isinstance(found, dict) else {"output": found}
            return {name: tf.convert_to_tensor(value) for name, value in found.items()}

        read = tf.function(receiver.features, autograph=False)
        shapes = read.get_concrete_function(**receiver.specs).structured_outputs
        model.build(keras.tree.map_structure(_one_row, shapes), None, ModeKeys.PREDICT)
        model.load(Path(self._state_file(checkpoint_path)))
        served = tf.Module()
        served.held = [v.value for v in model.weights]
        function = tf.function(run, autograph=False)
        signature = function.get_concrete_function(**receiver.specs)
        with temporary_folder(path.parent) as folder:
            written = str(Path(folder, "model"))
            signatures = {"serving_default": signature, "predict": signature}
            tf.saved_model.save(served, written, signatures)
            copy_assets(assets, written)
            os.rename(written, path)
        return str(path)

    def restore(
        self,
        model: ModelFunction,
        features: Any,
        labels: Any,
        mode: str,
        checkpoint_path: str | None = None,
    ) -> None:
        """Builds a model and reads its state, which only training can do without."""
        seed = self.config.tf_random_seed
        if seed is not None and not states_of(self.model_dir):
            keras.utils.set_random_seed(derive_seed(seed, "model_fn"))
        model.build(features, labels, mode)
        newest = self.latest_checkpoint()
        if mode == ModeKeys.TRAIN and newest is None:
            if self.warm_start_from is not None:
                found = states_of(self.warm_start_from)
                if not found:
                    raise ValueError(
                        "warm_start_from must be the folder of an estimator of a model_fn. "
                        f"Received: '{self.warm_start_from}', without a state."
                    )
                model.take(found[-1])
            return
        model.load(Path(self._state_file(checkpoint_path)))


def states_of(folder: str | os.PathLike) -> list[Path]:
    """Returns the state files of a folder, oldest first."""
    pairs = [(re.fullmatch(r"model_fn-(\d+)\.npz", path.name), path)
             for path in Path(folder).glob("model_fn-*.npz")]  # fmt: skip
    return [path for _, path in sorted((int(m[1]), path) for m, path in pairs if m)]


def dataset_of(found: Any, labelled: bool) -> tf.data.Dataset:
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


def _one_row(spec):
    shape = [1 if size is None else size for size in spec.shape]
    return tf.fill(shape, "") if spec.dtype == tf.string else tf.zeros(shape, spec.dtype)
