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
        stopped: Step at which each subnetwork was stopped early, or 0 if it was not.
        held_out: What was measured on held-out rows: the step, and each subnetwork's loss.
    """

    step: int
    seconds: float
    losses: np.ndarray
    diverged: np.ndarray
    window: int
    curve: list[list[float]]
    partial: np.ndarray
    stopped: np.ndarray
    held_out: list[list[float]]

    @classmethod
    def begin(cls, members: int, steps: int) -> "TrainingState":
        """Returns the state before the first step."""
        window = -(-steps // CURVE_POINTS)
        return cls(
            0, 0.0, np.full(members, np.nan), np.zeros(members, int), window, [],
            np.zeros(members), np.zeros(members, int), [],
        )  # fmt: skip

    @property
    def going(self) -> np.ndarray:
        """Whether each subnetwork is still being trained."""
        return (self.diverged == 0) & (self.stopped == 0)

    @property
    def measured(self) -> bool:
        """Whether all subnetworks that are being trained have been measured as they are."""
        return not self.going.any() or (self.held_out != [] and self.held_out[-1][0] == self.step)

    def add(
        self,
        losses: np.ndarray,
        seconds: float,
        stopped: np.ndarray | None = None,
        measured: np.ndarray | None = None,
    ) -> None:
        """Adds some steps.

        Args:
            losses: `(steps, members)` losses.
            seconds: Time they took.
            stopped: Step at which each subnetwork was stopped early, or 0. Defaults to `None`:
                none was.
            measured: `(steps, members)` losses on held-out rows after each step, NaN where there
                was no measurement. Defaults to `None`: nothing was measured.
        """
        taken = len(losses)
        if stopped is not None:
            self.stopped = stopped.astype(int)
        for k in range(losses.shape[1]):
            bad = np.flatnonzero(~np.isfinite(losses[:, k]))
            if not self.diverged[k] and not self.stopped[k] and len(bad):
                self.diverged[k] = self.step + bad[0] + 1
        self._run_on(losses)
        if measured is not None:
            self._keep(measured)
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

    def add_measurement(self, losses: np.ndarray) -> None:
        """Adds a measurement on held-out rows without a step.

        Args:
            losses: `(members,)` losses.
        """
        self.held_out.append([float(self.step), *map(float, losses)])

    def _run_on(self, losses):
        """Brings the running means up to date: over about 50 steps, however many a call takes."""
        for k, own in enumerate(losses.T.astype("float64")):
            if self.stopped[k]:
                # It keeps the mean of its last steps.
                own = own[np.isfinite(own)]
            if not len(own):
                continue
            fade = 0.98 ** np.arange(len(own), 0, -1.0) / 0.98
            old = own[0] if np.isnan(self.losses[k]) else self.losses[k]
            self.losses[k] = 0.98 ** len(own) * old + 0.02 * (fade * own).sum()

    def _keep(self, measured):
        """Keeps up to twice as many measurements as a learning curve has points."""
        for place in np.flatnonzero(~np.isnan(measured).all(axis=1)):
            self.held_out.append([float(self.step + place + 1), *map(float, measured[place])])
            if len(self.held_out) == 2 * CURVE_POINTS:
                self.held_out = self.held_out[1::2]

    def _thin_out(self):
        # A round whose steps follow from the time has more of them than it began with.
        if len(self.curve) == 2 * CURVE_POINTS:
            pairs = np.reshape(self.curve, (CURVE_POINTS, 2, -1))
            self.curve, self.window = pairs.mean(axis=1).tolist(), 2 * self.window

    def averaged(self, group: int) -> "TrainingState":
        """Returns the state of groups of subnetworks, as if each were one.

        Losses are means. A group has diverged if one of it has, and stopped once all have.

        Args:
            group: Number of subnetworks in a group, one after another.
        """
        if group == 1:
            return self

        def split(values):
            shape = np.shape(values)
            return np.reshape(values, (*shape[:-1], shape[-1] // group, group))

        def mean(values):
            # Of those that have not stopped yet.
            known = ~np.isnan(split(values))
            total = np.where(known, split(values), 0.0).sum(axis=-1)
            return np.where(known.any(axis=-1), total / np.maximum(known.sum(axis=-1), 1), np.nan)

        stopped, diverged = split(self.stopped), split(self.diverged)
        held_out = np.reshape(self.held_out, (-1, 1 + len(self.losses)))
        measured = np.concatenate([held_out[:, :1], mean(held_out[:, 1:])], axis=1)
        return dataclasses.replace(
            self, losses=mean(self.losses), partial=mean(self.partial),
            diverged=diverged.max(axis=-1),
            stopped=np.where((stopped > 0).all(axis=-1), stopped.max(axis=-1), 0),
            curve=mean(self.curve).tolist() if self.curve else [],
            held_out=measured.tolist(),
        )  # fmt: skip

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
        held_out = {}
        curve = np.full((max(len(part.curve) for part in parts.values()), members), np.nan)
        for places, part in parts.items():
            own = list(places)
            whole.losses[own], whole.diverged[own] = part.losses, part.diverged
            whole.partial[own], whole.stopped[own] = part.partial, part.stopped
            for step, *losses in part.held_out:
                row = held_out.setdefault(step, np.full(members, np.nan))
                row[own] = losses
            if part.curve:
                curve[: len(part.curve), own] = part.curve
        whole.curve = curve.tolist()
        whole.held_out = [[step, *held_out[step].tolist()] for step in sorted(held_out)]
        return whole

    def header(self) -> dict:
        """Returns the state as JSON values."""
        return {
            **dataclasses.asdict(self),
            "losses": self.losses.tolist(),
            "diverged": self.diverged.tolist(),
            "partial": self.partial.tolist(),
            "stopped": self.stopped.tolist(),
        }

    @classmethod
    def from_header(cls, header: dict) -> "TrainingState":
        """Restores the state from the output of `header`."""
        # Checkpoints from before there was early stopping.
        absent = {"stopped": [0] * len(header["diverged"]), "held_out": []}
        header = {**absent, **header}
        given = {field.name: header[field.name] for field in dataclasses.fields(cls)}
        kinds = {"losses": float, "diverged": int, "partial": float, "stopped": int}
        for name, kind in kinds.items():
            given[name] = np.array(given[name], kind)
        return cls(**given)
