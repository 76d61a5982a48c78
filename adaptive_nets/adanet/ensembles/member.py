"""`Member`: a trained subnetwork, with the frozen ones that it reads."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras


@dataclasses.dataclass
class Member:
    """A trained subnetwork, of which ensembles are made.

    Args:
        name: `"<round>_<builder>"`, unique in a search.
        iteration: The round that trained it, from 1.
        model: `keras.Model` from features to `{"logits", "last_layer", "hidden_1", ...}`. If it
            reads frozen members, it takes a dict of the features and `"<member>.hidden_<k>"`.
        depth: Number of hidden layers.
        complexity: The measure r in the objective.
        attributes: The `attributes` of the `Subnetwork`. Defaults to none.
        parents: The frozen members whose hidden layers it reads. Defaults to none.
        stored: Name, SHA-256 and size of the file in `model_dir` that holds its model. Defaults to
            `None`: there is none.
    """

    name: str
    iteration: int
    model: keras.Model
    depth: int
    complexity: float
    attributes: dict = dataclasses.field(default_factory=dict)
    parents: tuple["Member", ...] = ()
    stored: tuple[str, str, int] | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def parameters(self) -> int:
        return self.model.count_params()

    @property
    def builder(self) -> str:
        return self.name.split("_", 1)[1]

    @property
    def hidden(self) -> dict[str, keras.KerasTensor]:
        """Outputs that other members may read, by `"<member>.hidden_<k>"`, first layer first."""
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
        """Returns the input of its model: the features and the frozen outputs that it reads.

        Args:
            features: Tensor, or dict of tensors.
            hidden: Tensors by `"<member>.hidden_<k>"`. Tensors that are not read are ignored.
        """
        if not self.parents:
            return features
        named = features if isinstance(features, dict) else {"features": features}
        return {**named, **{key: hidden[key] for key in self.reads}}


def fold_key(fold: int) -> str:
    """Returns the key of the output of one fold's network, in a member that is made of several."""
    return f"fold_{fold}"


def layer_number(key: str) -> int:
    """Returns the number k of a key that ends in `hidden_<k>`."""
    return int(key.rpartition("_")[2])


def lineage(members: Iterable[Member]) -> list[Member]:
    """Returns the members and all that they read, each once, parents first."""
    found = {}
    for member in members:
        found |= {m.name: m for m in [*lineage(member.parents), member]}
    return list(found.values())


def run_all(
    members: Iterable[Member], features: Any, known: dict[str, Any], **arguments: Any
) -> dict[str, Any]:
    """Computes the outputs of members, each of which may read those of the members before it.

    Args:
        members: `Member`s, parents first.
        features: Tensor, or dict of tensors, possibly symbolic.
        known: Frozen outputs of other members.
        **arguments: Arguments of the models' calls, such as `training`.

    Returns:
        `known` and the new outputs, by `"<member>.<output>"`.
    """
    known = dict(known)
    for member in members:
        outputs = member.model(member.feed(features, known), **arguments)
        known |= {f"{member.name}.{key}": tensor for key, tensor in outputs.items()}
    return known
