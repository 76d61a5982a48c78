"""Log-likelihood of data: exact for small models, otherwise estimated with an interval."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.special import logsumexp

from adaptive_nets._checks import check_choice, check_instance, check_integer, or_none, show
from adaptive_nets.energy.compiled import as_tensors, compiled, kept
from adaptive_nets.energy.energies import free_energy
from adaptive_nets.energy.gibbs import draw_numbers, gibbs_step
from adaptive_nets.energy.order import Ordered, Parameters

# Largest number of units (hidden, or binary visible ones) that is enumerated.
ENUMERABLE = 20
# Temperatures per compiled call.
BLOCK = 8


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """The mean log-likelihood of rows, in nats.

    Args:
        mean: The estimate.
        low: Lower end of the interval of three standard errors of the partition function.
        high: Upper end of that interval.
        log_partition: ln Z.
        method: `"exact"` or `"ais"`.
    """

    mean: float
    low: float
    high: float
    log_partition: float
    method: str


def log_likelihood(
    model: Any,
    x: Any,
    method: str = "auto",
    chains: int = 256,
    temperatures: int = 1000,
    seed: int | None = 0,
) -> Likelihood:
    """Returns the mean log-likelihood of rows.

    Args:
        model: A built `RBM` or an instance of a subclass.
        x: `(rows, visible)`.
        method: `"exact"` enumerates all states, which needs at most 20 hidden or binary visible
            units; `"ais"` is annealed importance sampling (Neal 2001; Salakhutdinov, Murray 2008)
            from a model without interaction; `"auto"` enumerates if possible. Defaults to `"auto"`.
        chains: Number of annealed chains. Defaults to `256`.
        temperatures: Number of annealing steps. More steps narrow the interval. Defaults to `1000`.
        seed: Seed of annealing; with `None` the model's own random sequence continues. Defaults
            to `0`.

    Returns:
        A `Likelihood`.

    Raises:
        ValueError: `"exact"` is requested for a large model, or an option is out of range.
    """
    check_choice("method", method, ("auto", "exact", "ais"))
    chains = check_integer("chains", chains, 1)
    temperatures = check_integer("temperatures", temperatures, 1)
    seed = or_none(check_integer, "seed", seed, 0)
    check_instance("model", model, keras.Model, "an energy.RBM")
    if not hasattr(model, "free_energy"):
        raise TypeError(f"model must be an energy.RBM. Received: model={show(model)}.")
    energy = float(np.mean(ops.convert_to_numpy(model.free_energy(x)), dtype="float64"))
    if method == "auto":
        method = "exact" if is_enumerable(model) else "ais"
    if method == "exact":
        partition = low = high = exact_log_partition(model)
    else:
        partition, low, high = annealed_log_partition(model, chains, temperatures, seed)
    return Likelihood(-energy - partition, -energy - high, -energy - low, partition, method)


def is_enumerable(model: Any) -> bool:
    """Returns whether either side has few enough states to enumerate."""
    visible = model.kind.uniform and len(model.visible_bias) <= ENUMERABLE
    return visible or model.n_units <= ENUMERABLE


def exact_log_partition(model: Any) -> float:
    """Returns ln Z by enumeration in float64.

    Raises:
        ValueError: Both sides have more than 20 units.
    """
    if not is_enumerable(model):
        raise ValueError(
            f"Cannot enumerate {model.n_units} hidden and {len(model.visible_bias)} visible units: "
            f"one side must have at most {ENUMERABLE}. Pass method='ais'."
        )
    kernel, hidden, bias = (
        np.asarray(each, "float64")
        for each in (model.kernel, model.hidden_bias, model.visible_bias)
    )
    if model.n_units > ENUMERABLE or (model.kind.uniform and len(bias) < model.n_units):
        return _over_visible(model, kernel, hidden, bias)
    return _over_hidden(model, kernel, hidden, bias)


def _over_visible(model, kernel, hidden, bias):
    v = _codes(len(bias))
    found = []
    for rows in _chunks(v):
        a = np.logaddexp(0, rows @ kernel.T + hidden)
        if isinstance(model.order, Ordered):
            terms = np.cumsum(a - model.order.beta * np.logaddexp(0, hidden), axis=1)
            terms[:, -1] += model.order.tail
            found.append(rows @ bias + logsumexp(terms, axis=1))
        else:
            found.append(rows @ bias + a.sum(axis=1))
    return float(logsumexp(np.concatenate(found)))


def _over_hidden(model, kernel, hidden, bias):
    h = _codes(len(hidden))
    if model.kind.uniform:
        volume = [np.logaddexp(0, x @ kernel + bias).sum(1) for x in _chunks(h)]
    else:
        size = len(bias) * math.log(2 * math.pi)
        volume = [0.5 * (((x @ kernel + bias) ** 2 - bias**2).sum(1) + size) for x in _chunks(h)]
    logs = h @ hidden + np.concatenate(volume)
    if not isinstance(model.order, Ordered):
        return float(logsumexp(logs))
    # The first 2 ** z codes are those whose units after the z-th are off.
    paid = np.cumsum(model.order.beta * np.logaddexp(0, hidden))
    terms = [logsumexp(logs[: 2**z]) - paid[z - 1] for z in range(1, len(hidden) + 1)]
    terms[-1] += model.order.tail
    return float(logsumexp(terms))


def _codes(size):
    """Returns all states, with the first unit changing fastest."""
    return ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype("float64")


def _chunks(rows):
    return np.array_split(rows, max(1, len(rows) >> 14))


def _annealing(model, trained):
    """Returns a block of temperatures as a function of tensors only."""

    def run(trained_values, v, weights, shares, *draws):
        whole = Parameters(*trained_values, trained)
        for i in range(BLOCK):
            before, now = (whole.annealed(shares[k]) for k in (i, i + 1))
            weights = weights + free_energy(model, v, before) - free_energy(model, v, now)
            v, _ = gibbs_step(model, v, now, tuple(each[i] for each in draws))
        return v, weights

    return run


def annealed_log_partition(
    model: Any, chains: int, temperatures: int, seed: int | None
) -> tuple[float, float, float]:
    """Returns ln Z by annealed importance sampling, and its interval.

    The kernel and the hidden biases rise from zero; beta and the visible biases stay fixed. The
    interval is the mean weight plus and minus three standard errors.
    """
    generator = model.draws if seed is None else keras.random.SeedGenerator(seed)
    trained = model.n_units
    kernel, hidden, bias = as_tensors(model.kernel.T, model.hidden_bias, model.visible_bias)

    run = kept(model, "annealing", trained, lambda: compiled(_annealing(model, trained)))
    blocks = -(-temperatures // BLOCK)
    # Denser towards the model, where its modes part.
    shares = 1 - np.linspace(1.0, 0.0, blocks * BLOCK + 1) ** 2
    received = ops.broadcast_to(bias, (chains, len(model.visible_bias)))
    kind = keras.random.uniform if model.kind.uniform else keras.random.normal
    drawn = kind(received.shape, seed=generator, dtype=model.compute_dtype)
    v, weights = model.kind.sample(received, drawn), ops.zeros((chains,), model.compute_dtype)
    for number in range(blocks):
        here = shares[number * BLOCK : (number + 1) * BLOCK + 1].astype(model.compute_dtype)
        draws = draw_numbers(model, chains, trained, (BLOCK,), generator)
        v, weights = run((kernel, hidden, bias), v, weights, ops.convert_to_tensor(here), *draws)
    found = ops.convert_to_numpy(weights).astype("float64")
    volume = model.kind.log_volume(ops.expand_dims(bias, 0), bias)
    base = model.order.base(trained) + float(ops.convert_to_numpy(volume)[0])
    mean = logsumexp(found) - math.log(chains)
    ratios = np.exp(found - mean)
    error = 3 * ratios.std(ddof=1) / math.sqrt(chains) if chains > 1 else math.inf
    low = mean + math.log(1 - error) if error < 1 else -math.inf
    return tuple(float(base + each) for each in (mean, low, mean + math.log1p(error)))
