"""`TrainedEnsemble`: the part of `Estimator` that reads its `model_dir`."""

import os
from collections.abc import Callable
from typing import Any

from adaptive_nets.adanet import AdaNet, Evaluator
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.evaluation import evaluate_search
from adaptive_nets.estimator.export import export_timestamped
from adaptive_nets.estimator.reading.doors import SavedEstimator
from adaptive_nets.estimator.reading.predictions import batches


class TrainedEnsemble(SavedEstimator):
    """The part of `Estimator` that needs no training. Each call reads the newest state.

    Attributes:
        metric_fn: Function that returns further metrics, or `None`.
    """

    metric_fn: Callable | None
    _settings: dict
    _evaluator: Any
    _subnetworks: list[str]

    def __init__(self) -> None:
        self._loaded: tuple[str | None, AdaNet | None] = (None, None)

    def latest_checkpoint(self) -> str | None:
        """Returns the path of the newest state file with an ensemble, or `None` without one."""
        # The first state file is written before anything is trained.
        found = ModelDirReader(self.model_dir).newest_with_ensemble()
        return found and os.path.join(self.model_dir, found)

    def steps_taken(self) -> int:
        return 0 if self.latest_checkpoint() is None else self._trained().global_step

    def load(self, checkpoint_path: str) -> AdaNet:
        """Returns the search stored in a state file."""
        return self._trained(checkpoint_path)

    def _trained(self, checkpoint_path=None):
        wanted = os.path.basename(self._state_file(checkpoint_path))
        # The content of a state file never changes.
        if self._loaded[0] != wanted:
            given = {k: v for k, v in self._settings.items() if k not in ("model_dir", "seed")}
            given["distribute"], given["placement"] = None, "replicated"
            if self._evaluator is not None:
                given["evaluator"] = Evaluator()
            found = AdaNet.load(self.model_dir, state_file=checkpoint_path, **given)
            self._loaded = (wanted, found)
        return self._loaded[1]

    def _variables(self):
        members = self._trained().ensemble.members
        # By position: Keras keeps numbering layer names for the life of a process.
        return {
            f"{m.name}/{place}/{variable.name}": variable
            for m in members
            for place, variable in enumerate(m.model.weights)
        }

    def _evaluated(self, input_fn, steps, checkpoint_path):
        search = self._trained(checkpoint_path)
        dataset = inputs.for_evaluation(input_fn, steps, self._config, self._params)
        inputs.check_features(dataset, search.schema)
        return evaluate_search(search, dataset, self.metric_fn, self._config, self._params)

    def _batches(self, input_fn, keys, checkpoint_path):
        search = self._trained(checkpoint_path)
        dataset = inputs.for_prediction(input_fn, self._config, self._params)
        inputs.check_features(dataset, search.schema)
        return batches(search, dataset, keys)

    def _exported(self, base, receiver_fn, assets_extra, checkpoint_path):
        search = self._trained(checkpoint_path)
        return export_timestamped(search, base, receiver_fn, assets_extra, self._subnetworks)
