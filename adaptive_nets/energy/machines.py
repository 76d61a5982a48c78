"""The machine of one layer of an `EnergyNet`, and the linear predictors that it has to beat."""

import math
import warnings
from typing import Any

import keras
import numpy as np

from adaptive_nets.energy.inspection import gains
from adaptive_nets.energy.ordered import InfiniteRBM

# Enough to see whether there is anything to learn.
ROWS, FEATURES = 4000, 64


def linear_gain(rows: np.ndarray, held_out: np.ndarray, seed: int) -> float:
    """What logistic predictors of each feature from all others know of held-out rows.

    Args:
        rows: `(rows, features)` in [0, 1], of which at most 4,000 are used.
        held_out: Other rows.
        seed: For which rows, and which 64 features where there are more; their gain stands for all.

    Returns:
        The mean gain of a row over independent features, in nats, as in `gains`.
    """
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    rows = rows[rng.permutation(len(rows))[:ROWS]].astype("float64")
    held_out = held_out.astype("float64")
    varying = np.flatnonzero(rows.min(axis=0) < rows.max(axis=0))
    chosen = rng.permutation(varying)[:FEATURES]
    middle, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-12
    total = 0.0
    for feature in chosen:
        others = np.delete(np.arange(rows.shape[1]), feature)
        x, new = ((each - middle)[:, others] / spread[others] for each in (rows, held_out))
        share = rows[:, feature]
        # A value between 0 and 1 is both states, with its share as their weight.
        model = LogisticRegression(max_iter=200).fit(
            np.concatenate([x, x]),
            np.repeat([1, 0], len(x)),
            sample_weight=np.concatenate([share, 1 - share]) + 1e-12,
        )
        v, odds = held_out[:, feature], model.decision_function(new)
        mean = np.clip(v.mean(), 1e-6, 1 - 1e-6)
        alone = v * np.log(mean) + (1 - v) * np.log(1 - mean)
        total += float((v * odds - np.logaddexp(0, odds) - alone).mean())
    return total * len(varying) / max(1, len(chosen))


def shortfall(linear: float, gain: float) -> str:
    """What is said where linear predictors know more than the machine."""
    if linear < gain + 0.05:
        return ""
    return (
        f", but linear predictors of each feature from the others gain {linear:.3g} nats (the "
        f"machine: {gain:.3g}): it is the machine that falls short"
    )


def knowledge(model: InfiniteRBM, held_out: np.ndarray, tolerance: float) -> tuple[int, float]:
    """The width that a machine needs, and its mean gain on held-out rows in nats."""
    width = model.effective_units(held_out, tolerance)
    return width, float(gains(model, held_out, [max(1, width)]).mean())


def best_machine(
    net: Any, number: int, rows: np.ndarray, held_out: np.ndarray
) -> tuple[InfiniteRBM, int, float]:
    """The machine of one layer, its width and its gain.

    Values near one half say little to binary units. Where a first machine knows less than half of
    what linear predictors know, another is trained on bits that are drawn of the values.
    """
    model = train_machine(net, number, rows)
    width, gain = knowledge(model, held_out, net.tolerance)
    between = ((rows > 0.01) & (rows < 0.99)).mean() > 0.5
    if number == 0 and between and gain < net.linear_gain / 2:
        other = train_machine(net, number, rows, as_bits=True)
        other_width, other_gain = knowledge(other, held_out, net.tolerance)
        if other_gain > gain:
            return other, other_width, other_gain
    return model, width, gain


def train_machine(net: Any, number: int, rows: np.ndarray, as_bits: bool = False) -> InfiniteRBM:
    """Trains the machine of one layer.

    Args:
        net: The `EnergyNet`, for its settings.
        number: Which layer, from 0.
        rows: `(rows, visible)` in [0, 1].
        as_bits: Whether values are taken as probabilities, of which each step draws bits.
    """
    batch = min(net.batch_size, len(rows))
    seed = net.seed + number
    # Enough capacity for most cases: growing it retraces functions.
    model = InfiniteRBM(
        net.beta, max_units=net.max_units, gibbs_steps=net.gibbs_steps,
        capacity=min(net.max_units, 256), seed=seed,
    )  # fmt: skip
    epoch = min(net.steps, 50)
    with warnings.catch_warnings():
        # Constant features are common, as at the edges of images.
        warnings.simplefilter("ignore")
        model.adapt(rows)
        # Under JAX several steps at once take as much longer to compile.
        together = math.gcd(epoch, 10) if keras.backend.backend() == "tensorflow" else 1
        optimizer = keras.optimizers.Adagrad(net.learning_rate)
        model.compile(optimizer, steps_per_execution=together)
        model.fit(
            _batches(rows, batch, seed, as_bits), steps_per_epoch=epoch,
            epochs=max(1, round(net.steps / epoch)), verbose=0,
        )  # fmt: skip
    return model


def _batches(rows, size, seed, as_bits):
    """Yields full batches endlessly, with a new order for each pass over the rows.

    Keras would shuffle with the global random state, which belongs to the caller.
    """
    rng = np.random.default_rng(seed)
    order = np.empty(0, int)
    while True:
        while len(order) < size:
            order = np.concatenate([order, rng.permutation(len(rows))])
        chosen, order = order[:size], order[size:]
        batch = rows[chosen]
        yield ((rng.random(batch.shape) < batch).astype(batch.dtype) if as_bits else batch,)
