"""Inspects a trained machine: reconstructions, samples, likelihoods and contributions of units."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._checks import check_integer, check_number, or_none, show
from adaptive_nets.energy import energies
from adaptive_nets.energy.checks import check_built, check_visible
from adaptive_nets.energy.compiled import as_tensors, compiled, kept
from adaptive_nets.energy.energies import hidden_means
from adaptive_nets.energy.gibbs import draw_numbers, gibbs_step
from adaptive_nets.energy.order import Parameters

# Gibbs steps in one compiled call, and rows that are looked at in one.
BLOCK, ROWS = 10, 1024
# Numbers in one compiled call of the pseudo-likelihood.
NUMBERS = 1 << 22


def in_blocks(function: Any, x: Any, rows: int = ROWS) -> np.ndarray:
    """Returns a function's outputs on rows, computed in blocks."""
    x = np.asarray(check_visible(x))
    if not len(x):
        raise ValueError(f"x must have at least one row. Received: x={show(x)}.")
    parts = [x[i : i + rows] for i in range(0, len(x), rows)]
    return np.concatenate([ops.convert_to_numpy(function(each)) for each in parts])


def values_of(model: Any) -> tuple[Any, Any, Any]:
    """Returns kernel, hidden biases and visible biases of the trained units, as tensors."""
    return as_tensors(model.kernel.T, model.hidden_bias, model.visible_bias)


def reconstruct(model: Any, x: Any) -> np.ndarray:
    """Returns the mean of the visible units given the hidden probabilities of each row.

    Args:
        model: A built machine.
        x: `(rows, visible)`.
    """
    check_built(model)
    check_visible(x, model)
    units = model.n_units

    def means(values, v):
        p = Parameters(*values, units)
        return model.kind.mean(p.outputs(hidden_means(model, v, p)))

    values, run = values_of(model), compiled(means)
    return in_blocks(lambda v: run(values, ops.convert_to_tensor(v, model.compute_dtype)), x)


def sample(
    model: Any, rows: int, steps: int = 1000, start: Any = None, seed: int | None = None
) -> np.ndarray:
    """Draws states of the visible units by Gibbs sampling.

    Args:
        model: A built machine.
        rows: Number of chains. Each gives one sample.
        steps: Gibbs steps of each chain, rounded up to a multiple of 10. Defaults to `1000`.
        start: Initial states `(rows, visible)`. Defaults to `None`: random states.
        seed: Seed of the draws. Defaults to `None`: the model's own random sequence continues.

    Returns:
        `(rows, visible)`.
    """
    check_built(model)
    rows, steps = check_integer("rows", rows, 1), check_integer("steps", steps, 1)
    seed = or_none(check_integer, "seed", seed, 0)
    if start is not None:
        check_visible(start, model, "start")
        if len(start) != rows:
            raise ValueError(
                f"start must have {rows} rows, one for each sample. Received: {len(start)} rows."
            )
    generator = model.draws if seed is None else keras.random.SeedGenerator(seed)
    units = model.n_units

    def steps_of(values, v, *draws):
        p = Parameters(*values, units)
        for i in range(BLOCK):
            v, _ = gibbs_step(model, v, p, tuple(each[i] for each in draws))
        return v

    run = kept(model, "sample", units, lambda: compiled(steps_of))
    if start is None:
        v = draw_numbers(model, rows, 1, (), generator)[2]
        v = ops.cast(v < 0.5, model.compute_dtype) if model.kind.uniform else v
    else:
        v = ops.convert_to_tensor(start, model.compute_dtype)
    values = values_of(model)
    for _ in range(-(-steps // BLOCK)):
        v = run(values, v, *draw_numbers(model, rows, units, (BLOCK,), generator))
    return ops.convert_to_numpy(v)


def pseudo_likelihood(model: Any, x: Any) -> np.ndarray:
    """Returns the log of the product over features of P(v_i | all other features), in nats.

    It needs no partition function. For values between 0 and 1 it is the mean over both states.

    Args:
        model: A built machine with binary visible units.
        x: `(rows, visible)`.

    Returns:
        `(rows,)`.
    """
    if not model.kind.uniform:
        raise ValueError(
            "The pseudo-likelihood needs binary visible units. Use log_likelihood instead. "
            f"Received: a model with visible={show(model.visible)}."
        )
    check_built(model)
    check_visible(x, model)
    count = ops.convert_to_tensor(model.n_units, "int32")
    return _pseudo_likelihood(model, x, (*values_of(model), count))


def _pseudo_likelihood(model, x, values):
    size, units = len(model.visible_bias), model.n_units

    def conditionals(values, v):
        return energies.pseudo_likelihood(model, v, Parameters(*values))

    run = kept(model, "pseudo", units, lambda: compiled(conditionals))
    rows = max(1, NUMBERS // (size * units))
    return in_blocks(lambda v: run(values, ops.convert_to_tensor(v, model.compute_dtype)), x, rows)


def contributions(model: Any, x: Any) -> np.ndarray:
    """Returns what each trained unit adds to the free energy of rows, in nats: `(units,)`.

    The mean over rows of `|P(z >= i | v) (softplus(W_i v + b_i) - softplus(b_i))|`, which is zero
    for a unit whose weights are zero.

    Args:
        model: A built machine.
        x: `(rows, visible)`.
    """
    units = model.n_units

    def added(values, v):
        p = Parameters(*values, units)
        a = p.inputs(v)
        change = ops.softplus(a) - ops.softplus(p.hidden_bias)
        return ops.abs(model.order.present(a, p) * change)

    values, run = values_of(model), kept(model, "contributions", units, lambda: compiled(added))
    found = in_blocks(lambda v: run(values, ops.convert_to_tensor(v, model.compute_dtype)), x)
    return found.mean(axis=0, dtype="float64")


def gains(model: Any, x: Any, sizes: Sequence[int]) -> np.ndarray:
    """Returns the gain of the most important units over independent features.

    Args:
        model: A built machine with binary visible units.
        x: `(rows, visible)`, preferably rows that it was not trained on.
        sizes: Numbers of units, each at most the model's.

    Returns:
        Array `(sizes, rows)` in nats: for each size and row, the pseudo-likelihood of that many
        units (those that contribute most to the free energy) minus the likelihood of independent
        features with the rows' own means.
    """
    order = np.argsort(-contributions(model, x), kind="stable")
    kernel, hidden, bias = model.kernel, model.hidden_bias, model.visible_bias
    v = np.asarray(x, "float64")
    inside = model.kind.bias(v.mean(axis=0))
    alone = (v * inside - np.logaddexp(0, inside)).sum(axis=1)
    found = []
    for size in sizes:
        chosen = np.sort(order[:size])
        # Padded with zeros, which act as no units at all, so that one function serves all sizes.
        few, biases = np.zeros_like(kernel), np.zeros_like(hidden)
        few[:size], biases[:size] = kernel[chosen], hidden[chosen]
        count = ops.convert_to_tensor(size, "int32")
        values = (*as_tensors(few.T, biases, bias), count)
        found.append(_pseudo_likelihood(model, x, values) - alone)
    return np.array(found)


def effective_units(model: Any, x: Any, tolerance: float = 0.05) -> int:
    """Returns how many units are needed for what the model knows about rows.

    This is the smallest number of units whose mean gain (`gains`) is within a fraction `tolerance`
    of the largest gain, or 0 if the largest gain is within two standard errors of zero or below
    0.01 nats.

    Args:
        model: A built machine with binary visible units.
        x: `(rows, visible)`, preferably rows that it was not trained on.
        tolerance: Fraction of the gain that may be lost, in [0, 1). Defaults to `0.05`.
    """
    check_number("tolerance", tolerance, 0, 1, "low")
    check_built(model)
    check_visible(x, model)
    units = model.n_units
    sizes = sorted({round(s) for s in np.geomspace(1, units, 16)})
    found = gains(model, x, sizes)
    means = found.mean(axis=1)
    best = int(means.argmax())
    error = found[best].std() / math.sqrt(found.shape[1])
    if means[best] < max(0.01, 2 * error):
        return 0
    enough = (1 - tolerance) * means[best]
    first = int(np.flatnonzero(means >= enough)[0])
    low, high = (sizes[first - 1] if first else 0), sizes[first]
    while high - low > max(1, high // 16):
        middle = (low + high) // 2
        if gains(model, x, [middle]).mean() >= enough:
            high = middle
        else:
            low = middle
    return high
