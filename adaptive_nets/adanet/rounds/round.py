"""`Round`: the training of one round."""

import statistics
from collections.abc import Sequence

import keras
import numpy as np

from adaptive_nets.adanet.candidates.stock.learning_rates import LearningRates
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.adanet.rounds.training_state import TrainingState
from adaptive_nets.data.feeds import FiniteFeed, StreamFeed
from adaptive_nets.distribute import Group
from adaptive_nets.machine import clock
from adaptive_nets.machine.signals import held_back

TARGET_CALL_SECONDS = 0.2


class Round:
    """Trains one round's subnetworks step by step, and can be restarted after any call.

    Args:
        number: The round, from 1.
        members: New `Member`s.
        trainer: `RoundTrainer` of their networks: the members themselves or, with folds, for each
            member one network per fold, one member after the other.
        feed: `FiniteFeed` or `StreamFeed`.
        steps: Number of training steps.
        group: The processes that train together. Defaults to `None`: those of the trainer's
            strategy.

    Attributes:
        training: `TrainingState` of the networks.
        rates: `LearningRates` of the members.
        step_seconds: Seconds per step, the median of the last calls; `None` before the first.
        consistent: Whether the weights match `training.step`. `False` while a call runs.
    """

    def __init__(
        self,
        number: int,
        members: list[Member],
        trainer: RoundTrainer,
        feed: FiniteFeed | StreamFeed,
        steps: int,
        group: Group | None = None,
    ):
        self.number, self.members, self.trainer = number, members, trainer
        self.group = group or Group(trainer.strategy)
        self.feed, self.steps = feed, steps
        self.networks = trainer.members
        self.folds = len(self.networks) // len(members)
        self.training = TrainingState.begin(len(self.networks), steps)
        self.rates = LearningRates(trainer.optimizers)
        self.step_seconds, self._newest = None, []
        self.consistent = True
        self._chunk = None

    def compile(self) -> None:
        """Traces and compiles the step without taking one."""
        source, indices = self._fetch(self.training.step)
        self.rates.set_length(self.steps)
        self.trainer.run(source, indices, 0, 0)

    def advance(self, seconds: float = float("inf"), last: float = float("inf")) -> np.ndarray:
        """Takes some steps in one compiled call.

        Args:
            seconds: Remaining time, which the call must not exceed. Defaults to infinity.
            last: The last step that it may take. Defaults to infinity.

        Returns:
            float32 losses `(steps taken, members)`.
        """
        t = self.training
        source, indices = self._fetch(t.step)
        offset = t.step - self._chunk[0]
        aim = min(TARGET_CALL_SECONDS, seconds)
        wanted = 1 if self.step_seconds is None else max(1, int(aim / self.step_seconds))
        # Collective operations require loops with the same number of steps in all processes.
        (wanted,) = map(int, self.group.agree(wanted))
        left = int(min(self.steps, last)) - t.step
        stop = min(offset + wanted, self.feed.chunk, offset + left)
        taken = stop - offset
        # Nearly all of the time is spent here: a signal should find weights that can be saved.
        with held_back():
            began = clock.now()
            self.consistent = False
            losses = self._run(source, indices, offset, stop, t.step + taken >= self.steps)
            elapsed = clock.now() - began
            # Fewer steps if all subnetworks have stopped early.
            taken = len(losses)
            t.add(losses, elapsed, self.trainer.stopped, self.trainer.measured)
            self.consistent = True
        # A single call that was held up, by a disk or another process, says nothing about the next.
        self._newest = [*self._newest, elapsed / taken][-3:]
        self.step_seconds = statistics.median_low(self._newest)
        return losses

    def stop(self, places: Sequence[int]) -> None:
        """Stops the training of some subnetworks, while the others go on."""
        networks, step = self._places(places), self.training.step
        stopped = np.array(self.trainer.stopped)
        stopped[networks] = step
        self.trainer.stopped = self.training.stopped = stopped
        self.trainer.alive = np.array(self.trainer.alive)
        self.trainer.alive[networks] = False

    def finish(self) -> None:
        """Gives each subnetwork its best weights; without early stopping they keep the last.

        The round's training cannot go on from there. Whatever was cut short is measured first.
        """
        best, t = self.trainer.best, self.training
        if best is None:
            return
        if not t.measured:
            source, indices = self._fetch(t.step)
            offset = t.step - self._chunk[0]
            self._run(source, indices, offset, offset, close=True)
            t.add_measurement(self.trainer.measured[0])
        for k in range(len(self.networks)):
            best.restore(k)

    def best(self, k: int) -> tuple[int, float] | None:
        """Returns the step of subnetwork k's lowest held-out loss, and that loss, or `None`.

        With folds they are the means over its networks.
        """
        best = self.trainer.best
        if best is None:
            return None
        places = self._places([k])
        steps = [int(best.steps[place]) for place in places]
        if not all(steps):
            return None
        losses = [float(best.losses[place]) for place in places]
        return round(statistics.fmean(steps)), statistics.fmean(losses)

    @property
    def progress(self) -> TrainingState:
        """The `TrainingState` of the members: with folds, means over each member's networks."""
        return self.training.averaged(self.folds)

    def networks_of(self, member: Member) -> list[Member]:
        """Returns a member's networks: itself or, with folds, one per fold."""
        (place,) = (k for k, each in enumerate(self.members) if each is member)
        return [self.networks[k] for k in self._places([place])]

    def _places(self, members):
        return [k * self.folds + fold for k in members for fold in range(self.folds)]

    def _run(self, source, indices, start, stop, close):
        self.rates.set_length(self.steps)
        trainer, first = self.trainer, self._chunk[0]
        if trainer.best is None:
            return trainer.run(source, indices, start, stop)
        due = close and (stop == start or (first + stop) % trainer.best.rule.every)
        return trainer.run(source, indices, start, stop, first, bool(due))

    def _fetch(self, step):
        begin = step - step % self.feed.chunk
        if self._chunk is None or self._chunk[0] != begin:
            self._chunk = (begin, self.feed.get(begin))
        return self._chunk[1]

    @property
    def done(self) -> bool:
        return self.training.step >= self.steps or not self.trainer.alive.any()

    @property
    def survivors(self) -> list[Member]:
        """Members that did not diverge."""
        pairs = zip(self.members, self.progress.diverged, strict=True)
        return [member for member, step in pairs if not step]

    def state(self) -> list[np.ndarray]:
        """Returns all variables of all subnetworks, in a fixed order."""
        count = range(len(self.networks))
        return [keras.ops.convert_to_numpy(v) for k in count for v in self.trainer.variables(k)]

    def header(self) -> dict:
        """Returns what a checkpoint holds besides `state`, as JSON values."""
        names = [m.name for m in self.networks]
        best = self.trainer.best
        held_out = {} if best is None else {"rows": best.held_out.fingerprint}
        return {"round": self.number, "names": names, **held_out, **self.training.header()}

    def restore(self, header: dict, arrays: list[np.ndarray]) -> bool:
        """Continues from a checkpoint. Returns `False` if it does not match this round."""
        if not self.put(header, arrays, range(len(self.members))):
            return False
        self.training = TrainingState.from_header(header)
        self.trainer.alive, self.trainer.stopped = self.training.going, self.training.stopped
        return True

    def put(self, header: dict, arrays: list[np.ndarray], places: range) -> bool:
        """Restores some subnetworks from a checkpoint. Returns `False` if it does not match."""
        own = self._places(places)
        variables = [v for k in own for v in self.trainer.variables(k)]
        names = [self.networks[k].name for k in own]
        best = self.trainer.best
        # Losses on other rows cannot be compared.
        same = best is None or header.get("rows") == best.held_out.fingerprint
        fits = same and header["round"] == self.number and header["names"] == names
        if not fits or [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
            return False
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        return True

    def check_weights(self) -> None:
        """Marks subnetworks whose weights are not finite as diverged at the last step."""
        for k, member in enumerate(self.networks):
            weights = member.model.get_weights()
            finite = all(np.isfinite(w).all() for w in weights if w.dtype.kind == "f")
            if not self.training.diverged[k] and not finite:
                self.training.diverged[k] = self.training.step
