"""`TrainingState`: the progress of a round: steps, running losses, learning curves."""

import dataclasses

import numpy as np

CURVE_POINTS = 100


@dataclasses.dataclass
class TrainingState:
    """State of a round's training. All of it is stored in a checkpoint.

    The same steps result in the same state, however many a compiled call takes.

    Args:
        step: Number of steps taken.
        seconds: Time they took.
        losses: Running mean loss of each subnetwork.
        diverged: Step at which each subnetwork's loss became non-finite, or 0 if it did not.
        window: Number of steps per point of the learning curve.
        curve: Mean loss of each subnetwork over each full window.
        partial: Sum of losses since the last full window.
    """

    step: int
    seconds: float
    losses: np.ndarray
    diverged: np.ndarray
    window: int
    curve: list[list[float]]
    partial: np.ndarray

    @classmethod
    def begin(cls, members: int, steps: int) -> "TrainingState":
        """Returns the state before the first step."""
        window = -(-steps // CURVE_POINTS)
        nothing = np.full(members, np.nan)
        return cls(0, 0.0, nothing, np.zeros(members, int), window, [], np.zeros(members))

    def add(self, losses: np.ndarray, seconds: float) -> None:
        """Adds some steps.

        Args:
            losses: `(steps, members)` losses.
            seconds: Time they took.
        """
        taken = len(losses)
        for k in range(losses.shape[1]):
            bad = np.flatnonzero(~np.isfinite(losses[:, k]))
            if not self.diverged[k] and len(bad):
                self.diverged[k] = self.step + bad[0] + 1
        # A running mean over about 50 steps, however many a call takes.
        fade = 0.98 ** np.arange(taken, 0, -1.0)[:, None] / 0.98
        old = np.where(np.isnan(self.losses), losses[0], self.losses)
        self.losses = 0.98**taken * old + 0.02 * (fade * losses).sum(axis=0)
        first = self.window - self.step % self.window
        for part in np.split(losses.astype("float64"), range(first, taken, self.window)):
            # One after another, so that the sum does not depend on where a call ended.
            self.partial = np.cumsum([self.partial, *part], axis=0)[-1]
            self.step += len(part)
            if self.step % self.window == 0:
                self.curve.append((self.partial / self.window).tolist())
                self.partial = np.zeros_like(self.partial)
                self._thin_out()
        self.seconds += seconds

    def _thin_out(self):
        # A round whose steps follow from the time has more of them than it began with.
        if len(self.curve) == 2 * CURVE_POINTS:
            pairs = np.reshape(self.curve, (CURVE_POINTS, 2, -1))
            self.curve, self.window = pairs.mean(axis=1).tolist(), 2 * self.window

    @classmethod
    def joined(
        cls, parts: dict[range, "TrainingState"], members: int, steps: int
    ) -> "TrainingState":
        """Joins the states of a round whose subnetworks were trained in parts.

        Args:
            parts: States by the positions of their subnetworks.
            members: Number of all subnetworks.
            steps: Number of steps of the round.
        """
        whole = cls.begin(members, steps)
        whole.step = max(part.step for part in parts.values())
        whole.seconds = max(part.seconds for part in parts.values())
        # A part whose subnetworks all diverged ended before the others.
        curve = np.full((max(len(part.curve) for part in parts.values()), members), np.nan)
        for places, part in parts.items():
            own = list(places)
            whole.losses[own], whole.diverged[own] = part.losses, part.diverged
            whole.partial[own] = part.partial
            if part.curve:
                curve[: len(part.curve), own] = part.curve
        whole.curve = curve.tolist()
        return whole

    def header(self) -> dict:
        """Returns the state as JSON values."""
        return {
            **dataclasses.asdict(self),
            "losses": self.losses.tolist(),
            "diverged": self.diverged.tolist(),
            "partial": self.partial.tolist(),
        }

    @classmethod
    def from_header(cls, header: dict) -> "TrainingState":
        """Restores the state from the output of `header`."""
        given = {field.name: header[field.name] for field in dataclasses.fields(cls)}
        for name, kind in (("losses", float), ("diverged", int), ("partial", float)):
            given[name] = np.array(given[name], kind)
        return cls(**given)
