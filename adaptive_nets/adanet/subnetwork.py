"""What a candidate is: `Subnetwork`, the `Builder` that makes one, the `Member` it becomes."""

import abc
import dataclasses
import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import keras
import numpy as np

from adaptive_nets.adanet.data import Spec

if TYPE_CHECKING:
    from adaptive_nets.adanet.ensemble import Ensemble


@dataclasses.dataclass(frozen=True)
class Subnetwork:
    """The symbolic outputs of one candidate network.

    Args:
        logits: KerasTensor of shape `(batch, head.units)`: the candidate's own prediction.
        last_layer: KerasTensor of shape `(batch, n)`: the features that a `"matrix"` mixture weight
            reads. Defaults to `logits`.
        depth: Number of hidden layers; what `complexity="sqrt_depth"` reads. Defaults to 1.
        complexity: The measure r in `Γ = λ r + β` (AdaNet, section 4), non-negative. `None` lets
            the search's `complexity` rule compute it. Defaults to `None`.
        attributes: Numbers or strings to be handed to the generator in the next rounds'
            reports.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    an.adanet.Subnetwork(keras.layers.Dense(3)(hidden), last_layer=hidden, depth=1)
    ```
    """

    logits: keras.KerasTensor
    last_layer: keras.KerasTensor | None = None
    depth: int = 1
    complexity: float | None = None
    attributes: dict = dataclasses.field(default_factory=dict)


class Builder(abc.ABC):
    """Builds one candidate subnetwork of a round, and says how it is trained.

    Subclasses set `name` (unique in a round, a valid part of a file name) and implement `build`.

    Attributes:
        rescale_output: Whether the logits are to be scaled to the targets' mean and spread
            (regression heads), so that a network that begins near 0 need not learn them.
            Defaults to `False`.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    class Linear(an.adanet.Builder):
        name = "linear"

        def build(self, inputs, units, previous=None):
            return an.adanet.Subnetwork(keras.layers.Dense(units)(inputs), depth=0)
    ```
    """

    name: str
    rescale_output = False

    @abc.abstractmethod
    def build(
        self,
        inputs: keras.KerasTensor | dict[str, keras.KerasTensor],
        units: int,
        previous: "Ensemble | None" = None,
    ) -> Subnetwork:
        """Builds the subnetwork.

        Args:
            inputs: KerasTensor, or dict of KerasTensors, of the (preprocessed) features.
            units: Width of the logits.
            previous: The `Ensemble` chosen so far, or `None` in the first round.

        Returns:
            A `Subnetwork` whose tensors are computed from `inputs`.
        """

    def optimizer(self) -> keras.optimizers.Optimizer:
        """A fresh optimizer with its learning rate or schedule. Defaults to `Adam(1e-3)`."""
        return keras.optimizers.Adam(1e-3)

    def hyperparameters(self) -> dict:
        """Numbers and strings that describe the candidate in reports. Defaults to `{}`."""
        return {}


@dataclasses.dataclass
class Member:
    """A trained subnetwork: what ensembles are made of and what the leaderboard lists.

    Attributes:
        name: `"<round>_<builder>"`, unique in a search.
        iteration: The round that trained it, from 1.
        model: `keras.Model` from features to `{"logits", "last_layer"}`.
        depth: Number of hidden layers.
        complexity: The measure r of the objective.
    """

    name: str
    iteration: int
    model: keras.Model
    depth: int
    complexity: float
    attributes: dict = dataclasses.field(default_factory=dict)

    @property
    def parameters(self) -> int:
        return self.model.count_params()

    @property
    def builder(self) -> str:
        return self.name.split("_", 1)[1]


def derive_seed(seed: int, *words) -> int:
    """A seed for one purpose, independent of every other purpose's."""
    path = [w if isinstance(w, int) else zlib.crc32(str(w).encode()) for w in words]
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Makes initializers and dropout created inside reproducible; the caller's state comes back."""
    states = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def sqrt_depth(subnetwork: Subnetwork) -> float:
    """The square root of the depth: the usual stand-in for the Rademacher complexity."""
    return float(np.sqrt(subnetwork.depth))


COMPLEXITIES = {"sqrt_depth": sqrt_depth}


def make_inputs(spec: Spec) -> keras.KerasTensor | dict[str, keras.KerasTensor]:
    """Symbolic inputs for a feature spec (one, or a dict of them)."""
    if isinstance(spec, dict):
        return {name: keras.Input(s.shape, dtype=s.dtype, name=name) for name, s in spec.items()}
    return keras.Input(spec.shape, dtype=spec.dtype, name="features")


def build_member(
    builder: Builder,
    spec: Spec,
    units: int,
    previous: "Ensemble | None",
    iteration: int,
    complexity: Callable[[Subnetwork], float],
    seed: int,
    output_range: tuple[list[float], list[float]] | None = None,
) -> Member:
    """Runs a builder and wraps what it returns; names the builder in every refusal."""
    with seeded(derive_seed(seed, iteration, builder.name)):
        inputs = make_inputs(spec)
        built = builder.build(inputs, units, previous)
        if not isinstance(built, Subnetwork):
            raise TypeError(
                f"Builder '{builder.name}' must return an adanet.Subnetwork. "
                f"Received: {type(built).__name__}."
            )
        if tuple(built.logits.shape) != (None, units):
            raise ValueError(
                f"Builder '{builder.name}' returned logits of shape {tuple(built.logits.shape)}; "
                f"expected (None, {units}), the head's units. End it with Dense({units})."
            )
        last = built.logits if built.last_layer is None else built.last_layer
        if len(last.shape) != 2:
            raise ValueError(
                f"Builder '{builder.name}' returned a last_layer of shape {tuple(last.shape)}; "
                "expected (batch, features). Flatten or pool it."
            )
        name = f"{iteration}_{builder.name}"
        logits = built.logits
        if output_range is not None and builder.rescale_output:
            offset, scale = output_range
            logits = keras.layers.Rescaling(scale, offset, name="target_scale")(logits)
        outputs = {"logits": logits, "last_layer": last}
        model = keras.Model(inputs, outputs, name=f"subnetwork_{name}")
    r = complexity(built) if built.complexity is None else built.complexity
    if not np.isfinite(r) or r < 0:
        raise ValueError(
            f"The complexity of builder '{builder.name}' must be finite and >= 0. Received: {r}."
        )
    return Member(name, iteration, model, built.depth, float(r), dict(built.attributes))
