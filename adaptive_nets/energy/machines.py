"""The machine of one layer of an `EnergyNet`, and the linear predictors that it has to beat."""

import dataclasses
import math
import warnings
from typing import Any

import keras
import numpy as np

from adaptive_nets.energy.checks import UNITS_PER_FEATURE, has_real_values
from adaptive_nets.energy.inspection import NUMBERS, gains
from adaptive_nets.energy.ordered import InfiniteRBM

# Enough to see whether there is anything to learn.
ROWS, FEATURES = 4000, 64
# How far a machine may stay behind linear predictors, in nats, before the report says so.
BEHIND = 0.2


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


def shortfall(linear: float | None, gain: float) -> str:
    """What is said where linear predictors know more than the machine."""
    if linear is None or linear < gain + 0.05:
        return ""
    return (
        f", but linear predictors of each feature from the others gain {linear:.3g} nats (the "
        f"machine: {gain:.3g}): it is the machine that falls short"
    )


def knowledge(model: InfiniteRBM, held_out: np.ndarray, tolerance: float) -> tuple[int, float]:
    """The width that a machine needs, and its mean gain on held-out rows in nats."""
    # Of many rows a part: the width is searched in some twenty passes over them.
    work = held_out.shape[1] * model.n_units
    width = model.effective_units(held_out[: max(500, NUMBERS // work)], tolerance)
    return width, float(gains(model, held_out, [max(1, width)]).mean())


@dataclasses.dataclass(frozen=True)
class Learned:
    """A machine and what it knows about held-out rows.

    Args:
        model: The machine.
        method: How it was trained: `"pcd"` or `"pl"`.
        width: How many of its units are needed.
        gain: Its gain over independent features, in nats.
        linear: What linear predictors gain, or `None` where it was not needed.
    """

    model: InfiniteRBM
    method: str
    width: int
    gain: float
    linear: float | None

    @property
    def is_behind(self) -> bool:
        """Whether linear predictors know more than twice as much."""
        return self.linear is not None and 2 * self.gain < self.linear


def best_machine(
    net: Any, rows: np.ndarray, held_out: np.ndarray, seed: int, linear: float | None
) -> Learned:
    """The machine of one layer.

    It is trained by samples first. Real values near one half say little to samples of binary
    units: where the machine knows less than half of what linear predictors know, a second one
    learns the pseudo-likelihood, and the one that knows more is taken. So it is for bits if the
    machine knows nothing.

    Args:
        net: The `EnergyNet`, for its settings.
        rows: `(rows, visible)` in [0, 1].
        held_out: Other rows.
        seed: For all that is random.
        linear: What linear predictors gain, or `None` to find it where it is needed.
    """
    found = _learned(net, rows, held_out, seed, "pcd", linear)
    if not found.width and linear is None:
        found = dataclasses.replace(found, linear=linear_gain(rows, held_out, seed))
    if not found.is_behind or (found.width and not has_real_values(rows)):
        return found
    other = _learned(net, rows, held_out, seed, "pl", found.linear)
    return max(found, other, key=lambda each: (each.width > 0, each.gain))


def _learned(net, rows, held_out, seed, method, linear):
    model = train_machine(net, rows, seed, method)
    return Learned(model, method, *knowledge(model, held_out, net.tolerance), linear)


def train_machine(net: Any, rows: np.ndarray, seed: int, method: str) -> InfiniteRBM:
    """Trains the machine of one layer.

    Args:
        net: The `EnergyNet`, for its settings.
        rows: `(rows, visible)` in [0, 1].
        seed: For all that is random.
        method: `"pcd"`, with Adagrad, or `"pl"`, with Adam.
    """
    batch = min(net.batch_size, len(rows))
    most = net.max_units
    if method == "pl" or has_real_values(rows):
        # Without a bound, more and more units would learn real values by heart; and the cost of
        # "pl" is that of all units for each feature.
        most = min(most, max(64, UNITS_PER_FEATURE * rows.shape[1]))
    # Enough capacity for most cases: growing it retraces functions.
    model = InfiniteRBM(
        net.beta, max_units=most, gibbs_steps=net.gibbs_steps, capacity=min(most, 256), seed=seed,
        method=method,
    )  # fmt: skip
    epoch = min(net.steps, 50)
    with warnings.catch_warnings():
        # Constant features are common, as at the edges of images.
        warnings.simplefilter("ignore")
        model.adapt(rows)
        # Under JAX several steps at once take as much longer to compile.
        together = math.gcd(epoch, 10) if keras.backend.backend() == "tensorflow" else 1
        kind = keras.optimizers.Adam if method == "pl" else keras.optimizers.Adagrad
        model.compile(kind(net.learning_rate), steps_per_execution=together)
        model.fit(
            _batches(rows, batch, seed), steps_per_epoch=epoch,
            epochs=max(1, round(net.steps / epoch)), verbose=0,
        )  # fmt: skip
    return model


def _batches(rows, size, seed):
    """Yields full batches endlessly, with a new order for each pass over the rows.

    Keras would shuffle with the global random state, which belongs to the caller.
    """
    rng = np.random.default_rng(seed)
    order = np.empty(0, int)
    while True:
        while len(order) < size:
            order = np.concatenate([order, rng.permutation(len(rows))])
        chosen, order = order[:size], order[size:]
        yield (rows[chosen],)
