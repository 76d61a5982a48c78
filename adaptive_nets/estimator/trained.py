"""The part of `Estimator` that reads its `model_dir`: metrics, predictions, exports."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from adaptive_nets._arguments import takes
from adaptive_nets._checks import (
    check_bool,
    check_choice,
    check_dict,
    check_function,
    check_integer,
    check_list,
    check_path,
    check_text,
    or_none,
    show,
)
from adaptive_nets.adanet import AdaNet, Evaluator
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.compat.contract import EVALUATE, EXPORT
from adaptive_nets.estimator.config import RunConfig
from adaptive_nets.estimator.evaluation import evaluate_search, write_summary
from adaptive_nets.estimator.export import export_timestamped
from adaptive_nets.estimator.hooks import check_hooks
from adaptive_nets.estimator.mode_keys import ModeKeys
from adaptive_nets.estimator.predictions import batches, single_examples


class TrainedEnsemble:
    """The part of `Estimator` that needs no training. Each call reads the newest state.

    Attributes:
        metric_fn: Function that returns further metrics, or `None`.
    """

    metric_fn: Callable | None
    _config: RunConfig
    _params: dict
    _settings: dict
    _evaluator: Any
    _subnetworks: list[str]

    def __init__(self) -> None:
        self._loaded: tuple[str | None, AdaNet | None] = (None, None)

    @property
    def model_dir(self) -> str:
        """Folder of the state."""
        return self._config.model_dir

    @property
    def config(self) -> RunConfig:
        """The `RunConfig`."""
        return self._config

    @property
    def params(self) -> dict:
        """A copy of `params`."""
        return dict(self._params)

    def latest_checkpoint(self) -> str | None:
        """Returns the path of the newest state file with an ensemble, or `None` without one."""
        # The first state file is written before anything is trained.
        found = ModelDirReader(self.model_dir).newest_with_ensemble()
        return found and os.path.join(self.model_dir, found)

    def get_variable_names(self) -> list[str]:
        """Returns the names of the ensemble's variables, and `"global_step"`."""
        return ["global_step", *self._variables()]

    def get_variable_value(self, name: str) -> np.ndarray:
        """Returns a variable's value.

        Raises:
            ValueError: There is no variable with this name.
        """
        check_text("name", name)
        if name == "global_step":
            return np.asarray(self._trained().global_step)
        found = self._variables()
        if name not in found:
            raise ValueError(
                f"name must be one of get_variable_names(). Received: name={show(name)}."
            )
        return np.asarray(found[name])

    @takes(EVALUATE)
    def evaluate(
        self,
        input_fn: Callable,
        steps: int | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """Evaluates the ensemble and writes its metrics for TensorBoard.

        Args:
            input_fn: As in `train`.
            steps: Number of batches to read. Defaults to `None`: all.
            hooks: Ignored: none are called. Defaults to `None`.
            checkpoint_path: A state file, as returned by `latest_checkpoint()`; the newest three
                are kept. Defaults to `None`: the newest.
            name: Suffix of the folder `eval_<name>` for the metrics. Defaults to `None`: `eval`.

        Returns:
            Dict of `global_step`, `iteration` (number of finished rounds), `loss`,
            `average_loss` and the head's metrics.

        Raises:
            ValueError: There is no trained model, or the features differ from those of the
                training.
        """
        steps = or_none(check_integer, "steps", steps, 1)
        name = or_none(check_text, "name", name)
        check_hooks(hooks)
        search = self._trained(checkpoint_path)
        dataset = inputs.for_evaluation(input_fn, steps, self._config, self._params)
        inputs.check_features(dataset, search.schema)
        found = evaluate_search(search, dataset, self.metric_fn, self._config, self._params)
        write_summary(self.eval_dir(name), found)
        return found

    def eval_dir(self, name: str | None = None) -> str:
        """Returns the folder for the metrics of an evaluation."""
        return os.path.join(self.model_dir, f"eval_{name}" if name else "eval")

    @takes(EVALUATE)
    def predict(
        self,
        input_fn: Callable,
        predict_keys: str | Sequence[str] | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        yield_single_examples: bool = True,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields predictions.

        Args:
            input_fn: Function that returns features; labels are ignored.
            predict_keys: Names of the predictions to return. Defaults to `None`: all.
            hooks: Ignored: none are called. Defaults to `None`.
            checkpoint_path: As in `evaluate`. Defaults to `None`.
            yield_single_examples: Whether to yield rows one by one instead of batches. Defaults
                to `True`.

        Yields:
            Dicts of arrays. For classification: `logits`, `probabilities`, `class_ids`, `classes`
            (bytes) and, with two classes, `logistic`. For regression: `predictions`.

        Raises:
            ValueError: There is no trained model, or a key is unknown.
        """
        check_hooks(hooks)
        check_bool("yield_single_examples", yield_single_examples)
        keys = [predict_keys] if isinstance(predict_keys, str) else predict_keys
        or_none(check_list, "predict_keys", keys, str, "names of predictions, or None")
        search = self._trained(checkpoint_path)
        dataset = inputs.for_prediction(input_fn, self._config, self._params)
        inputs.check_features(dataset, search.schema)
        found = batches(search, dataset, predict_keys)
        return single_examples(found) if yield_single_examples else found

    @takes(EXPORT)
    def export_saved_model(
        self,
        export_dir_base: str | os.PathLike,
        serving_input_receiver_fn: Callable,
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
        experimental_mode: str = "infer",
    ) -> str:
        """Writes a SavedModel into a folder named by a timestamp.

        Args:
            export_dir_base: Parent of the new folder.
            serving_input_receiver_fn: A function made by
                `export.build_parsing_serving_input_receiver_fn` or
                `export.build_raw_serving_input_receiver_fn`, or your own.
            assets_extra: Files to copy, by their path in `assets.extra`. Defaults to `None`.
            as_text: Not supported. Must be `False`.
            checkpoint_path: As in `evaluate`. Defaults to `None`.
            experimental_mode: Must be `ModeKeys.PREDICT`.

        Returns:
            Path of the new folder.

        Raises:
            ValueError: There is no trained model, or the receiver does not match it.
        """
        check_function("serving_input_receiver_fn", serving_input_receiver_fn)
        check_choice("experimental_mode", experimental_mode, ("infer",))
        check_bool("as_text", as_text)
        search = self._trained(checkpoint_path)
        return export_timestamped(
            search, export_dir_base, serving_input_receiver_fn, assets_extra, self._subnetworks
        )

    @takes(EXPORT)
    def export_savedmodel(
        self,
        export_dir_base: str | os.PathLike,
        serving_input_receiver_fn: Callable,
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
        strip_default_attrs: bool = True,
    ) -> str:
        """The old name of `export_saved_model`."""
        return self.export_saved_model(
            export_dir_base, serving_input_receiver_fn, assets_extra, as_text, checkpoint_path
        )

    @takes(EXPORT)
    def experimental_export_all_saved_models(
        self,
        export_dir_base: str | os.PathLike,
        input_receiver_fn_map: dict[str, Callable],
        assets_extra: dict[str, str] | None = None,
        as_text: bool = False,
        checkpoint_path: str | None = None,
    ) -> str:
        """Like `export_saved_model`, with a dict of the receiver of `ModeKeys.PREDICT`.

        Raises:
            ValueError: There is another mode: exports are for prediction.
        """
        check_dict("input_receiver_fn_map", input_receiver_fn_map, object, "a dict by mode", 1)
        if list(input_receiver_fn_map) != [ModeKeys.PREDICT]:
            raise ValueError(
                "input_receiver_fn_map must have ModeKeys.PREDICT alone: exports are for "
                f"prediction. Received: {', '.join(map(show, input_receiver_fn_map))}."
            )
        return self.export_saved_model(
            export_dir_base, input_receiver_fn_map[ModeKeys.PREDICT], assets_extra, as_text,
            checkpoint_path,
        )  # fmt: skip

    def _trained(self, checkpoint_path=None):
        newest = self.latest_checkpoint()
        if newest is None:
            raise ValueError(
                f"Could not find a trained model in model_dir '{self.model_dir}'. Call train first."
            )
        if checkpoint_path is not None:
            checkpoint_path = check_path("checkpoint_path", checkpoint_path)
            if not os.path.isfile(checkpoint_path):
                raise ValueError(
                    f"State file {show(checkpoint_path)} does not exist: checkpoint_path must be "
                    "one that latest_checkpoint() returned."
                )
        wanted = os.path.basename(checkpoint_path or newest)
        # The content of a state file never changes.
        if self._loaded[0] != wanted:
            given = {k: v for k, v in self._settings.items() if k not in ("model_dir", "seed")}
            given["distribute"], given["placement"] = None, "replicated"
            if self._evaluator is not None:
                given["evaluator"] = Evaluator()
            found = AdaNet.load(self.model_dir, state_file=checkpoint_path, **given)
            self._loaded = (wanted, found)
        return self._loaded[1]

    def load(self, checkpoint_path: str) -> AdaNet:
        """Returns the search stored in a state file."""
        return self._trained(checkpoint_path)

    def _variables(self):
        members = self._trained().ensemble.members
        # By position: Keras keeps numbering layer names for the life of a process.
        return {
            f"{m.name}/{place}/{variable.name}": variable
            for m in members
            for place, variable in enumerate(m.model.weights)
        }
