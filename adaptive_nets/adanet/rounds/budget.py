"""`Budget`: the limits on time and steps of a call of `fit`."""

import time

from adaptive_nets.adanet.rounds.round import Round


class Budget:
    """The time limit of a call of `fit`, and the last step of the search.

    Args:
        limit: Seconds, or `None` for no limit.
        max_steps: Training steps of the whole search. Defaults to `None`: no limit.

    Attributes:
        opening_seconds: Time to set up a round, or `None` before the first.
        closing_seconds: Time to decide and save a round, or `None` before the first.
    """

    def __init__(self, limit: float | None, max_steps: int | None = None):
        self.began, self.limit = time.perf_counter(), limit
        self.max_steps = float("inf") if max_steps is None else max_steps
        self.opening_seconds = self.closing_seconds = None

    def remaining(self) -> float:
        """Returns the remaining seconds, which are infinite without a limit."""
        if self.limit is None:
            return float("inf")
        return self.limit - (time.perf_counter() - self.began)

    def has_time_for_a_round(self) -> bool:
        """Returns whether there is time to set up and decide another round."""
        return self.remaining() > (self.opening_seconds or 0.0) + (self.closing_seconds or 0.0)

    def training_seconds(self, round_: Round, rows: int, batch_size: int) -> float:
        """Returns the seconds left for training, such that the round can be decided and saved.

        Args:
            round_: The round.
            rows: Number of rows that its candidate ensembles will be measured on.
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
