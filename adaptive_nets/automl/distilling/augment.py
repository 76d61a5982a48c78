"""Rows that are drawn from others: columns are exchanged between rows that are near."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

# Of so many rows drawn at random, the nearest is the one that columns are exchanged with.
_DRAWN = 16
# A column is exchanged with this probability.
_SHARE = 0.5
# Rows whose distances are computed at a time.
_BLOCK = 4096


def exchange(
    table: pd.DataFrame, encoded: Mapping[str, np.ndarray], rows: int, seed: int
) -> pd.DataFrame:
    """Returns further rows whose values are those of the table, in other combinations.

    Each row begins as one of the table, and takes half of its columns, drawn at random, from the
    nearest of 16 other rows. It is MUNGE (Bucila, Caruana and Niculescu-Mizil, 2006) with sampled
    neighbours, and with values exchanged as they are, so that numbers stay as they are written.

    Args:
        table: The rows.
        encoded: The same rows, encoded, by which distances are measured.
        rows: Number of rows to draw.
        seed: Seed of the draws.
    """
    random = np.random.default_rng(seed)
    count = len(table)
    numbers, codes = _comparable(encoded)
    # Every row is taken equally often.
    times = max(1, -(-rows // count))
    own = np.concatenate([random.permutation(count) for _ in range(times)])[:rows]
    partner = np.empty(rows, "int64")
    for start in range(0, rows, _BLOCK):
        some = own[start : start + _BLOCK]
        others = random.integers(0, count, (len(some), _DRAWN))
        far = np.abs(numbers[others] - numbers[some][:, None]).sum(axis=2)
        far += (codes[others] != codes[some][:, None]).sum(axis=2)
        # A row is not its own neighbour.
        far[others == some[:, None]] = np.inf
        partner[start : start + _BLOCK] = others[np.arange(len(some)), far.argmin(axis=1)]
    taken = {}
    for name in table.columns:
        place = np.where(random.random(rows) < _SHARE, partner, own)
        taken[name] = table[name].take(place).reset_index(drop=True)
    return pd.DataFrame(taken, columns=table.columns)


def _comparable(encoded):
    """Returns numbers in units of about their spread, and codes of categories and tokens."""
    rows = len(next(iter(encoded.values())))
    numbers, codes = np.zeros((rows, 0), "float32"), np.zeros((rows, 0), "int64")
    if "numbers" in encoded:
        given = np.asarray(encoded["numbers"], "float32")
        spread = given.std(axis=0)
        centred = (given - given.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        # What is far is far, however far it is.
        numbers = np.clip(centred, -3.0, 3.0)
    for key in ("missing", "categories"):
        if key in encoded:
            codes = np.concatenate([codes, np.asarray(encoded[key]).astype("int64")], axis=1)
    return numbers, codes
