"""A subnetwork's graph as a list of steps that can be changed and made into a model again."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.copy import copy_model
from adaptive_nets.graphs.read import PLAIN_MODELS, functional, given_to, ordered_nodes
from adaptive_nets.graphs.scope import again
from adaptive_nets.graphs.state import carry_state

CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)

KERNELS = (keras.layers.Dense, *CONVOLUTIONS)


@dataclasses.dataclass(eq=False)
class Step:
    """One call of a layer.

    Attributes:
        operation: The Keras layer or operation that it copies; it is never changed.
        inputs: The numbers of the tensors it reads.
        outputs: The numbers of those it gives.
        node: Keras' record of the call, or `None` where the layer is called on its inputs alone.
        config: Settings that differ from the operation's.
        weights: Arrays, or `None` for the operation's.
        made: The layer that `Graph.build` made of it last.
    """

    operation: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    node: Any = None
    config: dict = dataclasses.field(default_factory=dict)
    weights: list[np.ndarray] | None = None
    made: Any = None

    @property
    def kind(self) -> type:
        return type(self.operation)

    @property
    def settings(self) -> dict:
        """The configuration of its layer."""
        return {**self.operation.get_config(), **self.config}

    def values(self) -> list[np.ndarray]:
        """Its weights, as arrays."""
        if self.weights is not None:
            return self.weights
        return [np.asarray(v) for v in getattr(self.operation, "weights", [])]


@dataclasses.dataclass(eq=False)
class Connection:
    """What a step's kernel holds for a hidden layer of another subnetwork.

    Attributes:
        step: The step.
        parent: Name of the other subnetwork.
        layer: Which of its hidden layers, from 1.
        block: The kernel's rows for it.
    """

    step: Step
    parent: str
    layer: int
    block: np.ndarray


class Graph:
    """Steps from numbered inputs to a numbered output.

    Attributes:
        name: Of the subnetwork, for refusals.
        steps: In the order of computation.
        inputs: Number of each input by its name.
        hidden: Numbers of the hidden layers' outputs, first to last.
        connections: What steps read of other subnetworks.
        output: Number of the output.
        shapes: Shape of each numbered tensor.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: list[Step] = []
        self.inputs: dict[str, int] = {}
        self.hidden: list[int] = []
        self.connections: list[Connection] = []
        self.output = -1
        self.shapes: dict[int, tuple] = {}

    def number(self, shape: Iterable[int | None]) -> int:
        """A new tensor."""
        self.shapes[len(self.shapes)] = tuple(shape)
        return len(self.shapes) - 1

    def add(
        self,
        operation: Any,
        inputs: Iterable[int],
        shapes: Iterable[tuple],
        at: int | None = None,
        **fields: Any,
    ) -> Step:
        """Puts in a step, at the end or before another position."""
        step = Step(operation, tuple(inputs), tuple(map(self.number, shapes)), **fields)
        self.steps.insert(len(self.steps) if at is None else at, step)
        return step

    def producer(self, tensor: int) -> Step | None:
        """The step that gives a tensor; `None` for an input."""
        return next((step for step in self.steps if tensor in step.outputs), None)

    def readers(self, tensor: int) -> list[Step]:
        return [step for step in self.steps if tensor in step.inputs]

    def needed(self, tensor: int) -> list[Step]:
        """The steps that a tensor is computed by, in order."""
        wanted, found = {tensor}, []
        for step in reversed(self.steps):
            if wanted & set(step.outputs):
                wanted |= set(step.inputs)
                found.append(step)
        return found[::-1]

    def remove(self, step: Step) -> None:
        """Takes out a step of one input; its readers read that."""
        self.redirect(step.outputs[0], step.inputs[0])
        self.steps.remove(step)

    def redirect(self, old: int, new: int) -> None:
        """Lets all that read one tensor read another."""
        for step in self.steps:
            step.inputs = tuple(new if number == old else number for number in step.inputs)
        self.hidden = [new if number == old else number for number in self.hidden]
        self.output = new if self.output == old else self.output

    def read(self, model: keras.Model, known: dict[int, int]) -> None:
        """Appends the steps of a Functional or Sequential model; models inside are unfolded.

        Args:
            model: The model.
            known: Numbers by the ids of its inputs; those of all its tensors are put in.
        """
        for node in ordered_nodes(functional(model)):
            self.take(node, [known[id(t)] for t in node.input_tensors], known)

    def take(self, node: Any, inputs: list[int], known: dict[int, int]) -> None:
        """Appends the step of one call."""
        operation = node.operation
        outer = _unfolded(node)
        if outer is not None:
            inside = functional(operation)
            numbers = dict(zip(map(id, node.input_tensors), inputs, strict=True))
            pairs = zip(inside.inputs, outer, strict=True)
            within = {id(tensor): numbers[id(given)] for tensor, given in pairs}
            self.read(operation, within)
            known[id(node.outputs[0])] = within[id(inside.outputs[0])]
            return
        shapes = [tuple(t.shape) for t in node.outputs]
        step = self.add(operation, inputs, shapes, node=node)
        known |= {id(t): n for t, n in zip(node.outputs, step.outputs, strict=True)}

    def build(self, features: Any, name: str, inputs: Any = None) -> keras.Model:
        """A model of new layers with copies of the weights.

        Args:
            features: Symbolic tensor, or dict of tensors by the inputs' names.
            name: The model's name.
            inputs: Its inputs, where `features` are computed from them.
        """
        given = features if isinstance(features, Mapping) else dict.fromkeys(self.inputs, features)
        known = {number: given[key] for key, number in self.inputs.items()}
        inputs = features if inputs is None else inputs
        layers, names = {}, {tensor.name for tensor in keras.tree.flatten(inputs)}
        steps = self.needed(self.output)
        for step in steps:
            key = id(step) if step.weights is not None or step.config else id(step.operation)
            if key not in layers:
                layers[key] = _made(step, names, self.name, step.outputs[0] == self.output)
            step.made = layers[key]
            outputs = _called(step, step.made, [known[n] for n in step.inputs])
            known |= dict(zip(step.outputs, keras.tree.flatten(outputs), strict=True))
        model = keras.Model(inputs, known[self.output], name=name)
        for step in steps:
            if step.weights is not None:
                step.made.set_weights(step.weights)
            elif step.kind not in PLAIN_MODELS:
                carry_state(step.operation, step.made)
        return model


def graph_of(model: keras.Model, name: str) -> Graph:
    """The steps of a model of one output."""
    graph = Graph(name)
    known = {}
    for tensor in functional(model).inputs:
        known[id(tensor)] = graph.inputs[tensor.name] = graph.number(tensor.shape)
    graph.read(model, known)
    graph.output = known[id(functional(model).outputs[0])]
    return graph


def _unfolded(node: Any) -> list[Any] | None:
    """What a model inside reads, in the order of its inputs; `None` where it stays whole."""
    if type(node.operation) not in PLAIN_MODELS:
        return None
    plain = all(value is None for value in keras.tree.flatten(node.arguments.kwargs))
    return given_to(node) if plain and len(functional(node.operation).outputs) == 1 else None


def _called(step: Step, layer: Any, tensors: list[Any]) -> Any:
    if step.node is None:
        return layer(tensors[0] if len(tensors) == 1 else tensors)
    ids = map(id, step.node.input_tensors)
    args, kwargs = step.node.arguments.fill_in(dict(zip(ids, tensors, strict=True)))
    return layer(*args, **kwargs)


def _made(step: Step, names: set[str], owner: str, last: bool) -> Any:
    """The layer of a step, with a name that no other has."""
    config = step.settings
    if "name" in config:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[0-9])(?=[A-Z][a-z])", "_", step.kind.__name__)
        stem = "logits" if last else words.lower()
        number, name = 1, stem if last else f"{stem}_1"
        while name in names:
            number, name = number + 1, f"{stem}_{number + 1}"
        names.add(name)
        config["name"] = name
    if step.kind in PLAIN_MODELS:
        return copy_model(step.operation, config["name"])
    try:
        return again(step.operation, config)
    except Exception as error:
        raise ValueError(
            f"Cannot fuse subnetwork '{owner}': layer '{step.operation.name}' cannot be rebuilt "
            "from its configuration. Expected get_config() and from_config() to match. "
            f"Received: {step.kind.__module__}.{step.kind.__name__} ({error})."
        ) from error
