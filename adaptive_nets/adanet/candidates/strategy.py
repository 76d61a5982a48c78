"""Ensemble strategies: which sets of subnetworks a round tries as candidate ensembles."""

import abc
import dataclasses
import functools
import inspect
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import keras

from adaptive_nets._checks import check_bool, check_list, check_text, show
from adaptive_nets._values import elements
from adaptive_nets.configurable import Configurable

if TYPE_CHECKING:
    from adaptive_nets.adanet.ensembles.ensemble import Ensemble


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A candidate ensemble, made of the previous members, new subnetworks, or both.

    Args:
        name: Name, unique in the round.
        previous: Whether it contains the members of the previous ensemble; or the names of those
            that it contains.
        new: Names of the round's subnetworks in it.
    """

    name: str
    previous: bool | tuple[str, ...]
    new: tuple[str, ...]

    def __post_init__(self):
        check_text("name", self.name)
        if not isinstance(self.previous, tuple):
            check_bool("previous", self.previous)
        else:
            check_list("previous", self.previous, str, "a tuple of the names of members")
        check_list("new", self.new, str, "a tuple of the names of subnetworks")

    def places(self, previous: "Ensemble | None") -> list[int]:
        """Returns the places of the previous ensemble's members that it contains.

        Raises:
            ValueError: There is no member of a name.
        """
        if previous is None or self.previous is False:
            return []
        names = [member.name for member in previous.members]
        if self.previous is True:
            return list(range(len(names)))
        unknown = [name for name in self.previous if name not in names]
        if unknown:
            raise ValueError(
                f"Candidate '{self.name}' must keep members of the previous ensemble: "
                f"{', '.join(names)}. Received: {', '.join(unknown)}."
            )
        return [place for place, name in enumerate(names) if name in self.previous]


class Strategy(Configurable, abc.ABC):
    """Combines a round's subnetworks into candidate ensembles.

    To be restored by `AdaNet.load`, a strategy must be registered with
    `keras.saving.register_keras_serializable` and have `get_config`.

    Example:

    ```python
    import adaptive_nets as an

    class Pairs(an.adanet.Strategy):
        def candidates(self, new, previous, iteration):
            return [an.adanet.Candidate(f"pair_{a}", True, (a, b)) for a, b in zip(new, new[1:])]
    ```
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        own = cls.__dict__.get("candidates")
        if own is not None and not _takes_iteration(own):
            warnings.warn(
                f"{cls.__name__}.candidates(new, previous), which reads the round from the "
                "attribute `iteration`, is deprecated. Define candidates(self, new, previous, "
                "iteration) instead.",
                DeprecationWarning,
                # Past ABCMeta's own frame, to the class statement.
                stacklevel=3,
            )
            cls.candidates = _with_iteration(own)

    @abc.abstractmethod
    def candidates(self, new: list[str], previous: bool, iteration: int) -> list[Candidate]:
        """Returns the candidate ensembles of a round.

        Args:
            new: Names of the subnetworks trained this round.
            previous: Whether there is a previous ensemble.
            iteration: The round, from 1.

        Returns:
            A list of `Candidate`s.
        """


def _takes_iteration(method):
    try:
        inspect.signature(method).bind(None, [], True, 1)
    except TypeError:
        return False
    return True


def _with_iteration(method):
    """Adapts a strategy's deprecated method to the current signature."""

    @functools.wraps(method)
    def candidates(self, new, previous, iteration=1):
        self.iteration = iteration
        return method(self, new, previous)

    return candidates


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Grow(Strategy):
    """Adds each new subnetwork to the previous ensemble (the paper's algorithm)."""

    def candidates(self, new: list[str], previous: bool, iteration: int = 1) -> list[Candidate]:
        return [Candidate(f"grow_{name}", previous, (name,)) for name in new]


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Solo(Strategy):
    """Tries each new subnetwork on its own."""

    def candidates(self, new: list[str], previous: bool, iteration: int = 1) -> list[Candidate]:
        return [Candidate(f"solo_{name}", False, (name,)) for name in new]


@keras.saving.register_keras_serializable(package="adaptive_nets")
class All(Strategy):
    """Adds all new subnetworks to the previous ensemble at once."""

    def candidates(self, new: list[str], previous: bool, iteration: int = 1) -> list[Candidate]:
        return [Candidate("all", previous, tuple(new))]


STRATEGIES = {"grow": Grow, "solo": Solo, "all": All}


def resolve(strategies: str | Strategy | Iterable[str | Strategy]) -> list[Strategy]:
    """Returns strategies for names or objects."""
    if isinstance(strategies, str | Strategy):
        strategies = (strategies,)
    given = elements(strategies) if isinstance(strategies, Iterable) else None
    if given is None:
        raise ValueError(
            f"ensemble_strategies must be one or several of {', '.join(map(repr, STRATEGIES))} and "
            f"adanet.Strategy objects. Received: ensemble_strategies={show(strategies)}."
        )
    resolved = []
    for strategy in given:
        if isinstance(strategy, str) and strategy in STRATEGIES:
            strategy = STRATEGIES[strategy]()
        if not isinstance(strategy, Strategy):
            raise ValueError(
                f"Each ensemble strategy must be {', '.join(map(repr, STRATEGIES))} or an "
                f"adanet.Strategy. Received: {show(strategy)}."
            )
        resolved.append(strategy)
    if not resolved:
        raise ValueError("ensemble_strategies must contain at least one strategy. Received: none.")
    return resolved


def propose_candidates(
    strategies: Iterable[Strategy], new: Iterable[str], previous: bool, iteration: int = 1
) -> list[Candidate]:
    """Returns all strategies' candidate ensembles, each set of members once."""
    found = {}
    for strategy in strategies:
        for candidate in strategy.candidates(list(new), previous, iteration):
            if not candidate.new or not set(candidate.new) <= set(new):
                raise ValueError(
                    f"Candidate '{candidate.name}' of strategy {type(strategy).__name__} must "
                    f"contain at least one of the subnetworks {', '.join(new)}, and no others. "
                    f"Received: {show(candidate.new)}."
                )
            found.setdefault((candidate.previous and previous, candidate.new), candidate)
    names = [c.name for c in found.values()]
    duplicates = sorted({n for n in names if names.count(n) > 1})
    if duplicates:
        raise ValueError(
            "Ensemble strategies must give each candidate ensemble its own name. Received: "
            f"{', '.join(duplicates)} more than once."
        )
    return list(found.values())
