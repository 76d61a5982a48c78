"""`Budget`: the limits on time and steps of a call of `fit`."""

import dataclasses

from absl import logging

from adaptive_nets.machine import clock

# Kept to decide a round as long as nothing has been measured: in all, and for each row.
UNMEASURED_CLOSING, UNMEASURED_ROW = 1.0, 3e-6

# What was measured may take a little longer the next time.
MARGIN = 1.1

# Deciding a round may take the greater share of the time left; if it would take more, the rows are
# limited such that it takes the smaller one.
MOST_CLOSING_SHARE, CLOSING_SHARE = 0.4, 0.3

# Rows that cost fewer seconds are all judged on.
LEAST_SAVING = 0.5

# A subnetwork competes once it has trained this share of its round's steps.
LEAST_SHARE = 0.1
# Steps of a round that has no end, which trains for as long as it is called.
ENDLESS_STEPS = 1_000_000_000


@dataclasses.dataclass(frozen=True)
class ClosingCost:
    """The seconds to score a round's candidate ensembles.

    Args:
        fixed: Seconds that do not depend on the number of rows.
        rows: Seconds for all rows.
    """

    fixed: float
    rows: float

    @classmethod
    def unmeasured(cls, rows: int) -> "ClosingCost":
        """Returns what small models cost, if there is no time to measure it."""
        return cls(UNMEASURED_CLOSING, UNMEASURED_ROW * rows)

    def seconds(self, share: float = 1.0) -> float:
        """Returns the seconds to score them on a share of the rows."""
        return self.fixed + share * self.rows

    def share_within(self, seconds: float) -> float:
        """Returns the share of the rows that can be scored in some seconds, 1 % to 100 %."""
        if self.seconds() <= seconds or self.rows <= 0:
            return 1.0
        return min(1.0, max(0.01, (seconds - self.fixed) / self.rows))


class Budget:
    """The time limit of a call of `fit`, and the last step of the search.

    Times are measured, not assumed: the first calls of a round's compiled function, which still
    allocate and load, count for nothing; the time to decide a round is first measured on a part
    of the rows (`rehearse_closing`), then on each round.

    Args:
        limit: Seconds, or `None` for no limit.
        max_steps: Training steps of the whole search. Defaults to `None`: no limit.

    Attributes:
        opening_seconds: Time to set up a round, or `None` before the first.
        closing: `ClosingCost` that is expected of the current round, or `None` before anything
            has been measured.
        shown: What took how long, for the message about a limit that could not be kept.
    """

    def __init__(self, limit: float | None, max_steps: int | None = None):
        self.began, self.limit = clock.now(), limit
        self.max_steps = float("inf") if max_steps is None else max_steps
        self.opening_seconds: float | None = None
        self.closing: ClosingCost | None = None
        self.shown: dict[str, float] = {}

    def elapsed(self) -> float:
        """Returns the seconds since `fit` was called."""
        return clock.now() - self.began

    def remaining(self) -> float:
        """Returns the remaining seconds, which are infinite without a limit."""
        return float("inf") if self.limit is None else self.limit - self.elapsed()

    @property
    def tolerance(self) -> float:
        """By how many seconds the limit may be exceeded."""
        return max(2.0, 0.05 * (self.limit or 0.0))

    @property
    def keeps(self) -> float:
        """Seconds that are kept to decide and save a round."""
        return UNMEASURED_CLOSING if self.closing is None else self.closing.seconds()

    def training_seconds(self) -> float:
        """Returns the seconds left for training, such that the round can be decided and saved."""
        return float("inf") if self.limit is None else self.remaining() - self.keeps

    def has_time_for(self, steps: float, step_seconds: float | None) -> bool:
        """Returns whether there is time to set up, train and decide another round.

        Args:
            steps: Steps that it must train at least.
            step_seconds: Seconds per step, or `None` if unknown.
        """
        if self.opening_seconds is None:
            return self.remaining() > 0
        least = self.opening_seconds + steps * (step_seconds or 0.0)
        closing = self.keeps
        if self.closing is not None:
            closing = self.closing.seconds(self.share_to_judge())
        return self.remaining() > least + closing

    def share_to_judge(self) -> float:
        """Returns the share of the rows now judged on that the time left suffices for."""
        if self.limit is None or self.closing is None:
            return 1.0
        enough = self.closing.seconds() <= MOST_CLOSING_SHARE * self.remaining()
        if enough or self.closing.rows < LEAST_SAVING:
            return 1.0
        return self.closing.share_within(CLOSING_SHARE * self.remaining())

    def judges_on(self, share: float) -> None:
        """Expects rounds to be decided on a share of the rows so far."""
        self.closing = dataclasses.replace(self.closing, rows=share * self.closing.rows)

    def ends_training(self, step_seconds: float | None) -> bool:
        """Returns whether a round must be decided now rather than after another step.

        A step that is long beside the time left is not begun if it would end past the limit.
        """
        left = self.training_seconds()
        return left <= 0 or (step_seconds or 0.0) - left > self.tolerance / 2

    def decided(self, seconds: float, members: int, next_members: int) -> None:
        """Records what deciding a round took, and expects the next one to take.

        Args:
            seconds: Time to decide and save it.
            members: Members of its largest candidate ensemble.
            next_members: The same of the next round.
        """
        self.note("deciding", seconds)
        # What was not expected may have other causes than the number of rows.
        rows = 0.0
        if self.closing is not None:
            rows = min(self.closing.rows, max(0.0, seconds - self.closing.fixed))
        # Their outputs are kept, but the weights of all members are solved for.
        growth = max(1.0, next_members / members)
        self.closing = ClosingCost(MARGIN * (seconds - rows), MARGIN * growth * rows)

    def opened(self, seconds: float) -> None:
        """Records what it took to set up a round."""
        self.note("building and compiling", seconds)
        self.opening_seconds = seconds

    def note(self, what: str, seconds: float) -> None:
        """Adds to what took how long."""
        self.shown[what] = self.shown.get(what, 0.0) + seconds

    def report(self, reason: str) -> str:
        """Returns how much of the time limit a search has used, and why it stopped.

        Warns of a limit that could not be kept.

        Args:
            reason: The search's `stop_reason`.
        """
        used = self.elapsed()
        if self.limit is not None and used > self.limit + self.tolerance:
            parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.shown.items())
            logging.warning(
                "fit took %.1f s with time_limit=%g (%s). Allow more time, or use a smaller model "
                "or fewer rows.", used, self.limit, parts,
            )  # fmt: skip
        return f"stopped after {used:.1f} of {self.limit:g} s: {reason}{self._why(reason)}"

    def _why(self, reason):
        left = self.remaining()
        if reason != "time_limit" or left < 0.1 * self.limit:
            return ""
        opening, closing = self.opening_seconds or 0.0, self.keeps
        return (
            f": the {left:.1f} s left do not suffice for another round, which takes {opening:.1f} "
            f"s to set up and {closing:.1f} s to decide"
        )
