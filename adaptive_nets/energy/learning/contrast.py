"""What contrastive divergence lowers: the gap of free energies between data and samples."""

from typing import Any

from keras import ops

from adaptive_nets.energy.energies import free_energy
from adaptive_nets.energy.order import Parameters
from adaptive_nets.keras_internals import replica_loss


def free_energy_gaps(model: Any, v: Any, samples: Any, p: Parameters) -> Any:
    """Returns F(v) minus the mean free energy of samples, which are held constant: `(rows,)`."""
    # In one product, which is faster than two.
    both = ops.concatenate([v, ops.stop_gradient(samples)])
    energies, rows = free_energy(model, both, p), ops.shape(v)[0]
    return energies[:rows] - ops.mean(energies[rows:])


def contrastive_loss(model: Any, x: Any, gaps: Any, sample_weight: Any, training: bool) -> Any:
    """Returns the mean gap of free energies, plus the model's penalties.

    Args:
        model: A built machine.
        x: `(rows, visible)`, read where the model does not train.
        gaps: `(rows,)`, as the model computes them in training.
        sample_weight: One weight a row, or `None`.
        training: Whether the model trains; if not, its chains stay where they are.
    """
    if not training:
        chains = ops.convert_to_tensor(model.chain_variable)
        v = ops.convert_to_tensor(x, model.compute_dtype, sparse=False)
        gaps = free_energy_gaps(model, v, chains, model.parameters)
    if sample_weight is None:
        gap = ops.mean(gaps)
    else:
        weight = ops.cast(ops.reshape(sample_weight, (-1,)), gaps.dtype)
        gap = ops.sum(weight * gaps) / ops.sum(weight)
    # Of replicas each adds its share.
    return sum(replica_loss(model, each) for each in (gap, *model.losses))
