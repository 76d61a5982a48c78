"""Gibbs sampling: one step, what it draws, and the chains that persist between training steps."""

from typing import Any

import keras
from keras import ops

from adaptive_nets.energy.order import Parameters


def gibbs_step(model: Any, v: Any, p: Parameters, draws: tuple[Any, Any, Any]) -> tuple[Any, Any]:
    """Returns the next state of the visible units.

    Args:
        model: A machine.
        v: `(rows, visible)`.
        p: The parameters.
        draws: What `draw_numbers` gives for one step.

    Returns:
        The next state, and the number of active hidden units, `(rows,)`.
    """
    a = p.inputs(v)
    mask, z = model.order.draw(a, p, draws[0])
    hidden = ops.cast(draws[1] < ops.sigmoid(a), a.dtype) * mask
    return model.kind.sample(p.outputs(hidden), draws[2]), z


def draw_numbers(
    model: Any, rows: Any, capacity: int, lead: tuple[int, ...] = (), generator: Any = None
) -> tuple[Any, Any, Any]:
    """Draws what one Gibbs step consumes, or several steps with leading axes.

    Args:
        model: A built machine.
        rows: Number of chains.
        capacity: Number of hidden units, the untrained ones included.
        lead: Leading axes. Defaults to none.
        generator: A `keras.random.SeedGenerator`. Defaults to `None`: the model's own.

    Returns:
        Uniform `(rows,)` for the number of active units, uniform `(rows, capacity)` for their
        states, and `(rows, visible)` of the visible units' kind.
    """
    options = {"seed": generator or model.draws, "dtype": model.compute_dtype}
    visible = model.visible_variable.shape[0]
    last = keras.random.uniform if model.kind.uniform else keras.random.normal
    return (
        keras.random.uniform((*lead, rows), **options),
        keras.random.uniform((*lead, rows, capacity), **options),
        last((*lead, rows, visible), **options),
    )


def add_chains(model: Any, visible: int) -> Any:
    """Creates the variable `(chains, visible)` of a machine's persistent chains."""
    chains = model.add_weight(
        shape=(model.n_chains, visible),
        initializer=keras.initializers.RandomUniform(0.0, 1.0, model.seed),
        name="chains",
        trainable=False,
        aggregation="only_first_replica",
    )
    if model.kind.uniform:
        chains.assign(ops.cast(chains < 0.5, chains.dtype))
    return chains


def move_chains(model: Any, v: Any, p: Parameters) -> tuple[Any, Any]:
    """Takes the Gibbs steps of one training step.

    Args:
        model: A built machine.
        v: The step's data `(rows, visible)`, where chains do not persist.
        p: The parameters.

    Returns:
        The chains afterwards, and the number of active hidden units of each.
    """
    persistent = model.method == "pcd"
    chains = ops.convert_to_tensor(model.chain_variable) if persistent else v
    rows, z = ops.shape(chains)[0], None
    for _ in range(model.gibbs_steps):
        draws = draw_numbers(model, rows, p.kernel.shape[1])
        chains, z = gibbs_step(model, chains, p, draws)
    if persistent:
        model.chain_variable.assign(chains)
    return chains, z
