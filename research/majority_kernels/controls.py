"""Controls that need more than another network: subspaces, selection, distillation."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np


def subspace_penalty(factor: int, weight: float) -> Callable[[Sequence[Any]], Any]:
    """The mean squared cosine between the k networks (Wortsman et al., arXiv 2102.10472).

    Args:
        factor: How many kernels each k-fold variable holds, on its first axis.
        weight: Of the penalty.
    """

    def penalty(trainable: Sequence[Any]) -> Any:
        folded = [v.reshape(factor, -1) for v in trainable if v.ndim > 2 and len(v) == factor]
        gram = sum(v @ v.T for v in folded)
        norms = jnp.sqrt(jnp.diagonal(gram))
        cosines = gram / (norms[:, None] * norms)
        pairs = factor * (factor - 1)
        return weight * ((cosines**2).sum() - factor) / pairs

    return penalty


def facility_location(similarity: np.ndarray, count: int) -> list[int]:
    """The greedy choice that maximises Σ_i max_{j in S} similarity[i, j].

    Args:
        similarity: `(n, n)`, not negative.
        count: How many to choose.
    """
    chosen: list[int] = []
    best = np.zeros(len(similarity))
    for _ in range(count):
        gains = np.maximum(similarity, best[:, None]).sum(axis=0)
        gains[chosen] = -np.inf
        chosen.append(int(np.argmax(gains)))
        best = np.maximum(best, similarity[:, chosen[-1]])
    return chosen


def select(kernels: np.ndarray) -> np.ndarray:
    """Of k kernels the one that stands for all: facility location by cosine.

    Args:
        kernels: `(k, ...)`.

    Returns:
        The same shape: the chosen kernel, k times, so that its mean is the chosen one.
    """
    flat = kernels.reshape(len(kernels), -1)
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    similarity = (flat @ flat.T + 1) / 2
    return np.repeat(kernels[facility_location(similarity, 1)], len(kernels), axis=0)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, over the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)
