"""A trained subnetwork, and the frozen ones that it reads."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras


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
