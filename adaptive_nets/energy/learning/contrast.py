"""What training lowers: the gap of free energies between data and samples, or a likelihood's."""

from typing import Any

import keras
from keras import ops

from adaptive_nets.energy.energies import free_energy, pseudo_likelihood
from adaptive_nets.energy.order import Parameters
from adaptive_nets.keras_internals import replica_loss

# How many features each step of pseudo-likelihood reads, drawn again where there are more.
FEATURES = 32


def free_energy_gaps(model: Any, v: Any, samples: Any, p: Parameters) -> Any:
    """Returns F(v) minus the mean free energy of samples, which are held constant: `(rows,)`."""
    # In one product, which is faster than two.
    both = ops.concatenate([v, ops.stop_gradient(samples)])
    energies, rows = free_energy(model, both, p), ops.shape(v)[0]
    return energies[:rows] - ops.mean(energies[rows:])


def surprise(model: Any, v: Any, p: Parameters) -> Any:
    """Returns minus the pseudo-likelihood of rows, estimated by 32 features: `(rows,)`."""
    size = model.visible_variable.shape[0]
    if size <= FEATURES:
        return -pseudo_likelihood(model, v, p)
    drawn = keras.random.uniform((size,), seed=model.draws, dtype="float32")
    chosen = ops.argsort(drawn)[:FEATURES]
    return -pseudo_likelihood(model, v, p, chosen) * (size / FEATURES)


def contrastive_loss(model: Any, x: Any, gaps: Any, sample_weight: Any, training: bool) -> Any:
    """Returns the mean of what is lowered, plus the model's penalties.

    Args:
        model: A built machine.
        x: `(rows, visible)`, read where the model does not train.
        gaps: `(rows,)`, as the model computes them in training (`RBM.contrast`).
        sample_weight: One weight a row, or `None`.
        training: Whether the model trains; if not, its chains stay where they are.
    """
    if not training:
        v, p = ops.convert_to_tensor(x, model.compute_dtype, sparse=False), model.parameters
        if model.method == "pl":
            gaps = -pseudo_likelihood(model, v, p)
        else:
            gaps = free_energy_gaps(model, v, ops.convert_to_tensor(model.chain_variable), p)
    if sample_weight is None:
        gap = ops.mean(gaps)
    else:
        weight = ops.cast(ops.reshape(sample_weight, (-1,)), gaps.dtype)
        gap = ops.sum(weight * gaps) / ops.sum(weight)
    # Of replicas each adds its share.
    return sum(replica_loss(model, each) for each in (gap, *model.losses))
