"""Deep Fusion of an ensemble's members into one network."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_text, show
from adaptive_nets.adanet.ensembles.assemble import without_idle
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.ensembles.member import lineage
from adaptive_nets.adanet.ensembles.mixture_ensembler import MixtureEnsembler
from adaptive_nets.adanet.ensembles.mixtures.kinds import MIXTURE_KINDS
from adaptive_nets.adanet.ensembles.uniform import UniformEnsembler
from adaptive_nets.adanet.fusion.alignment import align
from adaptive_nets.adanet.fusion.member_graph import member_graph
from adaptive_nets.adanet.fusion.stages import DROPOUTS, Signatures
from adaptive_nets.data.specs import Spec, make_inputs
from adaptive_nets.graphs.copy import copy_model
from adaptive_nets.graphs.editable import Connection, Graph, graph_of
from adaptive_nets.graphs.read import functional, ordered_nodes
from adaptive_nets.growth import fuse
from adaptive_nets.keras_internals import seeded


@seeded(0)
def fuse_ensemble(
    ensemble: Ensemble,
    ensembler: Ensembler,
    spec: Spec,
    preprocessing: keras.Model | None = None,
    name: str = "fused",
    seed: int = 0,
) -> keras.Model:
    """Builds one network from raw features to the ensemble's logits.

    Args:
        ensemble: The `Ensemble`. Its members are not changed.
        ensembler: The `Ensembler` that weighed it.
        spec: Feature spec of the raw features.
        preprocessing: Model that is applied to the features first, or `None`. It is copied.
        name: Name of the model. Defaults to `"fused"`.
        seed: Seed of new kernels, which are multiplied by zero at first. Defaults to 0.

    Returns:
        A Functional `keras.Model` of new layers.

    Raises:
        ValueError: The ensembler is of an unknown kind, or the members cannot be fused into one
            network.
    """
    network = fuse_members(ensemble, ensembler, spec, preprocessing, name, seed).network
    if preprocessing is None:
        return network
    inputs = make_inputs(spec)
    return graph_of(network, name).build(copy_model(preprocessing)(inputs), name, inputs)


@dataclasses.dataclass(frozen=True)
class FusedMembers:
    """An ensemble as one network, and what it is made of.

    Attributes:
        network: The network from preprocessed features to logits.
        terms: One network for each member, whose outputs add up to the same logits if no member
            reads another.
        connected: Whether members read others.
    """

    network: keras.Model
    terms: list[keras.Model]
    connected: bool


def fuse_members(
    ensemble: Ensemble,
    ensembler: Ensembler,
    spec: Spec,
    preprocessing: keras.Model | None,
    name: str,
    seed: int,
) -> FusedMembers:
    """Fuses the members, without preprocessing; see `fuse_ensemble`."""
    check_text("name", name)
    if "/" in name:
        raise ValueError(f"name must not contain '/'. Received: name={show(name)}.")
    ensembler = ensembler.of(ensemble.mixture)
    graphs = _weighed(without_idle(ensemble, ensembler), ensembler)
    if len(graphs) > 1:
        align(graphs, seed)
        _check_alike(graphs)
    sources = [graph.build(_features(spec, preprocessing), name) for graph in graphs]
    fused = sources[0] if len(sources) == 1 else _side_by_side(sources)
    positions = [_positions(source) for source in sources]
    for number, graph in enumerate(graphs):
        for connection in graph.connections:
            _connect(fused, graphs, positions, number, connection)
    return FusedMembers(fused, sources, any(graph.connections for graph in graphs))


def _weighed(ensemble: Ensemble, ensembler: Ensembler) -> list[Graph]:
    """Returns a graph for each member, and for each subnetwork that members only read."""
    if type(ensembler) not in (UniformEnsembler, MixtureEnsembler):
        kinds = ", ".join(map(repr, MIXTURE_KINDS))
        raise ValueError(
            "Cannot fuse the ensemble: the formula of its mixture is unknown. "
            f"Expected mixture_weights={kinds} or 'uniform'. Received: "
            f"{type(ensembler).__module__}.{type(ensembler).__name__}. Use search.model, the "
            "ensemble as it is, instead."
        )
    members, mixture = ensemble.members, ensemble.mixture
    weights = mixture.weights
    if isinstance(ensembler, UniformEnsembler):
        kind, weights = MIXTURE_KINDS["scalar"], [np.float64(1 / len(members))] * len(members)
    else:
        kind = MIXTURE_KINDS[ensembler.kind]
    units = members[0].model.output["logits"].shape[-1]
    kernels = {
        member.name: kind.kernel(weight, units)
        for member, weight in zip(members, weights, strict=True)
    }
    bias = np.zeros(units) if mixture.bias is None else np.asarray(mixture.bias)
    # The mixture's bias is added once.
    return [
        member_graph(
            member, units, kind.key, kernels.get(member.name),
            bias if member is members[0] else np.zeros(units),
        )
        for member in lineage(members)
    ]  # fmt: skip


def _check_alike(graphs: Sequence[Graph]) -> None:
    signatures = Signatures()
    found = [signatures.of(graph, graph.output) for graph in graphs]
    for graph, signature in zip(graphs, found, strict=True):
        if signature != found[0]:
            raise _different(graphs[0], graph)


def _different(first: Graph, other: Graph) -> ValueError:
    def layers(graph):
        return ", ".join(step.kind.__name__ for step in graph.needed(graph.output))

    return ValueError(
        f"Cannot fuse the ensemble: subnetworks '{first.name}' and '{other.name}' differ in "
        "topology. Expected the same layers, connected in the same way. Widths may differ, "
        "and so may depths if hidden layers are named (Subnetwork.hidden). Received: "
        f"{layers(first)}; and {layers(other)}. Search with one generator or one pool model, or "
        "use search.model, the ensemble as it is, instead."
    )


def _side_by_side(sources: Sequence[keras.Model]) -> keras.Model:
    try:
        return fuse(sources, norm="grouped", output="sum")
    except ValueError as error:
        raise ValueError(
            f"Cannot fuse the ensemble: its subnetworks do not fit into one network. {error} Use "
            "search.model, the ensemble as it is, instead."
        ) from error


def _features(spec: Spec, preprocessing: keras.Model | None) -> Any:
    """Returns symbolic features as the members take them."""
    if preprocessing is None:
        return make_inputs(spec)
    given = preprocessing.output
    if isinstance(given, dict):
        return {k: keras.Input(t.shape[1:], dtype=t.dtype, name=k) for k, t in given.items()}
    return keras.Input(given.shape[1:], dtype=given.dtype, name="features")


def _positions(source: keras.Model) -> list[Any]:
    return [node.operation for node in ordered_nodes(functional(source))]


def _connect(
    fused: keras.Model,
    graphs: Sequence[Graph],
    positions: Sequence[list[Any]],
    number: int,
    connection: Connection,
) -> None:
    """Writes the connection between two subnetworks into the block between them."""
    at = positions[number].index(connection.step.made)
    parent = [graph.name for graph in graphs].index(connection.parent)
    graph = graphs[parent]
    counterpart = next(s for s in graph.steps if s.made is positions[parent][at])
    read = counterpart.inputs[0]
    expected = graph.hidden[connection.layer - 1]
    while read != expected:
        step = graph.producer(read)
        if step is None or step.kind not in DROPOUTS:
            raise ValueError(
                f"Cannot fuse the ensemble: layer '{connection.step.operation.name}' of "
                f"subnetwork '{graphs[number].name}' reads hidden layer {connection.layer} of "
                f"'{graph.name}', but its counterpart in '{graph.name}' reads another "
                f"tensor. Expected layer k + 1 to read hidden layers k, as with "
                "adanet.connect(x, previous, k). Use search.model, the ensemble as it is, "
                "instead."
            )
        read = step.inputs[0]
    shapes = [each[at].kernel.shape for each in positions]
    layer = fused.get_layer(positions[0][at].name)
    row = sum(shape[-2] for shape in shapes[:parent])
    rows = slice(row, row + shapes[parent][-2])
    columns = slice(None)
    if connection.step.outputs[0] != graphs[number].output:
        column = sum(shape[-1] for shape in shapes[:number])
        columns = slice(column, column + shapes[number][-1])
    kernel = np.array(keras.ops.convert_to_numpy(layer.kernel))
    kernel[..., rows, columns] += connection.block
    layer.kernel.assign(kernel)
