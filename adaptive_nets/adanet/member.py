"""What a subnetwork becomes: a `Member`, its Keras model and the frozen ones that it reads."""

import dataclasses
import random
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets.adanet.data import Spec
from adaptive_nets.adanet.subnetwork import Builder, Subnetwork
from adaptive_nets.majority import expand

if TYPE_CHECKING:
    from adaptive_nets.adanet.ensemble import Ensemble


@dataclasses.dataclass
class Member:
    """A trained subnetwork: what ensembles are made of and what the leaderboard lists.

    Attributes:
        name: `"<round>_<builder>"`, unique in a search.
        iteration: The round that trained it, from 1.
        model: `keras.Model` from features to `{"logits", "last_layer", "hidden_1", ...}`. One
            that reads frozen members takes a dict: the features, and `"<member>.hidden_<k>"`.
        depth: Number of hidden layers.
        complexity: The measure r of the objective.
        attributes: What the subnetwork said of itself.
        parents: The frozen members whose hidden layers it reads.
    """

    name: str
    iteration: int
    model: keras.Model
    depth: int
    complexity: float
    attributes: dict = dataclasses.field(default_factory=dict)
    parents: tuple["Member", ...] = ()

    @property
    def parameters(self) -> int:
        return self.model.count_params()

    @property
    def builder(self) -> str:
        return self.name.split("_", 1)[1]

    @property
    def hidden(self) -> dict[str, keras.KerasTensor]:
        """Outputs that others may read, by `"<member>.hidden_<k>"`, first layer first."""
        if self.model is None:
            return {}
        found = {k: v for k, v in self.model.output.items() if k.startswith("hidden_")}
        return {f"{self.name}.{k}": found[k] for k in sorted(found, key=layer_number)}

    @property
    def reads(self) -> list[str]:
        """Names of the frozen outputs among the model's inputs."""
        if not self.parents:
            return []
        names = {p.name for p in self.parents}
        return [key for key in self.model.input if key.rpartition(".")[0] in names]

    def feed(self, features: Any, hidden: dict[str, Any]) -> Any:
        """What its model takes: the features, with what it reads of frozen members.

        Args:
            features: Tensor, or dict of tensors.
            hidden: Tensors by `"<member>.hidden_<k>"`; others may be among them.
        """
        if not self.parents:
            return features
        named = features if isinstance(features, dict) else {"features": features}
        return {**named, **{key: hidden[key] for key in self.reads}}


def layer_number(key: str) -> int:
    """The number k of a key that ends in `hidden_<k>`."""
    return int(key.rpartition("_")[2])


def lineage(members: Iterable[Member]) -> list[Member]:
    """The members and all that they read from, each once, parents first."""
    found = {}
    for member in members:
        found |= {m.name: m for m in [*lineage(member.parents), member]}
    return list(found.values())


def run_all(
    members: Iterable[Member], features: Any, known: dict[str, Any], **arguments: Any
) -> dict[str, Any]:
    """Outputs of members, each fed with those of the members before it.

    Args:
        members: Parents first.
        features: Tensor, or dict of tensors; symbolic ones too.
        known: Frozen outputs of members that are not among these.
        **arguments: Of the models' calls, such as `training`.

    Returns:
        `known` and the new outputs, by `"<member>.<output>"`.
    """
    known = dict(known)
    for member in members:
        outputs = member.model(member.feed(features, known), **arguments)
        known |= {f"{member.name}.{key}": tensor for key, tensor in outputs.items()}
    return known


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
    complexity: Callable[[Subnetwork, tuple[int, ...] | None], float],
    seed: int,
    output_range: tuple[list[float], list[float]] | None = None,
) -> Member:
    """Runs a builder and wraps what it returns; names the builder in every refusal.

    Args:
        builder: The `Builder`.
        spec: Of the (preprocessed) features.
        units: Of the logits.
        previous: The `Ensemble` chosen so far, or `None`.
        iteration: The round.
        complexity: From a `Subnetwork`, and the widths that its layers after the first read
            (`None` where it names no hidden layers), to r.
        seed: The search's.
        output_range: The head's, or `None`.
    """
    with seeded(derive_seed(seed, iteration, builder.name)):
        inputs = make_inputs(spec)
        frozen = {}
        if previous is not None:
            previous, frozen = _with_hidden(previous)
        built = builder.build(inputs, units, previous)
        last, hidden = _checked(built, builder.name, units)
        name = f"{iteration}_{builder.name}"
        logits = built.logits
        if output_range is not None and builder.rescale_output:
            offset, scale = output_range
            logits = keras.layers.Rescaling(scale, offset, name="target_scale")(logits)
        outputs = {"logits": logits, "last_layer": last}
        outputs |= {f"hidden_{k}": tensor for k, tensor in enumerate(hidden, start=1)}
        read = _read(outputs.values(), frozen)
        if read:
            inputs = {**(inputs if isinstance(inputs, dict) else {"features": inputs}), **read}
        model = keras.Model(inputs, outputs, name=f"subnetwork_{name}")
    if builder.majority:
        draws = derive_seed(seed, iteration, builder.name, "majority")
        model = expand(model, seed=draws, **builder.majority)
    widths = None
    if built.hidden is not None and all(len(tensor.shape) == 2 for tensor in hidden):
        joined = [[t.shape[-1] for k, t in read.items() if layer_number(k) == layer]
                  for layer in range(1, len(hidden) + 1)]  # fmt: skip
        widths = tuple(t.shape[-1] + sum(more) for t, more in zip(hidden, joined, strict=True))
    r = complexity(built, widths) if built.complexity is None else built.complexity
    if not np.isfinite(r) or r < 0:
        raise ValueError(
            f"The complexity of builder '{builder.name}' must be finite and >= 0. Received: {r}."
        )
    owners = {key.rpartition(".")[0] for key in read}
    parents = tuple(m for m in (previous.members if read else ()) if m.name in owners)
    return Member(name, iteration, model, built.depth, float(r), dict(built.attributes), parents)


def _with_hidden(previous):
    """The ensemble with symbolic stand-ins for its hidden layers, and these by key."""
    frozen = {
        key: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=key)
        for member in previous.members
        for key, tensor in member.hidden.items()
    }
    hidden = tuple(tuple(frozen[key] for key in m.hidden) for m in previous.members)
    return dataclasses.replace(previous, hidden=hidden), frozen


def _checked(built, name, units):
    """A subnetwork's last layer and hidden layers."""
    if not isinstance(built, Subnetwork):
        raise TypeError(
            f"Builder '{name}' must return an adanet.Subnetwork. Received: {type(built).__name__}."
        )
    if tuple(built.logits.shape) != (None, units):
        raise ValueError(
            f"Builder '{name}' returned logits of shape {tuple(built.logits.shape)}; "
            f"expected (None, {units}), the head's units. End it with Dense({units})."
        )
    last = built.logits if built.last_layer is None else built.last_layer
    if len(last.shape) != 2:
        raise ValueError(
            f"Builder '{name}' returned a last_layer of shape {tuple(last.shape)}; "
            "expected (batch, features). Flatten or pool it."
        )
    hidden = list(built.hidden or ())
    for layer, tensor in enumerate(hidden, start=1):
        if not isinstance(tensor, keras.KerasTensor) or None in tensor.shape[1:]:
            shape = getattr(tensor, "shape", type(tensor).__name__)
            raise ValueError(
                f"Builder '{name}' returned hidden layer {layer} of shape {shape}; expected a "
                "KerasTensor whose shape is known but for the batch, so that it can be kept."
            )
    return last, hidden


def _read(tensors, frozen):
    """Those of the frozen inputs that the tensors are computed from."""
    keys = {id(tensor): key for key, tensor in frozen.items()}
    found, seen, waiting = set(), set(), list(tensors)
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        if id(tensor) in keys:
            found.add(keys[id(tensor)])
        operation, node, _ = tensor._keras_history
        waiting.extend(operation._inbound_nodes[node].input_tensors)
    return {key: tensor for key, tensor in frozen.items() if key in found}
