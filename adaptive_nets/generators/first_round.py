"""`FirstRound`: a generator whose first round has further subnetworks."""

from collections.abc import Sequence

import keras

from adaptive_nets._checks import check_config, check_instance, check_list
from adaptive_nets.adanet import Builder, Ensemble, Generator, Report
from adaptive_nets.adanet.candidates.generator import WrappingGenerator
from adaptive_nets.serialization import describe_object, restore_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class FirstRound(WrappingGenerator):
    """Adds builders to the first round of another generator.

    Args:
        generator: The `Generator` of all other subnetworks.
        builders: The builders. Defaults to `None`: they are not known, as after loading.

    Raises:
        TypeError: `generator` is not an `adanet.Generator`, or `builders` are not a list
            of builders.
        ValueError: `generate` is called for the first round, and the builders are not known.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    class Linear(an.adanet.Builder):
        name = "linear"

        def build(self, inputs, units, previous=None):
            return an.adanet.Subnetwork(keras.layers.Dense(units)(inputs), depth=0)

    an.generators.FirstRound(an.generators.Dense(), [Linear()])
    ```
    """

    def __init__(self, generator: Generator, builders: Sequence[Builder] | None = None):
        self.generator = check_instance("generator", generator, Generator, "an adanet.Generator")
        if builders is not None:
            check_instance("builders", builders, list | tuple, "a list of adanet.Builder objects")
            builders = check_list("builders", builders, Builder, "a list of adanet.Builder objects")
        self.builders = builders

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list[Builder]:
        found = list(self.generator.generate(previous, iteration, reports))
        if iteration > 1:
            return found
        if self.builders is None:
            raise ValueError(
                "The first round of this search has subnetworks that are not in its state. "
                "Pass the generator: AdaNet.load(model_dir, generator=...)."
            )
        return [*found, *self.builders]

    def get_config(self) -> dict:
        return {"generator": describe_object(self.generator)}

    @classmethod
    def from_config(cls, config: dict) -> "FirstRound":
        config = check_config(cls, config)
        return cls(restore_object(config["generator"], "generator"))
