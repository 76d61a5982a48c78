"""`Placement`: trains a round's subnetworks; with the registry of its implementations."""

import abc
import contextlib
import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

from adaptive_nets._checks import show
from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.checkpoints.checkpointer import Checkpointer
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.adanet.monitoring.hooks import Hooks
from adaptive_nets.adanet.monitoring.progress import Progress
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.runner import RoundRunner
from adaptive_nets.adanet.rounds.timing.budget import Budget
from adaptive_nets.adanet.rounds.timing.plan import RoundPlan
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.distribute import Group


@dataclasses.dataclass
class RoundJob:
    """One round to be trained, and everything that training may use.

    Args:
        number: The round, from 1.
        builders: Its builders.
        runner: `RoundRunner` that sets up rounds.
        checkpointer: `Checkpointer`, whose `state` is the one before the round.
        hooks: Callbacks.
        progress: Progress display.
        budget: Remaining time and steps.
        round: The round of all builders. `None` in a process that only trains shares.
        plan: What to do with a time limit. Defaults to `None`: nothing but to obey it.
    """

    number: int
    builders: list[Builder]
    runner: RoundRunner
    checkpointer: Checkpointer
    hooks: Hooks
    progress: Progress
    budget: Budget
    round: Round | None = None
    plan: RoundPlan | None = None

    @property
    def names(self) -> list[str]:
        """Names of the subnetworks."""
        return [b.name for b in self.builders]

    @property
    def context(self) -> SearchContext:
        return self.runner.context

    def set_up(self, builders: list[Builder]) -> Round:
        """Sets up a round of some of the builders."""
        state = self.checkpointer.state
        kept = state.members().values()
        steps = None if self.plan is None else self.plan.expected_steps()
        return self.runner.set_up(
            builders, self.number, state.ensemble, kept, steps, state.rate_factor
        )


class Placement(abc.ABC):
    """Trains the subnetworks of rounds during one call of `fit`.

    Register an implementation with `register_placement` in a file of this folder. No other file
    needs to name it.

    Args:
        settings: `SearchSettings`.
    """

    def __init__(self, settings: SearchSettings):
        self.settings = settings

    @property
    def distribute(self) -> Any:
        """The argument of `distribute.make_strategy`."""
        return self.settings.distribute

    @property
    def follows(self) -> bool:
        """Whether this process only trains its share, and adopts the chief's decisions."""
        return False

    @property
    def apart(self) -> str | None:
        """Its name if other processes train subnetworks, which callbacks do not reach."""
        return None

    def is_chief(self, group: Group) -> bool:
        """Returns whether this process decides rounds and writes the state."""
        return group.is_chief

    def check(self) -> None:  # noqa: B027 (most placements take all settings)
        """Raises a `ValueError` for settings that it does not support."""

    def check_fit(  # noqa: B027 (most placements take all data)
        self, data: FitData, time_limit: float | None, max_steps: int | None, steps: int
    ) -> None:
        """Raises a `ValueError` for data or limits of `fit` that it does not support."""

    @contextlib.contextmanager
    def session(
        self, context: SearchContext, data: FitData, checkpointer: Checkpointer
    ) -> Iterator[None]:
        """Holds the resources for one call of `fit`."""
        yield

    @abc.abstractmethod
    def prepare(self, job: RoundJob) -> None:
        """Prepares a round for training, including everything that can fail."""

    @abc.abstractmethod
    def train(self, job: RoundJob) -> str:
        """Trains `job.round` to the end. Returns what interrupted it, or `""`."""

    def decided(self, job: RoundJob) -> None:  # noqa: B027 (most placements keep nothing)
        """Called when the decision on a round has been written."""

    def follow(self, job: RoundJob) -> dict[str, Any]:
        """Trains this process's share of a round. Returns the state that the chief then wrote.

        It is called instead of `prepare` and `train` if `follows` is true.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement `follow`.")


Factory = Callable[[SearchSettings], Placement]
_FACTORIES: dict[str, Factory] = {}
_KINDS: dict[type, Factory] = {}


def register_placement(name: str, kind: type | None = None) -> Callable[[Factory], Factory]:
    """Registers a function that creates a `Placement` from `SearchSettings`.

    Args:
        name: Name for `AdaNet(placement=...)`.
        kind: Class whose instances `AdaNet(placement=...)` takes too. Defaults to `None`.
    """

    def register(factory: Factory) -> Factory:
        _FACTORIES[name] = factory
        if kind is not None:
            _KINDS[kind] = factory
        return factory

    return register


def make_placement(settings: SearchSettings) -> Placement:
    """Creates the placement for a search's settings.

    Raises:
        ValueError: `settings.placement` is unknown, or does not support the other settings.
    """
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)
    given = settings.placement
    factory = _FACTORIES.get(given) if isinstance(given, str) else _KINDS.get(type(given))
    if factory is None:
        raise ValueError(
            f"placement must be one of {', '.join(map(repr, sorted(_FACTORIES)))}. "
            f"Received: placement={show(given)}."
        )
    placement = factory(settings)
    placement.check()
    return placement
