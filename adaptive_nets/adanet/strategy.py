"""Which sets of subnetworks are tried as ensembles in a round."""

import abc
import dataclasses


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A candidate ensemble: old members by position, new ones by name.

    Attributes:
        name: Unique in its round.
        previous: Whether the previous ensemble's members are in it.
        new: Names of the round's subnetworks in it.
    """

    name: str
    previous: bool
    new: tuple[str, ...]


class Strategy(abc.ABC):
    """Turns a round's subnetworks into candidate ensembles.

    Example:

    ```python
    import adaptive_nets as an

    class Pairs(an.adanet.Strategy):
        def candidates(self, new, previous):
            return [an.adanet.Candidate(f"pair_{a}", True, (a, b)) for a, b in zip(new, new[1:])]
    ```
    """

    @abc.abstractmethod
    def candidates(self, new: list[str], previous: bool) -> list[Candidate]:
        """Args:
            new: Names of the subnetworks trained this round.
            previous: Whether there is a previous ensemble.

        Returns:
            A list of `Candidate`s.
        """


class Grow(Strategy):
    """Each new subnetwork joins the previous ensemble (the paper's algorithm)."""

    def candidates(self, new, previous):
        return [Candidate(f"grow_{name}", previous, (name,)) for name in new]


class Solo(Strategy):
    """Each new subnetwork alone."""

    def candidates(self, new, previous):
        return [Candidate(f"solo_{name}", False, (name,)) for name in new]


class All(Strategy):
    """All new subnetworks join the previous ensemble at once."""

    def candidates(self, new, previous):
        return [Candidate("all", previous, tuple(new))]


STRATEGIES = {"grow": Grow, "solo": Solo, "all": All}


def resolve(strategies) -> list[Strategy]:
    """Strategies from names or objects."""
    if isinstance(strategies, str | Strategy):
        strategies = (strategies,)
    resolved = []
    for strategy in strategies:
        if isinstance(strategy, str) and strategy in STRATEGIES:
            strategy = STRATEGIES[strategy]()
        if not isinstance(strategy, Strategy):
            raise ValueError(
                f"Unknown ensemble strategy; expected {', '.join(map(repr, STRATEGIES))} or an "
                f"adanet.Strategy. Received: {strategy!r}."
            )
        resolved.append(strategy)
    if not resolved:
        raise ValueError("ensemble_strategies must name at least one strategy. Received: none.")
    return resolved


def propose(strategies, new, previous) -> list[Candidate]:
    """All strategies' candidates, each set of members once."""
    found = {}
    for strategy in strategies:
        for candidate in strategy.candidates(list(new), previous):
            found.setdefault((candidate.previous and previous, candidate.new), candidate)
    return list(found.values())
