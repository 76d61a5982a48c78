"""Shapley values: how each column of a row takes part in its prediction."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping

import numpy as np

Features = Mapping[str, np.ndarray]
Predict = Callable[[Features], np.ndarray]

# Of so many columns all subsets are tried.
MOST_EXACT = 6
# So many rows are predicted at a time.
_ROWS = 16_384


@dataclasses.dataclass(frozen=True)
class Contributions:
    """What the columns contribute to the outputs for one row.

    Args:
        mean: `[columns, outputs]` contributions.
        error: `[columns, outputs]` standard errors; NaN with a single draw.
    """

    mean: np.ndarray
    error: np.ndarray


class Shapley:
    """Explains rows against others, the background.

    A set of columns is worth the mean prediction for rows that have its values from the row to
    explain, and all others from a row of the background. A column's contribution is what it adds
    to that worth, averaged over all orders in which columns may be added (Shapley, 1953). Up to
    six columns this is computed over all subsets. Of more, orders are drawn: each with a row of
    the background, and followed by its reverse (Štrumbelj and Kononenko, 2014; Mitchell et al.,
    2022). Every row of the background is taken equally often, so that contributions add up to the
    prediction less the mean prediction for the background either way, up to rounding.

    Args:
        predict: Function from features to `[rows, outputs]`.
        keys: Keys of the features that are columns.
        background: Features of the background, `[rows, 1]` each.
        draws: Least number of orders that are drawn, with their reverses.
        seed: Seed of the draws.
    """

    def __init__(
        self, predict: Predict, keys: list[str], background: Features, draws: int, seed: int
    ):
        self.predict, self.keys, self.background = predict, keys, background
        self.count = len(next(iter(background.values())))
        self.base = predict(background)
        self._times = -(-draws // self.count)
        self._random = np.random.default_rng(seed)

    @property
    def exact(self) -> bool:
        """Whether all subsets of the columns are tried."""
        return len(self.keys) <= MOST_EXACT

    def explain(self, row: Features, predicted: np.ndarray) -> Contributions:
        """Returns what the columns contribute.

        Args:
            row: Its features, `[1, 1]` each.
            predicted: Its `[outputs]`.
        """
        each = self._over_subsets(row, predicted) if self.exact else self._drawn(row, predicted)
        error = np.full(each.shape[1:], np.nan)
        if len(each) > 1:
            error = each.std(axis=0, ddof=1) / math.sqrt(len(each))
        return Contributions(each.mean(axis=0), error)

    def _over_subsets(self, row, predicted):
        """Returns `[background, columns, outputs]` contributions against each background row."""
        width = len(self.keys)
        masks = np.array(list(itertools.product([False, True], repeat=width)))
        places = np.tile(np.arange(self.count), len(masks) - 2)
        inner = self._mixed(row, np.repeat(masks[1:-1], self.count, axis=0), places)
        whole = np.broadcast_to(predicted, self.base.shape)
        worth = np.concatenate([self.base, inner, whole]).reshape(len(masks), self.count, -1)
        return np.einsum("jm,mbk->bjk", _shares(masks), worth)

    def _drawn(self, row, predicted):
        """Returns `[draws, columns, outputs]`, means over an order and its reverse."""
        width = len(self.keys)
        places = np.tile(np.arange(self.count), self._times)
        orders = np.argsort(self._random.random((len(places), width)), axis=1)
        whole = np.broadcast_to(predicted, self.base[places].shape)
        found = np.zeros((len(places), width, whole.shape[1]))
        for order in (orders, orders[:, ::-1]):
            # At which step each column is added.
            step = np.argsort(order, axis=1)
            masks = step[:, None, :] < np.arange(1, width)[None, :, None]
            inner = self._mixed(row, masks.reshape(-1, width), np.repeat(places, width - 1))
            path = np.concatenate(
                [
                    self.base[places][:, None],
                    inner.reshape(len(places), width - 1, -1),
                    whole[:, None],
                ],
                axis=1,
            )
            found += np.take_along_axis(np.diff(path, axis=1), step[:, :, None], axis=1) / 2.0
        return found

    def _mixed(self, row, masks, places):
        """Returns the outputs of rows that have masked columns from the row to explain."""
        parts = []
        for start in range(0, len(masks), _ROWS):
            mask, place = masks[start : start + _ROWS], places[start : start + _ROWS]
            features = {key: values[place] for key, values in self.background.items()}
            for k, key in enumerate(self.keys):
                own = mask[:, k].reshape(-1, *[1] * (features[key].ndim - 1))
                features[key] = np.where(own, row[key], features[key])
            parts.append(self.predict(features))
        return np.concatenate(parts) if parts else self.base[:0]


def _shares(masks):
    """Returns `[columns, masks]` weights of the worth of subsets in the contributions."""
    width = masks.shape[1]
    size = masks.sum(axis=1)
    # Of all orders, the share in which exactly these columns come before one, or up to it.
    orders = np.array([1.0 / (width * math.comb(width - 1, k)) for k in range(width)])
    before = -orders[np.minimum(size, width - 1)]
    after = orders[np.maximum(size - 1, 0)]
    return np.where(masks.T, after, before)
