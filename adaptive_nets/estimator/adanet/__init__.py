"""Names of adanet 0.9, for its scripts: `from adaptive_nets.estimator import adanet`.

Builders and generators keep their methods and the arguments of these. A builder makes Keras
layers, and returns a Keras optimizer in place of a train operation.
"""

from typing import Any

from adaptive_nets.adanet import Ensemble
from adaptive_nets.estimator.adanet import distributed, ensemble, subnetwork
from adaptive_nets.estimator.adanet.ensemble import MixtureWeightType
from adaptive_nets.estimator.adanet.estimators import AutoEnsembleEstimator, Estimator
from adaptive_nets.estimator.adanet.previous import WeightedSubnetwork
from adaptive_nets.estimator.adanet.subnetwork import Subnetwork, Summary
from adaptive_nets.estimator.auto_ensemble import AutoEnsembleSubestimator
from adaptive_nets.estimator.compat.names import INSTEAD, missing
from adaptive_nets.estimator.evaluation import Evaluator, ReportMaterializer

__all__ = [
    "AutoEnsembleEstimator",
    "AutoEnsembleSubestimator",
    "Ensemble",
    "Estimator",
    "Evaluator",
    "MixtureWeightType",
    "ReportMaterializer",
    "Subnetwork",
    "Summary",
    "WeightedSubnetwork",
    "distributed",
    "ensemble",
    "subnetwork",
]


def __getattr__(name: str) -> Any:
    raise missing("adaptive_nets.estimator.adanet", name, INSTEAD)
