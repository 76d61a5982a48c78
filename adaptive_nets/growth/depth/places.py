"""Where a model can become deeper, and by which layers; refuses by name where it cannot."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

from adaptive_nets.graphs.read import PLAIN_MODELS, functional
from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.growth.core.rule import IDEMPOTENT, activation_name
from adaptive_nets.growth.depth.graph_blocks import (
    Block,
    GraphView,
    idempotent,
    same_shape,
    weighted,
)
from adaptive_nets.growth.depth.insertion import Branch, Copy, Identity
from adaptive_nets.growth.depth.zero_output import last_weighted
from adaptive_nets.keras_internals import convolution_classes

layers = keras.layers
_SPATIAL = convolution_classes()
_DROPOUTS = (layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D)


def views(model: keras.Model, path: str = "") -> Iterator[GraphView]:
    """The graph of a model, then those of the models inside it, each once."""
    seen: set[int] = set()
    waiting = [(model, path)]
    while waiting:
        each, path = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        view = GraphView(functional(each), path)
        yield view
        waiting += [
            (node.operation, view.name(node))
            for node in view.nodes
            if type(node.operation) in PLAIN_MODELS
        ]


class Places:
    """Finds what is put behind a layer.

    Args:
        view: The graph that holds the layer.
        method: "auto", "identity", "residual" or "stack".
    """

    def __init__(self, view: GraphView, method: str) -> None:
        self.view = view
        self.method = method

    def behind(self, node: Any) -> Any:
        """The insertion behind a layer that was named."""
        name = self.view.name(node)
        block = self.view.block_at(node)
        if self.method == "stack":
            return self._stack(node, block)
        if block is not None and self.method in ("auto", "residual"):
            copy = self._copy(self.view.whole_block(block)) or self._copy(block)
            if copy is not None:
                return copy
        if self.method in ("auto", "identity"):
            found = self._identity(node)
            if not isinstance(found, str):
                return found
            if self.method == "identity":
                raise ValueError(
                    f"Cannot deepen after {name!r} by an identity: {found}. Expected a Dense or "
                    "convolution that is linear or ends in a relu. Pass method='residual'. "
                    f"Received: {type(node.operation).__name__}."
                )
        return self._branch(node)

    def candidates(self) -> list[Any]:
        """All insertions of the best kind that this graph allows, in order."""
        if self.method == "stack":
            return [
                Copy(block.end, block, None) for blocks in self.view.repeated() for block in blocks
            ]
        if self.method in ("auto", "residual"):
            copies = [self._copy(block) for block in self.view.smallest()]
            copies = [copy for copy in copies if copy is not None]
            if copies:
                return copies
        if self.method in ("auto", "identity"):
            found = self._all(self._identity)
            # Linear layers in a row are one linear layer, so these places come first.
            good = [x for x in found if isinstance(x, Identity) and _bends(x)]
            good = good or [x for x in found if isinstance(x, Identity)]
            unique = {id(x.tensor): x for x in good}
            if unique or self.method == "identity":
                return list(unique.values())
        found = self._all(self._branch)
        return list({id(x.tensor): x for x in found}.values())

    def _all(self, make: Callable[[Any], Any]) -> list[Any]:
        """What can be made behind the layers with weights; an output layer gives nothing."""
        found = []
        for node in self.view.nodes:
            if self._carries(node):
                with contextlib.suppress(ValueError):
                    found.append(make(node))
        return found

    def _carries(self, node: Any) -> bool:
        return weighted(node.operation) and type(node.operation) not in PLAIN_MODELS

    def _copy(self, block: Block) -> Copy | None:
        inside = {id(node) for node in block.nodes}
        zero = [last_weighted(self.view, tensor, inside) for tensor in block.branches]
        if None in zero:
            return None
        return Copy(block.end, block, tuple(layer for many in zero for layer in many))

    def _stack(self, node: Any, block: Block | None) -> Copy:
        if block is not None:
            whole = self.view.whole_block(block)
            return Copy(whole.end, whole, None)
        for segments in (*self.view.repeated(), self.view.segments()):
            for each in segments:
                same = same_shape(each.start, each.end)
                if same and any(n is node for n in each.nodes) and self._carries(each.nodes[0]):
                    return Copy(each.end, each, None)
        raise ValueError(
            f"Cannot stack {self.view.name(node)!r}: it is no block that reads and gives the same "
            "shape. Expected the last layer of such a block. Name another, or pass "
            "method='residual'."
        )

    def _identity(self, node: Any) -> Identity | str:
        """The identity behind a layer and what belongs to it, or why there is none."""
        first = node
        while not any(_repeats(first.operation, each) for each in type(first.operation).__mro__):
            plain = isinstance(first.operation, layers.BatchNormalization)
            plain = plain or idempotent(first.operation)
            before = self.view.producer.get(id(first.input_tensors[0]))
            if not plain or before is None or self.view.only_reader(before.outputs[0]) is not first:
                return self._unlike(first.operation)
            first = before
        kind = type(first.operation)
        if not _repeats(first.operation, kind):
            return f"{kind.__name__} may compute something else than the layer it is derived from"
        function = activation_name(first.operation.activation)
        if function not in IDEMPOTENT:
            return f"{function} changes its input again when it comes a second time"
        tensor, activations = first.outputs[0], []
        while (reader := self.view.only_reader(tensor)) is not None:
            operation = reader.operation
            bent = function != "linear" or activations
            if idempotent(operation):
                activations.append(operation)
            elif isinstance(operation, layers.Activation) and not bent:
                return self._unlike(operation)
            elif bent or not isinstance(operation, layers.BatchNormalization):
                # A norm behind a relu moves values below zero, which a second relu would cut.
                break
            tensor = reader.outputs[0]
        if self.view.position[id(node)] > self.view.position[id(self.view.producer[id(tensor)])]:
            return f"{type(node.operation).__name__} behind an activation is no layer to repeat"
        self._check_inner(tensor, node)
        return Identity(tensor, first.operation, tuple(activations))

    @staticmethod
    def _unlike(operation: Any) -> str:
        if isinstance(operation, layers.Activation):
            function = activation_name(operation.activation)
            return f"{function} changes its input again when it comes a second time"
        return f"there is no Dense or convolution before {operation.name!r} to be repeated"

    def _branch(self, node: Any) -> Branch:
        name = self.view.name(node)
        tensor = node.outputs[0]
        if len(node.outputs) > 1 or "float" not in str(tensor.dtype):
            raise ValueError(
                f"Cannot deepen after {name!r}: expected a layer with one output of floating "
                f"numbers. Received: {len(node.outputs)} output(s) of {tensor.dtype}."
            )
        while (reader := self.view.only_reader(tensor)) is not None:
            operation = reader.operation
            if not isinstance(
                operation,
                (layers.BatchNormalization, layers.Activation, layers.ReLU, *_DROPOUTS),
            ):
                break
            tensor = reader.outputs[0]
        self._check_inner(tensor, node)
        convolution = self._convolution(tensor)
        axis = 1 if convolution is not None and convolution.data_format != "channels_last" else -1
        if len(tensor.shape) < 2 or tensor.shape[axis] is None:
            raise ValueError(
                f"Cannot deepen after {name!r}: its number of features is not known. Expected a "
                f"fixed last size. Received: shape {tensor.shape}."
            )
        policy = getattr(node.operation, "dtype_policy", None)
        return Branch(tensor, f"{node.operation.name}_deep", convolution, policy)

    def _convolution(self, tensor: keras.KerasTensor) -> Any:
        """The nearest convolution before an image-like tensor; None if something else is nearer."""
        if not 3 <= len(tensor.shape) <= 5:
            return None
        waiting = [tensor]
        while waiting:
            node = self.view.producer.get(id(waiting.pop(0)))
            if node is None or isinstance(node.operation, layers.MultiHeadAttention):
                return None
            if isinstance(node.operation, _SPATIAL):
                rank = len(tensor.shape) == len(node.outputs[0].shape)
                return node.operation if rank else None
            mixing = weighted(node.operation) and not isinstance(
                node.operation,
                (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization),
            )
            if mixing and type(node.operation) not in PLAIN_MODELS:
                return None
            waiting += node.input_tensors
        return None

    def _check_inner(self, tensor: keras.KerasTensor, node: Any) -> None:
        """Refuses an output layer."""
        if id(tensor) in self.view.output_ids and not self.view.path:
            raise ValueError(
                f"Cannot deepen after {self.view.name(node)!r}: it is an output layer of the "
                "model. Expected a hidden layer. Name the one before it."
            )


def _repeats(operation: Any, kind: type) -> bool:
    """Whether a class's rule knows an identity like this layer."""
    rule = find_rule(kind)
    return rule is not None and rule.identity(operation) is not None


def _bends(identity: Identity) -> bool:
    function = activation_name(identity.layer.activation)
    return function != "linear" or bool(identity.activations)
