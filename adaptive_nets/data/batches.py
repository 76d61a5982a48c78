"""`Batches`: the order in which rows are read."""

import numpy as np


class Batches:
    """Seeded order of rows, in which step s of a round always reads the same rows.

    Every epoch is a new permutation. A batch may cross the boundary between two epochs, so
    all batches are full and every row is read once per epoch.

    Args:
        rows: Number of rows.
        batch_size: Rows per step.
        seed: Seed of the row order.
        index: Row numbers of a sample, possibly with repetitions. Defaults to `None`: every row
            once.
    """

    def __init__(self, rows: int, batch_size: int, seed: int, index: np.ndarray | None = None):
        self.index = np.arange(rows, dtype="int32") if index is None else np.asarray(index, "int32")
        self.rows, self.size, self.seed = len(self.index), batch_size, seed
        if index is None:
            self.size = min(batch_size, rows)
        self._epoch = (-1, None)

    def _permutation(self, epoch):
        if self._epoch[0] != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._epoch = (epoch, rng.permutation(self.index))
        return self._epoch[1]

    def indices(self, step: int, steps: int) -> np.ndarray:
        """Returns int32 row numbers of shape `(steps, batch_size)`, starting at step `step`."""
        first, last = step * self.size, (step + steps) * self.size
        parts = []
        for epoch in range(first // self.rows, -(-last // self.rows)):
            start = epoch * self.rows
            cut = slice(max(first - start, 0), min(last - start, self.rows))
            parts.append(self._permutation(epoch)[cut])
        return np.concatenate(parts).reshape(steps, self.size)
