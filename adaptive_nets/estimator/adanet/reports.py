"""`Report` and `MaterializedReport` of adanet 0.9."""

import dataclasses
from typing import Any

from adaptive_nets import adanet
from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_dict, show
from adaptive_nets.estimator.adanet.constants import NONE, constant
from adaptive_nets.estimator.adanet.previous import PERSISTED, SHARED

# Attributes that hold the metrics of a builder's report.
_METRICS = "report_metrics"
_OWN = (SHARED, PERSISTED, _METRICS)


@takes({})
@dataclasses.dataclass(frozen=True)
class Report:
    """What a builder says of its subnetwork.

    Args:
        hparams: Numbers and text by name. Defaults to `None`: none.
        attributes: Constants by name. Defaults to `None`: none.
        metrics: Constants by name, or pairs of a constant and its update. What is measured comes
            from the estimator's `report_materializer`. Defaults to `None`: none.

    Raises:
        TypeError: Something is not a constant.
    """

    hparams: dict[str, Any] | None = None
    attributes: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("hparams", "attributes", "metrics"):
            given = getattr(self, name)
            values = check_dict(name, {} if given is None else given, object, "a dict by name")
            found = {}
            for key, value in values.items():
                pair = name == "metrics" and isinstance(value, tuple) and len(value) == 2
                found[str(key)] = constant(value[0] if pair else value)
                if found[str(key)] is NONE:
                    raise TypeError(
                        f"{name} must be numbers and text, or tensors of known values: a report is "
                        "made before anything is trained, and report_materializer measures the "
                        f"head's metrics. Received: '{key}': {show(value)}."
                    )
            object.__setattr__(self, name, found)

    def kept(self) -> dict[str, Any]:
        """Returns it as attributes of a subnetwork."""
        return {**self.attributes, **({_METRICS: self.metrics} if self.metrics else {})}


@dataclasses.dataclass(frozen=True)
class MaterializedReport:
    """The results of a subnetwork after its round.

    Args:
        iteration_number: The round, from 0.
        name: The builder's name.
        hparams: Those of the builder's report.
        attributes: Those of the builder's report, and its constant summaries.
        metrics: Those of the builder's report; `adanet_loss`, the objective of the best candidate
            ensemble that contains it; and what `adanet.Report` has.
        included_in_final_ensemble: Whether it is a member of the round's winner.
    """

    iteration_number: int
    name: str
    hparams: dict[str, Any]
    attributes: dict[str, Any]
    metrics: dict[str, Any]
    included_in_final_ensemble: bool


def materialized(report: adanet.Report) -> MaterializedReport:
    """Returns a report of the search as adanet's generators know it."""
    attributes = {k: v for k, v in report.attributes.items() if k not in _OWN}
    metrics = {**report.attributes.get(_METRICS, {}), **report.metrics}
    if "objective" in metrics:
        metrics["adanet_loss"] = metrics["objective"]
    return MaterializedReport(
        report.iteration - 1, report.name, report.hyperparameters, attributes, metrics,
        report.selected,
    )  # fmt: skip
