"""Estimators with the results of adanet's."""

from collections.abc import Callable
from typing import Any

from adaptive_nets._arguments import takes
from adaptive_nets.estimator import auto_ensemble, estimator
from adaptive_nets.estimator.compat.contract import EVALUATE
from adaptive_nets.estimator.reading.ensemble import TrainedEnsemble

ARCHITECTURE = "architecture/adanet/ensembles"


class _Told(TrainedEnsemble):
    """Adds what adanet's `evaluate` says of the ensemble."""

    @takes(EVALUATE)
    def evaluate(
        self,
        input_fn: Callable,
        steps: int | None = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """Like `Estimator.evaluate`, with the architecture of the ensemble.

        Returns:
            Dict of numbers, and under `"architecture/adanet/ensembles"` a serialized
            `tf.compat.v1.Summary` of the text `| <builder> | <builder> |`.
        """
        found = super().evaluate(input_fn, steps, hooks, checkpoint_path, name)
        members = self._trained(checkpoint_path).ensemble.members
        found[ARCHITECTURE] = _text_summary(f"| {' | '.join(m.builder for m in members)} |")
        return found


class Estimator(_Told, estimator.Estimator):
    """`adaptive_nets.estimator.Estimator`, whose `evaluate` says the architecture, too."""


class AutoEnsembleEstimator(_Told, auto_ensemble.AutoEnsembleEstimator):
    """`adaptive_nets.estimator.AutoEnsembleEstimator`, which says the architecture, too."""


def _text_summary(text):
    import tensorflow as tf

    summary = tf.compat.v1.Summary()
    value = summary.value.add(tag="architecture/adanet")
    value.tensor.dtype = tf.string.as_datatype_enum
    value.tensor.string_val.append(text.encode())
    return summary.SerializeToString()
