"""What parameters say of a state of the visible units: its free energy and its hidden means."""

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
