"""`Generator` and `SimpleGenerator` of adanet 0.9."""

import abc
from collections.abc import Sequence
from typing import Any

from adaptive_nets import adanet
from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_list
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.adanet.previous import seen
from adaptive_nets.estimator.adanet.reports import MaterializedReport, Report, materialized

__all__ = ["Generator", "MaterializedReport", "Report", "SimpleGenerator"]


class Generator(adanet.Generator):
    """A generator with the method of adanet's."""

    @abc.abstractmethod
    def generate_candidates(self, *arguments: Any, **named: Any) -> list[adanet.Builder]:
        """Returns the builders of a round.

        Args:
            *arguments: Not used: arguments are passed by name.
            **named: `previous_ensemble`, or `None`; `iteration_number`, from 0;
                `previous_ensemble_reports`, the `MaterializedReport`s of its members;
                `all_reports`; and `config`, which is `None`. A method gets those that it has.
        """

    def generate(
        self,
        previous: adanet.Ensemble | None,
        iteration: int,
        reports: list[adanet.Report],
    ) -> list[adanet.Builder]:
        members = set() if previous is None else {m.name for m in previous.members}
        told = [materialized(report) for report in reports]
        kept = [
            one
            for report, one in zip(reports, told, strict=True)
            if f"{report.iteration}_{report.name}" in members
        ]
        return inputs.call_named(
            "generate_candidates", self.generate_candidates, previous_ensemble=seen(previous),
            iteration_number=iteration - 1, previous_ensemble_reports=kept, all_reports=told,
            config=None,
        )  # fmt: skip


@takes({})
class SimpleGenerator(Generator):
    """Proposes the same builders in each round.

    Args:
        subnetwork_builders: The builders.
    """

    compared = ("subnetwork_builders",)

    def __init__(self, subnetwork_builders: Sequence[adanet.Builder]) -> None:
        words = "a list of adanet.subnetwork.Builders"
        self.subnetwork_builders = check_list(
            "subnetwork_builders", subnetwork_builders, adanet.Builder, words, 1
        )

    def generate_candidates(
        self,
        previous_ensemble: Any,
        iteration_number: int,
        previous_ensemble_reports: Sequence[MaterializedReport],
        all_reports: Sequence[MaterializedReport],
    ) -> list[adanet.Builder]:
        """Returns the builders."""
        return list(self.subnetwork_builders)
