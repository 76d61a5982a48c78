"""Where a model can become deeper, and by which layers; refuses by name where it cannot."""

import contextlib
import math
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
from adaptive_nets.growth.rules.unfold import Hidden, unfolded
from adaptive_nets.keras_internals import convolution_classes

layers = keras.layers
_SPATIAL = convolution_classes()
# How many times the parameters of the cheapest place another one may add, if that is more than half
# of what the model has.
COSTLY = 4
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

    Attributes:
        refused: Why there is no place behind some layers.
    """

    def __init__(self, view: GraphView, method: str) -> None:
        self.view = view
        self.method = method
        self.refused: list[str] = []

    def behind(self, node: Any) -> Any:
        """The insertion behind a layer that was named."""
        name = self.view.name(node)
        block = self.view.block_at(node)
        if self.method == "stack":
            return self._stack(node, block)
        block = block or next((x for x in self._own_blocks() if x.nodes[0] is node), None)
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
            blocks = [*self.view.smallest(), *self._own_blocks()]
            copies = [self._copy(block) for block in blocks]
            copies = [copy for copy in copies if copy is not None]
            if copies:
                return copies
        if self.method in ("auto", "identity"):
            found = [x for x in self._all(self._identity) if isinstance(x, Identity)]
            # Linear layers in a row are one linear layer, so there nothing would be gained.
            good = [x for x in found if _bends(x)]
            if self.method == "identity":
                good = good or found
            if good or self.method == "identity":
                return self._best(good)
        return self._best(self._all(self._branch))

    def _best(self, found: list[Any]) -> list[Any]:
        """Places in images and series before others, without what costs much more than another."""
        unique = list({id(x.tensor): x for x in found}.values())
        unique = [x for x in unique if x.is_spatial] or unique
        least = min((x.parameters for x in unique), default=0)
        layers = {id(node.operation): node.operation for node in self.view.nodes}
        held = [w for layer in layers.values() for w in getattr(layer, "weights", ())]
        limit = max(COSTLY * least, sum(math.prod(w.shape) for w in held) // 2)
        return [x for x in unique if x.parameters <= limit]

    def _own_blocks(self) -> Iterator[Block]:
        """Layers of a user's own that are residual blocks, one behind the other."""
        for node in self.view.nodes:
            if find_rule(type(node.operation)) is not None or not self._carries(node):
                continue
            with contextlib.suppress(Hidden):
                inner = GraphView(unfolded(node))
                branches = _branches(inner)
                start = node.input_tensors[0]
                if branches and len(node.outputs) == 1 and same_shape(start, node.outputs[0]):
                    yield Block(start, node.outputs[0], (node,), branches, inner)

    def _all(self, make: Callable[[Any], Any]) -> list[Any]:
        """What can be made behind the layers with weights; an output layer gives nothing."""
        found = []
        for node in self.view.nodes:
            if self._carries(node):
                try:
                    found.append(make(node))
                except ValueError as error:
                    self.refused.append(str(error).partition(": ")[2].partition(" Expected")[0])
        return found

    def _carries(self, node: Any) -> bool:
        return weighted(node.operation) and type(node.operation) not in PLAIN_MODELS

    def _copy(self, block: Block) -> Copy | None:
        view = block.inner or self.view
        inside = {id(node) for node in (view.nodes if block.inner else block.nodes)}
        zero = [last_weighted(view, tensor, inside) for tensor in block.branches]
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
            f"Cannot stack {self.view.name(node)!r}: it is not a block that reads and gives the "
            "same shape. Expected the last layer of such a block. Name another, or pass "
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
            return f"{type(node.operation).__name__} behind an activation is not a layer to repeat"
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
        if "float" not in str(tensor.dtype):
            raise ValueError(
                f"Cannot deepen after {name!r}: expected a layer that gives floating numbers. "
                f"Received: {tensor.dtype}."
            )
        if not self.view.consumers.get(id(tensor)) and len(node.outputs) > 1:
            raise ValueError(
                f"Cannot deepen after {name!r}: nothing reads its first output. Expected a layer "
                "whose first output is read. Name the layer that reads its states."
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
            before = self.view.producer.get(id(node.input_tensors[0]))
            name = None if before is None else self.view.name(before)
            advice = "Put one in front of it." if name is None else f"Name {name!r} before it."
            raise ValueError(
                f"Cannot deepen after {self.view.name(node)!r}: it is an output layer of the "
                f"model. Expected a hidden layer. {advice}"
            )


def _branches(view: GraphView) -> tuple[keras.KerasTensor, ...]:
    """What a graph adds to its input, if it is nothing but residual blocks in a row."""
    tensor, found = view.graph.inputs[0], []
    blocks = {id(block.start): block for block in view.residual.values()}
    while id(tensor) in blocks:
        block = blocks[id(tensor)]
        found += block.branches
        tensor = block.end
    return tuple(found) if tensor is view.graph.outputs[0] else ()


def _repeats(operation: Any, kind: type) -> bool:
    """Whether a class's rule knows an identity like this layer."""
    rule = find_rule(kind)
    return rule is not None and rule.identity(operation) is not None


def _bends(identity: Identity) -> bool:
    function = activation_name(identity.layer.activation)
    return function != "linear" or bool(identity.activations)
