"""Deepens members of unequal depth until their layers match."""

from collections.abc import Sequence

import numpy as np

from adaptive_nets.adanet.fusion.align_blocks import pass_block, unify_skips
from adaptive_nets.adanet.fusion.align_chains import pass_chain
from adaptive_nets.adanet.fusion.inserter import impassable
from adaptive_nets.adanet.fusion.stages import Signatures, add_bias, block_at, chain_at, fold_norm
from adaptive_nets.graphs.editable import Graph


def align(graphs: Sequence[Graph], seed: int) -> None:
    """Gives all graphs the layers of the deepest one, without changing what they compute.

    A new layer passes on its input: with an identity kernel if its activation is idempotent
    (relu, linear), otherwise by pairs, `f(z) - f(-z) = c z`. A new residual block adds zero. If
    some graphs normalise and others must pass on, the norm is folded, as at inference, into the
    kernel before it.

    Args:
        graphs: Graphs of all subnetworks. They are changed.
        seed: Seed of new kernels, which are multiplied by zero at first.

    Raises:
        ValueError: A graph lacks a layer that cannot pass on its input.
    """
    rng = np.random.default_rng(seed)
    for level in range(1, max(len(graph.hidden) for graph in graphs) + 1):
        present = [graph for graph in graphs if len(graph.hidden) >= level]
        absent = [graph for graph in graphs if len(graph.hidden) < level]
        if absent or not _alike(present, level):
            _align_level(level, present, absent, rng)


def _alike(graphs: Sequence[Graph], level: int) -> bool:
    signatures = Signatures()
    starts = [graph.hidden[level - 2] if level > 1 else None for graph in graphs]
    found = {
        signatures.of(graph, graph.hidden[level - 1], start)
        for graph, start in zip(graphs, starts, strict=True)
    }
    return len(found) == 1


def _align_level(
    level: int, present: Sequence[Graph], absent: Sequence[Graph], rng: np.random.Generator
) -> None:
    chains = [chain_at(graph, level) for graph in present]
    blocks = [block_at(graph, level) for graph in present]
    if None not in chains:
        for graph, chain in zip(present, chains, strict=True):
            if chain.norm is not None:
                fold_norm(graph, chain.kernel, chain.norm)
            elif absent:
                add_bias(chain.kernel)
        for graph in absent:
            pass_chain(graph, level, present[0], chains[0])
    elif None not in blocks:
        unify_skips(level, present, blocks, averages=bool(absent))
        for graph in absent:
            pass_block(graph, level, present[0], block_at(present[0], level), rng)
    elif absent:
        template = present[0]
        below = template.needed(template.hidden[level - 2]) if level > 1 else []
        inside = [s for s in template.needed(template.hidden[level - 1]) if s not in below]
        kinds = ", ".join(step.kind.__name__ for step in inside)
        raise impassable(absent[0], level, template, f"is made of {kinds}")
