"""`RoundPlan`: divides the time of a call of `fit` into rounds."""

from adaptive_nets.adanet.defaults import EPOCHS, LONGER, Defaults
from adaptive_nets.adanet.rounds.records import Entry
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.timing.budget import Budget
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.machine import clock

# Rounds in a row that may gain less than a thousandth of the loss's unit before a search ends.
PATIENCE, LEAST_GAIN = 2, 1e-3

# The same with early stopping, under which rounds are short, and gains are seen on held-out rows.
HELD_OUT_PATIENCE, LEAST_HELD_OUT_GAIN = 4, 1e-4

# A round whose steps follow from the time reads its rows at most this many times.
MOST_EPOCHS = EPOCHS

# Rounds that share the time with early stopping. Few long ones are better than many short ones, and
# the time that they do not need goes to further rounds.
STOPPING_ROUNDS = 2

# Steps a second of a small model, as long as nothing has been measured.
USUAL_SPEED = 1000.0


# In less time a round does not win back what a slower compiler takes.
COMPILING_PAYS = 5.0


class RoundPlan:
    """What a search does with a time limit where its settings leave it open.

    With `steps_per_iteration="auto"` the rounds share the time: each trains for at least 500 steps,
    or the default number if that is less, and goes on until its share is over or it has read the
    rows as often as by default. With `max_iterations="auto"` rounds go on until the time is over,
    or the last ones have gained next to nothing. Without a time limit both have fixed defaults.
    Values that are set are kept. With early stopping, which may end a round before its share is
    over, two rounds share the time, each may read the rows five times as often, and the time that
    they do not need goes to further rounds.

    Args:
        settings: `SearchSettings`.
        budget: Limits on time and steps.
        epoch_steps: Steps that read all rows once; infinity for an endless dataset.
        unit: What the loss is measured in. Defaults to 1.
    """

    def __init__(
        self, settings: SearchSettings, budget: Budget, epoch_steps: float, unit: float = 1.0
    ):
        self.budget, self.unit = budget, unit
        self.rounds = settings.rounds
        timed = budget.limit is not None
        self.open_steps = timed and settings.steps_per_iteration == "auto"
        # A search that grows whatever it gains would not end by itself.
        self.open_rounds = timed and settings.max_iterations == "auto" and not settings.force_grow
        # The default for the rows is the most where time decides; to do with less may be needed.
        steps = settings.steps
        self.stops_early = settings.stopping is not None
        if self.open_rounds and self.stops_early:
            self.rounds = STOPPING_ROUNDS
        self.most = max(steps, (LONGER if self.stops_early else 1) * MOST_EPOCHS * epoch_steps)
        self.steps = min(steps, Defaults.steps) if self.open_steps else steps
        self.most_steps = steps
        self.begun = 0
        self.taken: int | None = None
        self.step_seconds: float | None = None
        self._start, self._remaining, self._left = 0.0, float("inf"), 1
        self._began: float | None = None
        self._first = 0

    def begin_round(self, done: int) -> None:
        """Gives the next round its share of the time.

        Args:
            done: Number of completed rounds of the search.
        """
        if not self.open_steps:
            return
        self._left = max(1, self.rounds - (self.begun if self.open_rounds else done))
        self.begun += 1
        self._start, self._remaining = clock.now(), self.budget.remaining()
        self._began = None

    def seconds_left(self) -> float:
        """Returns the seconds that the round may still train.

        They change while it does, as it becomes known what a round takes besides.
        """
        least = self.least_seconds()
        share = max(self._remaining / self._left, least)
        if self._remaining - share < least:
            share = self._remaining
        return self._start + share - self.budget.keeps - clock.now()

    def least_seconds(self) -> float:
        """Returns the seconds that a round is worth: at least half of it must be training."""
        around = (self.budget.opening_seconds or 0.0) + self.budget.keeps
        least = self.steps if self.open_steps else 0
        return around + max(around, least * (self.step_seconds or 0.0))

    def expected_steps(self) -> int:
        """Returns about how many steps the next round will train, by which it is compiled."""
        most = self._steps_by_time()
        if not self.stops_early:
            return most
        # Early stopping ends most rounds sooner, one about as soon as the one before it.
        usual = self.most_steps // LONGER if self.taken is None else self.taken
        return max(1, min(most, int(usual)))

    def trained(self, steps: int) -> None:
        """Records how many steps a round has trained for."""
        self.taken = steps

    def _steps_by_time(self):
        if not self.open_steps:
            return self.steps
        seconds = max(0.0, self.seconds_left())
        if seconds < COMPILING_PAYS:
            return self.steps
        speed = USUAL_SPEED if self.step_seconds is None else 1.0 / self.step_seconds
        return max(self.steps, int(min(self.most, seconds * speed)))

    def adjusted_steps(self, round_: Round) -> int:
        """Returns the number of steps of a round in training, given the time left."""
        if not self.open_steps:
            return round_.steps
        step, now = round_.training.step, clock.now()
        if self._began is None:
            self._began, self._first = now, step
        taken = step - self._first
        if taken:
            self.step_seconds = (now - self._began) / taken
        left = self.seconds_left()
        over = left <= 0 or self.budget.ends_training(round_.step_seconds)
        more = 0 if over else max(1, int(left / self.step_seconds)) if taken else self.steps
        return max(self.steps, int(min(self._most_steps(), step + more)))

    def _most_steps(self):
        # What would be too little for another round is not left unused.
        after = self.budget.remaining() - 2 * self.budget.keeps
        return self.most if after > self.least_seconds() else float("inf")

    def stalled(self, entries: tuple[Entry, ...], won: bool) -> bool:
        """Returns whether a search is over because its rounds gain nothing.

        Args:
            entries: The leaderboard, with that of the newest round.
            won: Whether the newest round has improved the ensemble.
        """
        if not self.open_rounds:
            return not won
        chosen = {e.round: e.objective for e in entries if e.status == "selected"}
        patience, least = PATIENCE, LEAST_GAIN
        if self.stops_early:
            patience, least = HELD_OUT_PATIENCE, LEAST_HELD_OUT_GAIN
        objectives = [chosen[number] for number in sorted(chosen)][-patience - 1 :]
        gain = objectives[0] - objectives[-1]
        return len(objectives) > patience and gain < least * self.unit
