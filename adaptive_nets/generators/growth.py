"""`Growth`: subnetworks grown from the best members so far."""

import itertools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets import growth
from adaptive_nets._checks import (
    check_bool,
    check_config,
    check_integer,
    check_list,
    check_number,
    show,
)
from adaptive_nets.adanet import Builder, Ensemble, Generator, Member, Report, Subnetwork
from adaptive_nets.adanet.candidates.generator import WrappingGenerator
from adaptive_nets.adanet.candidates.stock.dense import Dense
from adaptive_nets.adanet.candidates.stock.layer_builder import (
    Features,
    MajoritySetting,
    describe_majority,
)
from adaptive_nets.adanet.candidates.stock.optimizers import (
    OptimizerSetting,
    RateSetting,
    describe_optimizer,
    describe_rate,
    make_optimizer,
)
from adaptive_nets.generators.grown import grown_subnetwork, logits_model
from adaptive_nets.keras_internals import draw_seed
from adaptive_nets.serialization import describe_object, restore_object

TRANSFORMS = ("widen", "deepen", "fuse")
NAMES = {"widen": "widened", "deepen": "deepened", "fuse": "fused"}


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Growth(WrappingGenerator):
    """Grows the best members of the ensemble from their trained weights.

    In the first round, the subnetworks are those of another generator. Every later round takes the
    member with the lowest loss of its own and proposes it wider, deeper, and fused with the
    next best member of its topology. A grown subnetwork starts with the outputs of its source
    (a fused one with the mean of the two), so its round is spent on improving them.

    In an ensemble with its sources, a grown subnetwork adds little. Let it replace them as well:
    `AdaNet(ensemble_strategies=["grow", "solo"])`.

    Args:
        generator: The `Generator` of the first round, and of each round in which nothing can
            grow. Defaults to `Dense()`.
        transforms: Which of `"widen"`, `"deepen"` and `"fuse"` to propose, one or several.
            Defaults to all.
        factor: Factor > 1 by which the hidden layers of a member are widened. Defaults to 2.
        layers: Number of layers or blocks to insert into a deepened member. Defaults to 1.
        fresh: Whether to propose the generator's subnetworks in later rounds too. Defaults to
            `False`.
        max_parameters: Maximum number of parameters of a grown subnetwork. Defaults to `None`: no
            limit except the search's own.
        optimizer: Optimizer of the grown subnetworks: name, config or optimizer, which is copied.
            Defaults to `"adam"`.
        learning_rate: Number or schedule. Grown networks need a lower rate than new ones.
            Defaults to `None`, the optimizer's own (Adam's is 1e-3).
        majority: Number k of kernels that grown subnetworks train in place of each kernel, close
            to those of their source; in the first round, `generator` decides. Or a dict of options
            of `majority.expand`. Defaults to 1: plain layers.

    Raises:
        ValueError: A setting is out of range.
        TypeError: `generator` is not an `adanet.Generator`.

    Example:

    ```python
    import adaptive_nets as an

    an.generators.Growth(an.generators.Dense(widths=16, depths=[1, 2]), factor=1.5)
    ```

    Reference: Mazzawi et al., "Deep Fusion", arXiv 2306.11903, section 3; Chen, Goodfellow,
    Shlens, "Net2Net", arXiv 1511.05641.
    """

    def __init__(
        self,
        generator: Generator | None = None,
        transforms: str | Iterable[str] = TRANSFORMS,
        factor: float = 2.0,
        layers: int = 1,
        fresh: bool = False,
        max_parameters: int | None = None,
        optimizer: OptimizerSetting = "adam",
        learning_rate: RateSetting = None,
        majority: MajoritySetting = 1,
    ):
        generator = Dense() if generator is None else generator
        if not isinstance(generator, Generator):
            raise TypeError(f"generator must be an adanet.Generator. Received: {show(generator)}.")
        self.generator, self.fresh = generator, check_bool("fresh", fresh)
        several = [transforms] if isinstance(transforms, str) else transforms
        words = f"one or several of {', '.join(map(repr, TRANSFORMS))}, each once"
        chosen = check_list("transforms", several, str, words)
        if not chosen or set(chosen) - set(TRANSFORMS) or len(set(chosen)) < len(chosen):
            raise ValueError(
                f"transforms must be {words}. Received: transforms={show(transforms)}."
            )
        self.transforms = chosen
        self.factor = check_number("factor", factor, 1, inclusive=False)
        self.layers, self.max_parameters = check_integer("layers", layers, 1), max_parameters
        if max_parameters is not None:
            self.max_parameters = check_integer("max_parameters", max_parameters, 1)
        self.optimizer = describe_optimizer(optimizer)
        self.learning_rate = describe_rate(learning_rate)
        make_optimizer(self.optimizer, self.learning_rate)
        self.majority = describe_majority(majority, kernel_spread=0.1)

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list[Builder]:
        members = () if previous is None else _by_loss(previous.members, reports)
        grown, refused = self._grown(members)
        if grown and not self.fresh:
            return grown
        if members and not grown:
            warnings.warn(
                f"No member of the ensemble can grow in round {iteration}: {'; '.join(refused)}. "
                f"The subnetworks of {type(self.generator).__name__} are proposed instead.",
                stacklevel=2,
            )
        return [*grown, *self.generator.generate(previous, iteration, reports)]

    def plan(self, transform: str, members: Sequence[Member], seed: int) -> Any:
        """Plans the growth of one member or several. Nothing is built.

        Args:
            transform: `"widen"`, `"deepen"` or `"fuse"`.
            members: The member, or the members to be fused.
            seed: Seed of the new weights.

        Raises:
            ValueError: The growth is not exact, or a layer is not supported.
        """
        models = [logits_model(member) for member in members]
        if transform == "fuse":
            return growth.plan_fuse(models, seed=seed)
        if transform == "deepen":
            return growth.plan_deepen(models[0], self.layers, seed=seed)
        plan = growth.plan_widen(models[0], self.factor, seed=seed)
        if not plan.rows():
            raise ValueError("it has no hidden layer that can be widened")
        return plan

    def _grown(self, members):
        """Returns builders of the members that can grow, and why the others cannot."""
        builders, refused = [], []
        for transform in self.transforms:
            if transform == "fuse":
                whose = itertools.combinations(members, 2)
            else:
                whose = ((member,) for member in members[:1])
            for sources in whose:
                names = " and ".join(f"'{member.name}'" for member in sources)
                try:
                    plan = self.plan(transform, sources, 0)
                except ValueError as error:
                    refused.append(f"{transform} {names}: {error}")
                    continue
                if self.max_parameters is not None and plan.parameters > self.max_parameters:
                    refused.append(
                        f"{transform} {names}: {plan.parameters:,} parameters exceed "
                        f"max_parameters={self.max_parameters:,}"
                    )
                    continue
                builders.append(GrownBuilder(self, transform, sources))
                break
        return builders, refused

    def get_config(self) -> dict:
        return {
            "generator": describe_object(self.generator),
            "transforms": self.transforms,
            "factor": self.factor,
            "layers": self.layers,
            "fresh": self.fresh,
            "max_parameters": self.max_parameters,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "majority": self.majority,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Growth":
        given = check_config(cls, config).get("generator")
        generator = None if given is None else restore_object(given, "generator")
        return cls(**{**config, "generator": generator})


class GrownBuilder(Builder):
    """Grows one member, or fuses several.

    Args:
        generator: The `Growth` that proposes it.
        transform: `"widen"`, `"deepen"` or `"fuse"`.
        members: The members that it grows from.
    """

    def __init__(self, generator: Growth, transform: str, members: Sequence[Member]):
        self.name = NAMES[transform]
        self.generator, self.transform, self.members = generator, transform, tuple(members)
        self.majority = generator.majority

    def build(self, inputs: Features, units: int, previous: Ensemble | None = None) -> Subnetwork:
        seed = draw_seed()
        plan = self.generator.plan(self.transform, self.members, seed)
        model = growth.apply(plan)[0]
        deeper = self.generator.layers if self.transform == "deepen" else 0
        return grown_subnetwork(model, self.members[0], inputs, previous, deeper)

    def optimizer(self) -> keras.optimizers.Optimizer:
        return make_optimizer(self.generator.optimizer, self.generator.learning_rate)

    def hyperparameters(self) -> dict:
        return {"transform": self.transform, "sources": [member.name for member in self.members]}


def _by_loss(members, reports):
    """Returns the members that have a model, sorted by their own loss."""
    losses = {f"{r.iteration}_{r.name}": r.metrics.get("loss", np.inf) for r in reports}
    there = [member for member in members if member.model is not None]
    there.reverse()  # Among equals, and without reports, the newest comes first.
    return sorted(there, key=lambda member: losses.get(member.name, np.inf))
