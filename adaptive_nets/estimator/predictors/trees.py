"""Trees of scikit-learn as Keras layers: conditions, paths, and the values of leaves."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


def tree_outputs(x: Any, trees: Sequence[Any], values: Sequence[np.ndarray], bias: Any) -> Any:
    """Returns the sum of trees' values, computed by layers that are not trained.

    A row reaches a leaf where it meets each condition on its path: of these the ones that hold are
    counted, less the ones that must not.

    Args:
        x: KerasTensor `(batch, features)`.
        trees: scikit-learn's `tree_` of each.
        values: Values of each tree's nodes, `[nodes, outputs]`.
        bias: What is added, `[outputs]`.
    """
    paths = [_paths(tree) for tree in trees]
    nodes, leaves = (max(1, *(len(path[k]) for path in paths), 1) for k in (0, 3))
    count, outputs = len(trees), values[0].shape[1]
    chosen = np.zeros((x.shape[-1], count, nodes), "float32")
    limits = np.zeros((count, nodes), "float32")
    kernel = np.zeros((count, nodes, leaves), "float32")
    # What is not a leaf is never reached.
    needed = np.full((count, leaves), 1.0 + nodes, "float32")
    last = np.zeros((count, leaves, outputs), "float32")
    for k, (inner, signs, wanted, ends) in enumerate(paths):
        tree = trees[k]
        chosen[tree.feature[inner], k, range(len(inner))] = 1.0
        limits[k, : len(inner)] = _below(tree.threshold[inner])
        kernel[k, : len(inner), : len(ends)] = signs
        needed[k, : len(ends)] = wanted
        last[k, : len(ends)] = values[k][ends]
    split = _dense(
        keras.layers.EinsumDense("bf,ftn->btn", (count, nodes), bias_axes="tn"), x, chosen, -limits
    )
    holds = keras.ops.cast(keras.ops.less_equal(split, 0.0), "float32")
    met = _dense(
        keras.layers.EinsumDense("btn,tnl->btl", (count, leaves), bias_axes="tl"),
        holds, kernel, -needed,
    )  # fmt: skip
    reached = keras.ops.cast(keras.ops.greater(met, -0.5), "float32")
    layer = keras.layers.EinsumDense("btl,tlo->bo", (outputs,), bias_axes="o")
    return _dense(layer, reached, last, np.broadcast_to(bias, (outputs,)))


def _dense(layer, x, *weights):
    layer.trainable = False
    found = layer(x)
    layer.set_weights([np.asarray(each, "float32") for each in weights])
    return found


def _below(limits):
    """Returns float32 numbers: a float32 is at most one where it is at most the float64 limit."""
    rounded = limits.astype("float32")
    return np.where(rounded > limits, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _paths(tree):
    """Returns inner nodes; by these and leaves ±1; how many hold on each path; and the leaves."""
    left, right = tree.children_left, tree.children_right
    inner = np.flatnonzero(left != right)
    ends = np.flatnonzero(left == right)
    place = {node: k for k, node in enumerate(inner)}
    column = {node: k for k, node in enumerate(ends)}
    signs = np.zeros((len(inner), len(ends)), "float32")
    waiting = [(0, ())]
    while waiting:
        node, path = waiting.pop()
        if node in column:
            for before, sign in path:
                signs[place[before], column[node]] = sign
            continue
        waiting += [(left[node], (*path, (node, 1))), (right[node], (*path, (node, -1)))]
    return inner, signs, (signs > 0).sum(0), ends
