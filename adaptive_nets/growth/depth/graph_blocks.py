"""Residual blocks and repeated parts of a model's graph: what depth growth copies."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from adaptive_nets.graphs.read import ordered_nodes
from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.keras_internals import operation_class

SUMS = (keras.layers.Add, operation_class("Add"))


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """A part of a graph with one way in and one way out of the same shape.

    Args:
        start: The tensor that enters.
        end: The tensor that leaves.
        nodes: The layer calls between them, each behind what it reads. What they read beside
            `start` (masks, a context) comes from outside.
        branches: The tensors that residual sums add; where all are zero, the block passes `start`.
        inner: The graph of what the one layer of the block calls, where the sums are in that.
    """

    start: keras.KerasTensor
    end: keras.KerasTensor
    nodes: tuple[Any, ...]
    branches: tuple[keras.KerasTensor, ...] = ()
    inner: Any = None

    @property
    def signature(self) -> tuple:
        """What two blocks of the same kind have in common."""
        return tuple(
            (
                type(node.operation).__name__,
                tuple(tuple(w.shape) for w in getattr(node.operation, "weights", ())),
            )
            for node in self.nodes
        )


def weighted(operation: Any) -> bool:
    """Whether a layer has weights."""
    return bool(getattr(operation, "weights", ()))


def idempotent(operation: Any) -> bool:
    """Whether a layer is an activation that changes nothing the second time."""
    rule = find_rule(type(operation))
    return rule is not None and rule.is_idempotent(operation)


def same_shape(one: keras.KerasTensor, other: keras.KerasTensor) -> bool:
    """Whether two tensors have one shape, as far as it is known."""
    if len(one.shape) != len(other.shape) or one.shape[-1] != other.shape[-1]:
        return False
    pairs = zip(one.shape, other.shape, strict=True)
    return all(a == b or (None in (a, b) and 1 not in (a, b)) for a, b in pairs)


def join(blocks: Sequence[Block]) -> Block:
    """Blocks behind each other as one."""
    return Block(
        blocks[0].start,
        blocks[-1].end,
        tuple(node for block in blocks for node in block.nodes),
        tuple(tensor for block in blocks for tensor in block.branches),
    )


class GraphView:
    """The calls of one graph and how they are joined.

    Args:
        graph: A Functional graph.
        path: The path of the model inside the outermost one; "" for that itself.
    """

    def __init__(self, graph: Any, path: str = "") -> None:
        self.graph = graph
        self.path = path
        self.nodes = ordered_nodes(graph)
        self.position = {id(node): i for i, node in enumerate(self.nodes)}
        self.producer = {id(t): node for node in self.nodes for t in node.outputs}
        self.consumers: dict[int, list[Any]] = {}
        for node in self.nodes:
            for key in {id(t) for t in node.input_tensors}:
                self.consumers.setdefault(key, []).append(node)
        self.output_ids = {id(t) for t in graph.outputs}
        found = [(node, self._residual(node)) for node in self.nodes]
        self.residual = {id(node): block for node, block in found if block is not None}

    def name(self, node: Any) -> str:
        """A layer's path."""
        return f"{self.path}/{node.operation.name}" if self.path else node.operation.name

    def only_reader(self, tensor: keras.KerasTensor) -> Any:
        """The one call that reads a tensor, or None."""
        readers = self.consumers.get(id(tensor), ())
        return readers[0] if len(readers) == 1 and id(tensor) not in self.output_ids else None

    def block_at(self, node: Any) -> Block | None:
        """The residual block that ends at a sum, or at the activation behind it."""
        if id(node) in self.residual:
            return self.residual[id(node)]
        for block in self.residual.values():
            if self.producer[id(block.end)] is node:
                return block
        source = self.producer.get(id(node.input_tensors[0])) if node.input_tensors else None
        behind = len(node.input_tensors) == 1 and not weighted(node.operation)
        if behind and source is not None and isinstance(node.operation, keras.layers.Activation):
            return self.residual.get(id(source))
        return None

    def whole_block(self, block: Block) -> Block:
        """The block, or all halves of the repeated structure (attention and MLP) it is last of."""
        for chain in self.chains():
            if all(each is not block for each in chain):
                continue
            for first, period, times in runs([each.signature for each in chain]):
                for last in range(first + period, first + period * times + 1, period):
                    if chain[last - 1] is block:
                        return join(chain[last - period : last])
        return block

    def chains(self) -> list[list[Block]]:
        """Residual blocks that follow one another."""
        chains: list[list[Block]] = []
        for block in self.residual.values():
            for chain in chains:
                if chain[-1].end is block.start:
                    chain.append(block)
                    break
            else:
                chains.append([block])
        return chains

    def smallest(self) -> list[Block]:
        """Residual blocks that hold no other, whole, in order."""
        sums = set(self.residual)
        found = []
        for key, block in self.residual.items():
            inside = {id(node) for node in block.nodes} - {key}
            if not inside & sums:
                found.append(block)
        # Of a block of two halves only the end of the last counts as a place.
        wholes = [self.whole_block(block) for block in found]
        halves = {id(node) for whole in wholes if len(whole.branches) > 1 for node in whole.nodes}
        return [
            whole
            for block, whole in zip(found, wholes, strict=True)
            if len(whole.branches) > 1 or id(block.nodes[-1]) not in halves
        ]

    def between(
        self, start: keras.KerasTensor, ends: Iterable[keras.KerasTensor]
    ) -> tuple[Any, ...] | None:
        """The calls from one tensor to others; None if one of them does not follow from it."""
        reached, needed = {id(start)}, {id(t) for t in ends}
        first = self.position.get(id(self.producer.get(id(start))), -1) + 1
        last = max(self.position.get(id(self.producer.get(key)), -1) for key in needed) + 1
        passed = []
        for node in self.nodes[first:last]:
            if any(id(t) in reached for t in node.input_tensors):
                reached |= {id(t) for t in node.outputs}
                passed.append(node)
        if not needed <= reached or id(start) in needed:
            return None
        inside = []
        for node in reversed(passed):
            if any(id(t) in needed for t in node.outputs):
                needed |= {id(t) for t in node.input_tensors}
                inside.append(node)
        return tuple(reversed(inside))

    def segments(self) -> list[Block]:
        """The parts between tensors through which all passes that a weight has touched."""
        last_use = {
            key: max(self.position[id(n)] for n in ns) for key, ns in self.consumers.items()
        }
        last_use |= dict.fromkeys(self.output_ids, len(self.nodes))
        touched: set[int] = set()
        cuts: list[tuple[int, keras.KerasTensor]] = []
        for i, node in enumerate(self.nodes):
            if weighted(node.operation) or any(id(t) in touched for t in node.input_tensors):
                touched |= {id(t) for t in node.outputs}
            live = [key for key in touched if last_use.get(key, -1) > i]
            if len(node.outputs) == 1 and live == [id(node.outputs[0])]:
                cuts.append((i, node.outputs[0]))
        found = []
        begin, start = -1, self.graph.inputs[0]
        for i, tensor in cuts:
            found.append(Block(start, tensor, tuple(self.nodes[begin + 1 : i + 1])))
            begin, start = i, tensor
        return found

    def repeated(self) -> list[list[Block]]:
        """Stacks of equal blocks, the blocks of each in order."""
        segments = self.segments()
        signatures = [(each.signature, tuple(each.end.shape)) for each in segments]
        stacks = []
        for first, period, times in runs(signatures):
            blocks = [
                join(segments[i : i + period]) for i in range(first, first + period * times, period)
            ]
            # The first of a run may come from another width (a stem), which cannot be repeated.
            blocks = [b for b in blocks if same_shape(b.start, b.end)]
            if blocks and any(weighted(n.operation) for n in blocks[0].nodes):
                stacks.append(blocks)
        return stacks

    def _residual(self, node: Any) -> Block | None:
        if type(node.operation) not in SUMS or len(node.input_tensors) < 2:
            return None
        total = node.outputs[0]
        for skip in node.input_tensors:
            others = [t for t in node.input_tensors if t is not skip]
            if len(others) < len(node.input_tensors) - 1 or not same_shape(skip, total):
                continue
            inside = self.between(skip, others)
            if inside and any(weighted(n.operation) for n in inside):
                reader = self.only_reader(total)
                if reader is not None and idempotent(reader.operation):
                    return Block(skip, reader.outputs[0], (*inside, node, reader), tuple(others))
                return Block(skip, total, (*inside, node), tuple(others))
        return None


def runs(signatures: Sequence[Any]) -> list[tuple[int, int, int]]:
    """Repetitions in a sequence: (first, period, times), which do not overlap."""
    found = []
    first = 0
    while first < len(signatures):
        best = (0, 1, 1)
        for period in range(1, (len(signatures) - first) // 2 + 1):
            unit = signatures[first : first + period]
            times = 1
            while list(signatures[first + times * period : first + (times + 1) * period]) == list(
                unit
            ):
                times += 1
            if times > 1 and times * period > best[0]:
                best = (times * period, period, times)
        if best[2] > 1:
            found.append((first, best[1], best[2]))
        first += max(best[0], 1)
    return found
