"""Who trains a round's candidates: the interface, and the registry of its implementations."""

import abc
import contextlib
import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.adanet.checkpoints.checkpointer import Checkpointer
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.adanet.monitoring.hooks import Hooks
from adaptive_nets.adanet.monitoring.progress import Progress
from adaptive_nets.adanet.rounds.budget import Budget
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.runner import RoundRunner
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.distribute import Group


@dataclasses.dataclass
class RoundJob:
    """One round to be trained, with what training it may read.

    Attributes:
        number: The round, from 1.
        builders: Its builders.
        runner: What sets rounds up.
        checkpointer: What keeps the search and its checkpoints; its `state` is that before the
            round.
        hooks: Callbacks.
        progress: The display.
        budget: Time and steps that are left.
        round: The round of all builders; `None` in a process that only trains shares.
    """

    number: int
    builders: list[Builder]
    runner: RoundRunner
    checkpointer: Checkpointer
    hooks: Hooks
    progress: Progress
    budget: Budget
    round: Round | None = None

    @property
    def names(self) -> list[str]:
        """Names of the candidates."""
        return [b.name for b in self.builders]

    @property
    def context(self) -> SearchContext:
        return self.runner.context

    def set_up(self, builders: list[Builder]) -> Round:
        """A round of some of the builders."""
        state = self.checkpointer.state
        kept = state.members().values()
        return self.runner.set_up(builders, self.number, state.ensemble, kept)


class Placement(abc.ABC):
    """Trains the candidates of rounds during one call of `fit`.

    Register an implementation with `register_placement` in a file of this folder; nothing else
    has to name it.

    Args:
        settings: `SearchSettings`.
    """

    def __init__(self, settings: SearchSettings):
        self.settings = settings

    @property
    def distribute(self) -> Any:
        """What `distribute.make_strategy` is to make the strategy of."""
        return self.settings.distribute

    @property
    def follows(self) -> bool:
        """Whether this process only trains its part, and takes the chief's decisions."""
        return False

    def is_chief(self, group: Group) -> bool:
        """Whether this process decides rounds and writes what is found."""
        return group.is_chief

    def check(self) -> None:  # noqa: B027 (most placements take all settings)
        """Refuses settings that it cannot train under."""

    def check_fit(  # noqa: B027 (most placements take all data)
        self, data: FitData, time_limit: float | None, max_steps: int | None
    ) -> None:
        """Refuses data or limits of `fit` that it cannot train under."""

    @contextlib.contextmanager
    def session(
        self, context: SearchContext, data: FitData, checkpointer: Checkpointer
    ) -> Iterator[None]:
        """Holds what is needed during one call of `fit`."""
        yield

    @abc.abstractmethod
    def prepare(self, job: RoundJob) -> None:
        """Makes a round ready to be trained, as far as that can fail."""

    @abc.abstractmethod
    def train(self, job: RoundJob) -> str:
        """Trains `job.round` to the end; returns what interrupted it, or `""`."""

    def decided(self, job: RoundJob) -> None:  # noqa: B027 (most placements keep nothing)
        """Called once the decision on a round is written."""

    def follow(self, job: RoundJob) -> dict[str, Any]:
        """Trains this process's part of a round; returns the state that the chief then wrote.

        It is called instead of `prepare` and `train` where `follows` is true.
        """
        raise NotImplementedError(f"{type(self).__name__} follows no chief.")


Factory = Callable[[SearchSettings], Placement]
_FACTORIES: dict[str, Factory] = {}
_KINDS: dict[type, Factory] = {}


def register_placement(name: str, kind: type | None = None) -> Callable[[Factory], Factory]:
    """Registers what makes a `Placement` from `SearchSettings`.

    Args:
        name: What `AdaNet(placement=...)` takes.
        kind: A class whose instances it takes too.
    """

    def register(factory: Factory) -> Factory:
        _FACTORIES[name] = factory
        if kind is not None:
            _KINDS[kind] = factory
        return factory

    return register


def make_placement(settings: SearchSettings) -> Placement:
    """The placement that settings ask for.

    Raises:
        ValueError: `settings.placement` is unknown, or cannot train under the other settings.
    """
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)
    given = settings.placement
    factory = _FACTORIES.get(given) if isinstance(given, str) else _KINDS.get(type(given))
    if factory is None:
        raise ValueError(
            f"placement must be one of {', '.join(map(repr, sorted(_FACTORIES)))}. "
            f"Received: placement={given!r}."
        )
    placement = factory(settings)
    placement.check()
    return placement
