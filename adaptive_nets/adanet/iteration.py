"""One round: train the proposed subnetworks, weigh the candidate ensembles, choose."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np

from adaptive_nets.adanet import strategy as strategies
from adaptive_nets.adanet.ensemble import Ensemble, Ensembler, Mixture
from adaptive_nets.adanet.evaluator import Evaluator, mean_loss, measure
from adaptive_nets.adanet.generator import Report
from adaptive_nets.adanet.inputs import StreamFeed
from adaptive_nets.adanet.leaderboard import Entry
from adaptive_nets.adanet.member import Member
from adaptive_nets.adanet.subnetwork import Builder
from adaptive_nets.adanet.trainer import RoundTrainer
from adaptive_nets.adanet.training import Training
from adaptive_nets.adanet.views import FiniteFeed, View
from adaptive_nets.distribute import Group
from adaptive_nets.heads import Head

TARGET_CALL_SECONDS = 0.2


class DivergedError(RuntimeError):
    """All of a round's candidates had a non-finite loss."""


class Round:
    """Trains one round's subnetworks step by step, restartable at any call.

    Args:
        number: The round, from 1.
        members: New `Member`s.
        trainer: Their `RoundTrainer`.
        feed: `get(step) -> (source, indices)` and `chunk`, the steps it covers.
        steps: Steps to be taken.
        group: The processes that take them together. Defaults to those of the trainer's strategy.

    Attributes:
        training: `Training`.
        step_seconds: Seconds a step takes, or `None` before the first.
        consistent: Whether the weights are those of `training.step`: not while a call runs.
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
        count = len(members)
        self.training = Training.begin(count, steps)
        self.step_seconds = None
        self.consistent = True
        self._chunk = None

    def compile(self) -> None:
        """Traces and compiles the step without taking one."""
        source, indices = self._fetch(self.training.step)
        self.trainer.run(source, indices, 0, 0)

    def advance(self, seconds: float = float("inf"), last: float = float("inf")) -> np.ndarray:
        """Takes some steps in one compiled call.

        Args:
            seconds: Time left; the call is kept shorter.
            last: The step that it must not go beyond.

        Returns:
            float32 losses `(steps taken, members)`.
        """
        t = self.training
        source, indices = self._fetch(t.step)
        offset = t.step - self._chunk[0]
        aim = min(TARGET_CALL_SECONDS, seconds)
        wanted = 1 if self.step_seconds is None else max(1, int(aim / self.step_seconds))
        # Collective operations meet only in loops of as many steps.
        (wanted,) = map(int, self.group.agree(wanted))
        left = int(min(self.steps, last)) - t.step
        stop = min(offset + wanted, self.feed.chunk, offset + left)
        began = time.perf_counter()
        self.consistent = False
        losses = self.trainer.run(source, indices, offset, stop)
        elapsed = time.perf_counter() - began
        taken = stop - offset
        self.step_seconds = elapsed / taken
        t.add(losses, elapsed)
        self.consistent = True
        return losses

    def _fetch(self, step):
        begin = step - step % self.feed.chunk
        if self._chunk is None or self._chunk[0] != begin:
            self._chunk = (begin, self.feed.get(begin))
        return self._chunk[1]

    @property
    def done(self) -> bool:
        return self.training.step >= self.steps or not self.trainer.alive.any()

    def state(self) -> list[np.ndarray]:
        """All variables of all subnetworks, in a fixed order."""
        count = range(len(self.members))
        return [keras.ops.convert_to_numpy(v) for k in count for v in self.trainer.variables(k)]

    def header(self) -> dict:
        """What a checkpoint says beside `state`, as JSON values."""
        names = [m.name for m in self.members]
        return {"round": self.number, "names": names, **self.training.header()}

    def restore(self, header: dict, arrays: list[np.ndarray]) -> bool:
        """Goes on from a checkpoint; `False` where it does not fit this round."""
        if not self.put(header, arrays, range(len(self.members))):
            return False
        self.training = Training.from_header(header)
        self.trainer.alive = self.training.diverged == 0
        return True

    def put(self, header: dict, arrays: list[np.ndarray], places: range) -> bool:
        """Gives some of the subnetworks the state of a checkpoint of just these, where it fits."""
        variables = [v for k in places for v in self.trainer.variables(k)]
        names = [self.members[k].name for k in places]
        fits = header["round"] == self.number and header["names"] == names
        if not fits or [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
            return False
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        return True

    def check_weights(self) -> None:
        """Marks subnetworks whose weights are not finite as diverged at the last step."""
        for k, member in enumerate(self.members):
            weights = member.model.get_weights()
            finite = all(np.isfinite(w).all() for w in weights if w.dtype.kind == "f")
            if not self.training.diverged[k] and not finite:
                self.training.diverged[k] = self.training.step


@dataclasses.dataclass
class Contender:
    """A candidate ensemble with its weights and measurements."""

    ensemble: Ensemble
    measured: dict
    new: tuple[str, ...]


class Judge:
    """Weighs and scores candidate ensembles.

    Args:
        head: The task's head.
        ensembler: The `Ensembler`.
        evaluator: `Evaluator`, or `None` to choose by the objective on the training data.
        train: Training `View`.
        valid: Validation `View`, or `None`.
        judged: The evaluator's `View`, or `None`.
        reported: The `View` whose metrics reach the generator, or `None`.
        chunks: For streams: function of members that gives `(outputs, labels, weights)` chunks.
    """

    def __init__(
        self,
        head: Head,
        ensembler: Ensembler,
        evaluator: Evaluator | None,
        train: View,
        valid: View | None = None,
        judged: View | None = None,
        reported: View | None = None,
        chunks: Callable[[Sequence[Member]], Iterable[tuple]] | None = None,
    ):
        self.head, self.ensembler, self.evaluator = head, ensembler, evaluator
        self.train, self.valid, self.judged, self.chunks = train, valid, judged, chunks
        self.reported = reported

    @property
    def views(self) -> list[View]:
        views = (self.train, self.valid, self.judged, self.reported)
        return list({id(v): v for v in views if v is not None}.values())

    def prepare(self, members: Sequence[Member]) -> None:
        """Computes the new members' outputs on every view with one traced function."""
        function = None
        for view in self.views:
            if any(f"{m.name}.logits" not in view.cache for m in members):
                function = function or view.function(members)
                view.outputs(members, function)

    def contend(
        self, candidate: strategies.Candidate, number: int, new: dict, previous: Ensemble | None
    ) -> Contender:
        """Fits a candidate's mixture weights and measures it."""
        old = previous.members if candidate.previous and previous else ()
        members = (*old, *(new[name] for name in candidate.new))
        start = previous.mixture if old else None
        rows = self.train.rows
        arguments = {"members": members, "start": start, "loss": self.head.loss}
        if self.chunks is None:
            outputs = self.train.outputs(members)
            mixture = self.ensembler.fit(outputs, rows.y, rows.w, **arguments)
        else:
            mixture = self.ensembler.fit_stream(self.chunks(members), **arguments)
        measured, objective = self.measure(members, mixture)
        ensemble = Ensemble(candidate.name, number, members, mixture, objective)
        return Contender(ensemble, measured, candidate.new)

    def measure(self, members: Sequence[Member], mixture: Mixture) -> tuple[dict, float]:
        """Measurements by column name, and the number to be minimised."""
        measured = {}
        for prefix, view in (("", self.train), ("val_", self.valid)):
            if view is not None:
                found = measure(self.head, self._logits(view, members, mixture), view.rows)
                measured |= {prefix + k: v for k, v in found.items()}
        measured["penalty"] = mixture.penalty
        if self.evaluator is None:
            return measured, measured["loss"] + mixture.penalty
        if self.judged is self.valid:
            found = {k[4:]: v for k, v in measured.items() if k.startswith("val_")}
        else:
            found = measure(
                self.head, self._logits(self.judged, members, mixture), self.judged.rows
            )
        return measured, self.evaluator.value(found)

    def _logits(self, view, members, mixture):
        return self.ensembler.apply(mixture, view.outputs(members))

    def single_loss(self, member: Member) -> float:
        """Loss of a subnetwork on its own, on the data that candidates are judged by."""
        view = self.judged or self.valid or self.train
        return mean_loss(self.head, view.outputs([member])[0]["logits"], view.rows)

    def report(self, member: Member, contenders: Sequence[Contender]) -> dict:
        """What the generator is told of a subnetwork's quality.

        `objective` is that of the best candidate ensemble with it. With report data there are the
        head's metrics of the subnetwork on its own, and as `ensemble_...` of that candidate.
        """
        best = min(
            (c for c in contenders if member in c.ensemble.members),
            key=lambda c: c.ensemble.objective,
            default=None,
        )
        told = {} if best is None else {"objective": best.ensemble.objective}
        view = self.reported
        if view is None:
            return told
        told |= measure(self.head, view.outputs([member])[0]["logits"], view.rows)
        if best is not None:
            logits = self._logits(view, best.ensemble.members, best.ensemble.mixture)
            found = measure(self.head, logits, view.rows)
            told |= {f"ensemble_{name}": value for name, value in found.items()}
        return told


def choose(
    contenders: list[Contender], previous: Ensemble | None, force_grow: bool
) -> Contender | None:
    """The winner: the lowest objective, the smaller of equals; `None` where nothing is better.

    The previous ensemble is candidate 0, so a round that does not lower the objective ends
    the search (AdaNet, figure 3) unless it is told to grow.
    """
    field = [c for c in contenders if np.isfinite(c.ensemble.objective)]
    if not field:
        return None
    best = min(c.ensemble.objective for c in field)
    slack = 1e-12 * max(1.0, abs(best))
    equal = [c for c in field if c.ensemble.objective <= best + slack]
    winner = min(equal, key=lambda c: c.ensemble.parameters)
    if previous is not None and not force_grow and best >= previous.objective - slack:
        return None
    return winner


def entries(
    round_: Round,
    contenders: list[Contender],
    winner: Contender | None,
    previous: Ensemble | None,
    previous_measured: dict,
    gamma: Callable[[float], float],
    status: str = "selected",
) -> list[Entry]:
    """Leaderboard rows of a round."""
    t = round_.training
    rows = []
    parent = f"{previous.iteration}/{previous.name}" if previous is not None else ""

    def add(name, status, ensemble, measured, parent):
        r = ensemble.members[-1].complexity
        rows.append(
            Entry(
                round_.number, name, status, ensemble.objective, measured, ensemble.parameters,
                t.step, t.seconds, r, gamma(r), ensemble.mixture.norms()[-1], parent,
            )
        )  # fmt: skip

    if previous is not None:
        kept = "rejected" if winner is not None else status
        add("previous", kept, previous, previous_measured, parent)
    for c in contenders:
        grown = parent if len(c.ensemble.members) > len(c.new) else ""
        add(c.ensemble.name, status if c is winner else "rejected", c.ensemble, c.measured, grown)
    nan = float("nan")
    for member, step in zip(round_.members, t.diverged, strict=True):
        if step:
            rows.append(
                Entry(
                    round_.number, member.builder, f"diverged at step {step}", nan, {},
                    member.parameters, int(step), t.seconds, member.complexity,
                    gamma(member.complexity), nan, parent,
                )
            )  # fmt: skip
    return rows


def candidates(
    round_: Round, strategy_list: list[strategies.Strategy], previous: Ensemble | None
) -> list[strategies.Candidate]:
    """Candidate ensembles of the subnetworks that did not diverge."""
    names = [
        m.builder
        for m, step in zip(round_.members, round_.training.diverged, strict=True)
        if not step
    ]
    if not names:
        failed = ", ".join(
            f"{m.builder} (step {s})"
            for m, s in zip(round_.members, round_.training.diverged, strict=True)
        )
        raise DivergedError(
            f"All candidates of round {round_.number} had a non-finite loss: {failed}. The "
            "previous ensemble, if any, stands. Lower the learning rate or clip gradients."
        )
    return strategies.propose(strategy_list, names, previous is not None, round_.number)


def reports(
    round_: Round,
    builders: list[Builder],
    contenders: list[Contender],
    winner: Contender | None,
    told: dict[str, dict],
) -> list[Report]:
    """What the generator is told of a round's subnetworks.

    Args:
        round_: The finished `Round`.
        builders: Its builders.
        contenders: Its candidate ensembles.
        winner: The chosen one, or `None`.
        told: Metrics of the subnetworks that did not diverge, by name.
    """
    listed = []
    for builder, member in zip(builders, round_.members, strict=True):
        hyperparameters = json.loads(json.dumps(builder.hyperparameters(), default=str))
        trained = builder.name in told
        listed.append(
            Report(
                round_.number, builder.name, hyperparameters, member.attributes,
                told.get(builder.name, {}), winner is not None and builder.name in winner.new,
                "trained" if trained else "diverged",
            )
        )  # fmt: skip
    return listed
