"""The loop over rounds that `AdaNet.fit` runs."""

import dataclasses
import itertools
import time
from typing import TYPE_CHECKING

import keras
import numpy as np

from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.adanet.checkpoints.checkpointer import Checkpointer
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.adanet.monitoring.progress import Progress
from adaptive_nets.adanet.monitoring.tensorboard import CandidateScalars
from adaptive_nets.adanet.rounds.finalize import finalize_member
from adaptive_nets.adanet.rounds.records import Curve, generator_reports, leaderboard_entries
from adaptive_nets.adanet.rounds.scoring import CandidateScorer
from adaptive_nets.adanet.rounds.selection import DivergedError, candidate_ensembles, select_best
from adaptive_nets.adanet.rounds.setup import set_up_round
from adaptive_nets.data.feeds import StreamFeed, chunk_steps
from adaptive_nets.data.preprocessing import preprocess
from adaptive_nets.data.spool import Spool

if TYPE_CHECKING:
    from adaptive_nets.adanet.search import AdaNet

# Of an endless dataset mixture weights are solved on so many pieces of at most so many rows.
MIXTURE_CHUNKS, MIXTURE_ROWS = 40, 4096

REASONS = ("", "max_iterations", "callback", "time_limit", "max_steps")


class TimeBudget:
    """Time since `fit` began, against its limit."""

    def __init__(self, limit: float | None):
        self.began, self.limit = time.perf_counter(), limit

    def remaining(self) -> float:
        if self.limit is None:
            return float("inf")
        return self.limit - (time.perf_counter() - self.began)


class SearchLoop:
    """One call of `fit`: rounds until something stops them.

    Args:
        search: The `AdaNet`; read for its settings, and its `record` is replaced after rounds.
        inputs: Checked `FitData`.
        folder: `ModelDir`, or `None`.
        clock: `TimeBudget`.
        callbacks: `keras.callbacks.CallbackList`.
        progress: `Progress`.
        max_steps: Of the whole search, or `None`.
    """

    def __init__(
        self,
        search: "AdaNet",
        inputs: FitData,
        folder: ModelDir | None,
        clock: TimeBudget,
        callbacks: keras.callbacks.CallbackList,
        progress: Progress,
        max_steps: int | None = None,
    ):
        self.search, self.inputs, self.head = search, inputs, search.head
        self.folder, self.clock, self.group = folder, clock, search.group
        self.keeper = Checkpointer(search, folder)
        self.callbacks, self.progress = callbacks, progress
        self.max_steps = float("inf") if max_steps is None else max_steps
        self.closing_seconds = self.opening_seconds = None
        last = search.ensembler.reads_last_layer or search.complexity.needs_outputs
        self.train, self.valid, judged, reported = (
            rows and OutputCache(preprocess(rows, search.preprocessing), last, search.cache_bytes)
            for rows in (inputs.train, inputs.valid, inputs.judged, inputs.reported)
        )
        self.stream = None
        if inputs.stream is not None:
            chunk = chunk_steps(inputs.train, inputs.batch_size, search.steps_per_iteration)
            self.stream = StreamFeed(
                inputs.stream, self.head, inputs.batch_size, chunk, search.preprocessing,
                search.record.stream_chunks, inputs.class_weight,
            )  # fmt: skip
        self.judge = CandidateScorer(
            self.head, search.ensembler, search.evaluator, self.train, self.valid,
            (judged or self.valid) if search.evaluator is not None else None, reported,
            self._mixture_chunks if self.stream is not None else None,
        )  # fmt: skip

    @property
    def record(self) -> SearchState:
        return self.search.record

    # The loop -------------------------------------------------------------------------------

    def run(self, other_data: bool = False) -> None:
        """Runs rounds and leaves the result in the search's record.

        Args:
            other_data: Whether earlier rounds saw other training data.
        """
        # A partial result stands until its round is decided again.
        self.search.record = dataclasses.replace(self.record, stop_reason="")
        if self.folder is not None:
            self.folder.sweep()
        if other_data:
            self.search.record = self._measured_again()
        reason = self._reason_to_stop()
        if not reason:
            self.search.generator.prepare(self.train.rows.x, self._own_folder("generator"))
        while not reason:
            reason = self.round() or self._reason_to_stop()
        self.keeper.commit(dataclasses.replace(self.record, stop_reason=reason))
        if self.folder is not None and self.record.partial is None:
            self.folder.drop_checkpoints()

    def _measured_again(self):
        """The record with its ensemble's objective on the data of this call."""
        record = self.record
        if record.ensemble is None:
            return record
        measured, objective = self.judge.score(record.ensemble.members, record.ensemble.mixture)
        return dataclasses.replace(
            record,
            ensemble=dataclasses.replace(record.ensemble, objective=objective),
            measured=measured,
            best_single_loss=self.judge.single_loss(record.best_single),
        )

    def _reason_to_stop(self):
        (found,) = self.group.agree(REASONS.index(self._own_reason_to_stop()))
        return REASONS[int(found)]

    def _own_reason_to_stop(self):
        if self.record.iteration >= self.search.max_iterations:
            return "max_iterations"
        if self.search.stop_training:
            return "callback"
        if self.record.iteration * self.search.steps_per_iteration >= self.max_steps:
            return "max_steps"
        if self.record.current.ensemble is None:
            return ""
        needed = (self.opening_seconds or 0.0) + (self.closing_seconds or 0.0)
        if self.clock.remaining() <= needed:
            return "time_limit"
        return ""

    def round(self) -> str:
        """Runs one round; returns why the search must stop, or `""`."""
        began = time.perf_counter()
        number = self.record.iteration + 1
        previous = self.record.ensemble
        builders = propose_builders(self.search.generator, previous, number, self.record.reports)
        round_ = self._open(builders, number, previous)
        self._resume(round_)
        names = [b.name for b in builders]
        total = self.search.max_iterations
        self.progress.round_begin(number, total, names, round_.steps)
        self._hook("on_epoch_begin", number - 1)
        self._hook("on_round_begin", number, logs={"candidates": names})
        try:
            self._compile(round_)
            self.opening_seconds = time.perf_counter() - began
            if self.folder is not None and not self.folder.has_state():
                self.keeper.commit(self.record)
            interrupted = self._train(round_, builders)
        except KeyboardInterrupt:
            self.keeper.checkpoint(round_)
            raise
        if interrupted:
            self.keeper.checkpoint(round_)
        closing = time.perf_counter()
        record, winner = self._decide(round_, builders, previous, bool(interrupted))
        record = dataclasses.replace(
            record, seconds=self.record.seconds + time.perf_counter() - began
        )
        if interrupted:
            record = dataclasses.replace(self.record, partial=record)
        elif not winner:
            # In the same write as the round: a search that is killed after it has ended too.
            record = dataclasses.replace(record, stop_reason="no_improvement")
        self.keeper.commit(record)
        self.closing_seconds = time.perf_counter() - closing
        self._tell(number, winner)
        if interrupted:
            return interrupted
        return "" if winner else "no_improvement"

    def _tell(self, number, winner):
        """Says how a round ended."""
        shown = self.record.current
        metrics = {k: v for k, v in shown.measured.items() if k != "penalty"}
        name, _ = self.head.main_metric
        brief = {k: v for k, v in metrics.items() if k in (name, f"val_{name}")}
        label = winner or "no candidate is better than the previous ensemble"
        self.progress.round_end(label, shown.ensemble.objective, brief)
        logs = {"objective": shown.ensemble.objective, **metrics}
        self._hook("on_epoch_end", number - 1, logs=logs)
        self._hook("on_round_end", number, logs=logs)

    # A round's parts --------------------------------------------------------------------------

    def _open(self, builders, number, previous):
        kept = list(self.record.members().values())
        for view in self.judge.views:
            view.keep_only(kept)
            if previous is not None:
                view.outputs(previous.members)
        return set_up_round(
            self.search, self.inputs, self.train, self.stream, builders, number, previous
        )

    def _resume(self, round_):
        # A stream need not give the same sample again.
        self.keeper.resume(round_, same_data=self.stream is not None)
        self.group.check_same("the step that training goes on from", [round_.training.step])

    def _compile(self, round_):
        round_.compile()

    def _mixture_chunks(self, members):
        function = self.train.function(members, whole=True)
        chunks = (self.stream.rows() for _ in itertools.count())
        pieces = itertools.chain.from_iterable(rows.pieces(MIXTURE_ROWS) for rows in chunks)
        for rows in itertools.islice(pieces, MIXTURE_CHUNKS):
            found = function(rows.x, lambda: Spool(self.train.cache_limit))
            yield self.train.by_member(members, found), rows.y, rows.w

    def _train(self, round_, builders) -> str:
        """Trains to the end, or to the limit; returns what interrupted it, or `""`."""
        folder = self._own_folder("tensorboard", f"round_{round_.number}")
        names = [b.name for b in builders]
        scalars = CandidateScalars(folder, names, round_.steps)
        saved = time.perf_counter()
        last = self.max_steps - self.record.iteration * round_.steps
        try:
            while not round_.done:
                left = self.clock.remaining() - self._closing(round_)
                # The very first round always takes a step: without it there is no model.
                known = self.record.ensemble is not None or round_.training.step
                if self._agreed(left <= 0 and known):
                    return "time_limit"
                if round_.training.step >= last:
                    return "max_steps"
                first = round_.training.step
                self._hook("on_train_batch_begin", first)
                losses = round_.advance(left, last)
                logs = dict(zip(names, round_.training.losses, strict=True))
                alive = losses[-1][np.isfinite(losses[-1])]
                logs["loss"] = float(np.mean(alive)) if len(alive) else float("nan")
                self._hook("on_train_batch_end", round_.training.step - 1, logs=logs)
                limit = self.clock.remaining()
                self.progress.update(round_.training, None if np.isinf(limit) else limit)
                scalars.write(round_.training)
                if not round_.done and self._agreed(self.search.stop_training):
                    return "callback"
                due = time.perf_counter() - saved >= self.search.checkpoint_seconds
                if due and self.folder is not None:
                    self.keeper.checkpoint(round_)
                    saved = time.perf_counter()
        finally:
            scalars.close()
        return ""

    def _agreed(self, wanted) -> bool:
        """Whether the chief wants it."""
        return bool(self.group.agree(float(bool(wanted)))[0])

    def _own_folder(self, *names):
        """A folder that this process writes to, or `None`."""
        if self.folder is None or not self.search.is_chief:
            return None
        return self.folder.path.joinpath(*names)

    def _closing(self, round_) -> float:
        """Seconds that weighing, measuring and saving will take."""
        if self.clock.limit is None:
            return 0.0
        if self.closing_seconds is not None:
            return 1.2 * self.closing_seconds
        rows = sum(len(v.rows) for v in self.judge.views)
        passes = rows / self.inputs.batch_size * (round_.step_seconds or 0.0) / 2
        return 0.5 + 0.4 * len(round_.members) + passes

    def _decide(self, round_, builders, previous, partial):
        round_.check_weights()
        wanted = candidate_ensembles(round_, self.search.strategies, previous)
        new = {
            m.builder: m
            for m, step in zip(round_.members, round_.training.diverged, strict=True)
            if not step
        }
        for member in new.values():
            finalize_member(member, self.train)
        self.judge.prepare(list(new.values()))
        self._measure_complexities(new.values())
        contenders = [self.judge.contend(c, round_.number, new, previous) for c in wanted]
        winner = select_best(contenders, previous, self.search.force_grow and not partial)
        place = next((i for i, each in enumerate(contenders) if each is winner), -1)
        (place,) = map(int, self.group.agree(place))
        winner = None if place < 0 else contenders[place]
        if winner is None and previous is None:
            raise DivergedError(
                f"No candidate of round {round_.number} has a finite objective: "
                f"{', '.join(new)}. Check the labels' scale and the learning rate."
            )
        status = "partial" if partial else "selected"
        before = self.record
        rows = leaderboard_entries(
            round_, contenders, winner, previous, before.measured,
            self.search.ensembler.gamma, status,
        )  # fmt: skip
        single, single_loss = before.best_single, before.best_single_loss
        told = {}
        for name, member in new.items():
            loss = self.judge.single_loss(member)
            found = {"loss": loss, **self.judge.report(member, contenders)}
            told[name] = dict(zip(found, self.group.agree(*found.values()), strict=True))
            if told[name]["loss"] < single_loss:
                single, single_loss = member, told[name]["loss"]
        window, names = round_.training.window, [m.builder for m in round_.members]
        curves = dict(zip(names, np.transpose(round_.training.curve).tolist(), strict=False))
        record = dataclasses.replace(
            before,
            iteration=round_.number,
            ensemble=winner.ensemble if winner else previous,
            measured=winner.measured if winner else before.measured,
            entries=(*before.entries, *rows),
            reports=(
                *before.reports,
                *generator_reports(round_, builders, contenders, winner, told),
            ),
            curves=(*before.curves, Curve(round_.number, window, curves)),
            best_single=single,
            best_single_loss=single_loss,
            stream_chunks=self.stream.used if self.stream is not None else 0,
            partial=None,
        )
        return record, winner and winner.ensemble.name

    def _measure_complexities(self, members):
        rule = self.search.complexity
        for member in members:
            if rule.needs_outputs:
                (out,) = self.train.outputs([member])
                member.complexity = rule.measured(out["last_layer"], self.train.rows.w)

    def _hook(self, name, *args, **kwargs):
        if hasattr(keras.callbacks.Callback, name):
            getattr(self.callbacks, name)(*args, **kwargs)
            return
        for callback in self.callbacks.callbacks:
            if hasattr(callback, name):
                getattr(callback, name)(*args, **kwargs)
