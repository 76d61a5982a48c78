"""The `Generator` contract, and the `Report`s that a generator receives."""

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
    """The results of a subnetwork after its round.

    Args:
        iteration: The round, from 1.
        name: The builder's name.
        hyperparameters: The builder's `hyperparameters()`.
        attributes: The `attributes` of the `Subnetwork`.
        metrics: `loss` of the subnetwork on its own, which says little after residual training,
            and `objective` of the best candidate ensemble that contains it. With
            `fit(report_data=...)`, also measured on that data: `loss` and the head's metrics of the
            subnetwork on its own and, as `ensemble_...`, those of the candidate ensemble. With
            early stopping, `held_out_loss`, the lowest, and `best_step`, where it was measured.
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
    """Proposes the subnetworks of each round.

    Subclasses implement `generate`. To be restored by `AdaNet.load`, a generator must be
    registered with `keras.saving.register_keras_serializable` and have `get_config`.

    Attributes:
        standardize: Whether `AdaNet(preprocessing="auto")` standardises the features. Defaults to
            `False`.
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
            previous: The current `Ensemble`, or `None` in the first round.
            iteration: The round, from 1.
            reports: `Report`s of all subnetworks of all earlier rounds.

        Returns:
            A non-empty list of `Builder`s with distinct names. The same arguments must yield the
            same builders, so that an interrupted search can continue.
        """

    def prepare(self, features: Any, folder: pathlib.Path | None = None) -> None:
        """Learns from the features, once, before the first round. It must be reproducible.

        Args:
            features: Array, or dict of arrays, of the (preprocessed) training rows; for a stream,
                of a sample.
            folder: Folder in which to cache expensive results, or `None`.
        """


class WrappingGenerator(Generator):
    """A generator that wraps another one, and passes the features on to it.

    Attributes:
        generator: The wrapped generator, set by subclasses.
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
            f"Generator {who} must return at least one builder. Received: none in round "
            f"{iteration}."
        )
    for builder in builders:
        if not isinstance(builder, Builder):
            raise TypeError(
                f"Generator {who} must return adanet.Builder objects. "
                f"Received: {type(builder).__name__}."
            )
        if not isinstance(getattr(builder, "name", None), str) or not builder.name:
            raise ValueError(f"A builder of generator {who} has no name. Set `name` to a string.")
        if not set(builder.name) <= _NAME_CHARACTERS:
            raise ValueError(
                f"Builder name '{builder.name}' must be valid in file names. Use only letters, "
                "digits, '_', '-' and '.'."
            )
    names = [b.name for b in builders]
    duplicates = sorted({n for n in names if names.count(n) > 1})
    if duplicates:
        raise ValueError(
            f"Generator {who} returned duplicate builder names in round {iteration}: "
            f"{', '.join(duplicates)}. Give every builder its own name."
        )
    return builders


_NAME_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
