"""What parameters say of a state of the visible units: free energy, hidden means, conditionals."""

from typing import Any

from keras import ops

from adaptive_nets.energy.order import Parameters


def free_energy(model: Any, v: Any, p: Parameters) -> Any:
    """Returns F(v), minus the log of the sum of exp(-E(v, h)) over hidden states, `(rows,)`."""
    return model.kind.energy(v, p.visible_bias) - model.order.log_sum(p.inputs(v), p)


def hidden_means(model: Any, v: Any, p: Parameters) -> Any:
    """Returns P(h_i = 1 | v), `(rows, capacity)`."""
    a = p.inputs(v)
    return ops.sigmoid(a) * model.order.present(a, p)


def pseudo_likelihood(model: Any, v: Any, p: Parameters, features: Any = None) -> Any:
    """Returns the sum over features of ln P(v_i | all others), `(rows,)`, for binary units.

    A value between 0 and 1 counts as both states, with its share as their weight.

    Args:
        model: A machine with binary visible units.
        v: `(rows, visible)`.
        p: The parameters.
        features: Integer tensor: the features that are summed over. Defaults to `None`: all.
    """
    kernel, bias, own = p.kernel, p.visible_bias, v
    if features is not None:
        kernel, bias = (ops.take(each, features, axis=0) for each in (kernel, bias))
        own = ops.take(v, features, axis=1)
    # Input of the hidden units from all other features, and the same with this one on.
    without = ops.expand_dims(p.inputs(v), 1) - ops.expand_dims(own, -1) * kernel
    odds = model.order.log_sum(without + kernel, p) + bias - model.order.log_sum(without, p)
    return ops.sum(own * odds - ops.softplus(odds), axis=-1)
