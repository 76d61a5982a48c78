"""Replays the rounds of a finished search on other data: same choices, new weights."""

import dataclasses

import keras

from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.candidates.generator import Generator, Report, WrappingGenerator
from adaptive_nets.adanet.candidates.strategy import Candidate, Strategy
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.serialization import describe_object, restore_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class ReplayGenerator(WrappingGenerator):
    """Proposes only the subnetworks that a recorded search selected.

    Args:
        generator: The recorded search's `Generator`.
        chosen: The `Candidate` that won each round.
        reports: All `Report`s of the recorded search, which the generator receives again.
        rounds: Number of each recorded round, some of which may have changed nothing. Defaults to
            `None`: 1, 2, ...
    """

    def __init__(
        self,
        generator: Generator,
        chosen: list[Candidate],
        reports: list[Report],
        rounds: list[int] | None = None,
    ):
        self.generator, self.chosen, self.reports = generator, list(chosen), list(reports)
        self.rounds = list(range(1, len(self.chosen) + 1) if rounds is None else rounds)

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list[Builder]:
        recorded = self.rounds[iteration - 1]
        told = [r for r in self.reports if r.iteration < recorded]
        proposed = self.generator.generate(previous, recorded, told)
        wanted = self.chosen[iteration - 1].new
        found = [b for b in proposed if b.name in wanted]
        if {b.name for b in found} != set(wanted):
            raise ValueError(
                f"Round {iteration} cannot be replayed: it selected {', '.join(wanted)}, but "
                f"{type(self.generator).__name__} now proposes "
                f"{', '.join(b.name for b in proposed)}. Pass the generator of the recorded search."
            )
        return found

    def get_config(self) -> dict:
        return {
            "generator": describe_object(self.generator),
            "chosen": [dataclasses.asdict(c) for c in self.chosen],
            "reports": [dataclasses.asdict(r) for r in self.reports],
            "rounds": self.rounds,
        }

    @classmethod
    def from_config(cls, config: dict) -> "ReplayGenerator":
        return cls(
            restore_object(config["generator"], "generator"),
            [Candidate(c["name"], c["previous"], tuple(c["new"])) for c in config["chosen"]],
            [Report(**r) for r in config["reports"]],
            config.get("rounds"),
        )


@keras.saving.register_keras_serializable(package="adaptive_nets")
class ReplayStrategy(Strategy):
    """Proposes only the candidate ensembles that a recorded search selected.

    Args:
        chosen: The `Candidate` that won each round, or its fields as a dict.
    """

    def __init__(self, chosen: list[Candidate | dict]):
        self.chosen = [
            c if isinstance(c, Candidate) else Candidate(c["name"], c["previous"], tuple(c["new"]))
            for c in chosen
        ]

    def candidates(self, new: list[str], previous: bool, iteration: int = 1) -> list[Candidate]:
        # Without subnetworks that diverged this time.
        chosen = self.chosen[iteration - 1]
        left = tuple(name for name in chosen.new if name in new)
        return [dataclasses.replace(chosen, new=left)]

    def get_config(self) -> dict:
        return {"chosen": [dataclasses.asdict(c) for c in self.chosen]}
