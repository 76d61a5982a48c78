"""Where candidates come from: the `Generator` contract and the `Report`s it is given."""

import abc
import dataclasses
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from adaptive_nets.adanet.candidates.builder import Builder
from adaptive_nets.configurable import Configurable

if TYPE_CHECKING:
    from adaptive_nets.adanet.ensembles.ensemble import Ensemble


@dataclasses.dataclass(frozen=True)
class Report:
    """What is known of a candidate subnetwork after its round.

    Attributes:
        iteration: The round, from 1.
        name: The builder's name.
        hyperparameters: What the builder said of itself.
        attributes: What the subnetwork said of itself.
        metrics: `loss` of the subnetwork on its own, which for one that was trained on a
            residual says little, and `objective` of the best candidate ensemble with it. With
            `fit(report_data=...)`, on that data: `loss` and the head's metrics of the subnetwork
            on its own, and as `ensemble_...` those of the candidate.
        selected: Whether it is a member of the round's winner.
        status: `"trained"` or `"diverged"`.
    """

    iteration: int
    name: str
    hyperparameters: dict
    attributes: dict
    metrics: dict
    selected: bool
    status: str


class Generator(Configurable, abc.ABC):
    """Proposes each round's candidates.

    Subclasses implement `generate`. A generator that is to be restored by `AdaNet.load` is
    registered with `keras.saving.register_keras_serializable` and has `get_config`.

    Attributes:
        standardize: Whether the candidates want standardised features; read by
            `AdaNet(preprocessing="auto")`. Defaults to `False`.
        needs_features: Whether `prepare` must be called before `generate`. Defaults to `False`.

    Example:

    ```python
    import adaptive_nets as an

    class Deeper(an.adanet.Generator):
        def generate(self, previous, iteration, reports):
            return an.generators.Dense(depths=[iteration]).generate(previous, iteration, reports)
    ```
    """

    standardize = False
    needs_features = False

    @abc.abstractmethod
    def generate(
        self, previous: "Ensemble | None", iteration: int, reports: list[Report]
    ) -> list[Builder]:
        """Proposes builders.

        Args:
            previous: The `Ensemble` chosen so far, or `None` in the first round.
            iteration: The round, from 1.
            reports: `Report`s of all candidates of all earlier rounds.

        Returns:
            A non-empty list of `Builder`s with distinct names. The same arguments must give
            the same builders, or an interrupted search cannot go on.
        """

    def prepare(self, features: Any, folder: pathlib.Path | None = None) -> None:
        """Looks at the features once, before `fit` begins; what it learns must be repeatable.

        Args:
            features: Array, or dict of arrays: the (preprocessed) training rows; of a stream its
                sample.
            folder: Where to keep what takes long, or `None`.
        """


class WrappingGenerator(Generator):
    """A generator on top of another, which it lets look at the features.

    Attributes:
        generator: The other; subclasses set it.
    """

    generator: Generator

    @property
    def standardize(self) -> bool:
        return self.generator.standardize

    @property
    def needs_features(self) -> bool:
        return self.generator.needs_features

    def prepare(self, features: Any, folder: pathlib.Path | None = None) -> None:
        self.generator.prepare(features, folder)


def propose_builders(
    generator: Generator, previous: "Ensemble | None", iteration: int, reports: Iterable[Report]
) -> list[Builder]:
    """Calls the generator and checks what it returns."""
    builders = list(generator.generate(previous, iteration, list(reports)) or [])
    who = type(generator).__name__
    if not builders:
        raise ValueError(
            f"Generator {who} returned no builders in round {iteration}; expected at least one."
        )
    for builder in builders:
        if not isinstance(builder, Builder):
            raise TypeError(
                f"Generator {who} must return adanet.Builder objects. "
                f"Received: {type(builder).__name__}."
            )
        if not isinstance(getattr(builder, "name", None), str) or not builder.name:
            raise ValueError(f"A builder of generator {who} has no name; set `name` to a string.")
        if not set(builder.name) <= _NAME_CHARACTERS:
            raise ValueError(
                f"Builder name '{builder.name}' has characters that file names cannot hold; "
                "use letters, digits, '_', '-' and '.'."
            )
    names = [b.name for b in builders]
    duplicates = sorted({n for n in names if names.count(n) > 1})
    if duplicates:
        raise ValueError(
            f"Generator {who} returned duplicate candidate names in round {iteration}: "
            f"{', '.join(duplicates)}. Give every builder its own name."
        )
    return builders


_NAME_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
