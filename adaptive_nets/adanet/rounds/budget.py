"""How much time and how many steps a call of `fit` has."""

import time

from adaptive_nets.adanet.rounds.round import Round


class Budget:
    """Time since `fit` began against its limit, and the search's last step.

    Args:
        limit: Seconds, or `None`.
        max_steps: Training steps of the whole search, or `None`.

    Attributes:
        opening_seconds: What setting up a round took, or `None` before the first.
        closing_seconds: What deciding and saving a round took, or `None` before the first.
    """

    def __init__(self, limit: float | None, max_steps: int | None = None):
        self.began, self.limit = time.perf_counter(), limit
        self.max_steps = float("inf") if max_steps is None else max_steps
        self.opening_seconds = self.closing_seconds = None

    def remaining(self) -> float:
        """Seconds that are left; infinite without a limit."""
        if self.limit is None:
            return float("inf")
        return self.limit - (time.perf_counter() - self.began)

    def has_time_for_a_round(self) -> bool:
        """Whether another round can be set up and decided."""
        return self.remaining() > (self.opening_seconds or 0.0) + (self.closing_seconds or 0.0)

    def training_seconds(self, round_: Round, rows: int, batch_size: int) -> float:
        """Seconds left to train a round, so that it can still be decided and saved.

        Args:
            round_: The round.
            rows: Rows that its candidates will be measured on.
            batch_size: Rows per training step.
        """
        return self.remaining() - self._closing(round_, rows, batch_size)

    def _closing(self, round_, rows, batch_size):
        if self.limit is None:
            return 0.0
        if self.closing_seconds is not None:
            return 1.2 * self.closing_seconds
        passes = rows / batch_size * (round_.step_seconds or 0.0) / 2
        return 0.5 + 0.4 * len(round_.members) + passes
