"""Converts members of an ensemble to the plain models that growth works on, and back."""

import keras

from adaptive_nets.adanet import Ensemble, Member, Subnetwork
from adaptive_nets.adanet.candidates.stock.layer_builder import Features
from adaptive_nets.graphs.read import ordered_nodes
from adaptive_nets.keras_internals import origin


def logits_model(member: Member) -> keras.Model:
    """Returns a member's model with its logits as the only output, sharing its layers."""
    model = member.model
    return keras.Model(model.input, model.output["logits"], name=model.name)


def grown_subnetwork(
    grown: keras.Model,
    member: Member,
    inputs: Features,
    previous: Ensemble | None,
    deeper: int = 0,
) -> Subnetwork:
    """Returns a grown model as a new subnetwork.

    Args:
        grown: The model that `logits_model(member)` was grown or fused into.
        member: The first member that it grew from.
        inputs: The subnetwork's features.
        previous: The ensemble, whose hidden layers the member may read.
        deeper: Number of layers that were inserted. Defaults to 0.
    """
    old = member.model
    old_nodes, nodes = (ordered_nodes(x, inputs=True) for x in (logits_model(member), grown))
    hidden = _hidden(old, old_nodes, nodes)
    logits = grown.outputs[0]
    last = old.output["last_layer"]
    if last is old.output["logits"]:
        last = logits
    elif hidden and any(last is tensor for tensor in _old_hidden(old)[-1:]):
        last = hidden[-1]
    else:
        last = _successor(last, old_nodes, nodes)
        last = logits if last is None else last
    tensors = {"logits": logits, "last_layer": last} | dict(enumerate(hidden or ()))
    frozen = {} if previous is None else _frozen(previous)
    # The same layers on the subnetwork's inputs, without a model around them.
    made = keras.models.clone_model(
        keras.Model(grown.input, tensors),
        input_tensors=member.feed(inputs, frozen),
        clone_function=lambda layer: layer,
    ).output
    return Subnetwork(
        made["logits"],
        made["last_layer"],
        None if hidden is None else [made[i] for i in range(len(hidden))],
        member.depth + deeper,
    )


def _old_hidden(model):
    keys = [key for key in model.output if key.startswith("hidden_")]
    return [model.output[f"hidden_{k}"] for k in range(1, len(keys) + 1)]


def _hidden(old, old_nodes, nodes):
    """Returns the tensors that continue the hidden layers and the inserted ones, in order."""
    continued = [_successor(tensor, old_nodes, nodes) for tensor in _old_hidden(old)]
    if not continued or any(tensor is None for tensor in continued):
        return None
    known = {node.operation.name for node in old_nodes}
    new = {
        id(tensor): tensor
        for node in nodes
        if node.operation.name not in known and not node.is_input
        for tensor in node.outputs
    }
    ends = [
        new[id(tensor)]
        for node in nodes
        if node.operation.name in known
        for tensor in node.input_tensors
        if id(tensor) in new
    ]
    place = {id(tensor): i for i, node in enumerate(nodes) for tensor in node.outputs}
    found = {id(tensor): tensor for tensor in [*continued, *ends]}
    return sorted(found.values(), key=lambda tensor: place[id(tensor)])


def _successor(tensor, old_nodes, nodes):
    """Returns a tensor's counterpart in the grown model: the output of the layer of that name."""
    layer, _, index = origin(tensor)
    calls = [node for node in old_nodes if node.operation is layer]
    number = next(i for i, n in enumerate(calls) if any(t is tensor for t in n.outputs))
    same = [node for node in nodes if node.operation.name == layer.name]
    return same[number].outputs[index] if number < len(same) else None


def _frozen(previous):
    """Returns the symbolic hidden layers of the ensemble's members, by key."""
    return {
        key: tensor
        for member, hidden in zip(previous.members, previous.hidden, strict=True)
        for key, tensor in zip(member.hidden, hidden, strict=True)
    }
