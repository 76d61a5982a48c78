"""The loop over rounds that `AdaNet.fit` runs."""

import dataclasses
import time
from typing import TYPE_CHECKING

import keras
import numpy as np

from adaptive_nets.adanet import iteration as rounds
from adaptive_nets.adanet.generator import propose
from adaptive_nets.adanet.inputs import Inputs, StreamFeed, chunk_steps, finite_feed
from adaptive_nets.adanet.progress import Progress
from adaptive_nets.adanet.record import Record, member_to_json
from adaptive_nets.adanet.state import ModelDir
from adaptive_nets.adanet.storage import Spool
from adaptive_nets.adanet.subnetwork import build_member, derive_seed
from adaptive_nets.adanet.tensorboard import CandidateScalars
from adaptive_nets.adanet.trainer import RoundTrainer, loss_scaled, prefers_xla
from adaptive_nets.adanet.views import View, preprocess

if TYPE_CHECKING:
    from adaptive_nets.adanet.search import AdaNet

MIXTURE_CHUNKS = 40
PREPROCESSING_FILE = "preprocessing.keras"


class Clock:
    """Time since `fit` began, against its limit."""

    def __init__(self, limit: float | None):
        self.began, self.limit = time.perf_counter(), limit

    def remaining(self) -> float:
        if self.limit is None:
            return float("inf")
        return self.limit - (time.perf_counter() - self.began)


class Run:
    """One call of `fit`: rounds until something stops them.

    Args:
        search: The `AdaNet`; read for its settings, and its `record` is replaced after rounds.
        inputs: Checked `Inputs`.
        folder: `ModelDir`, or `None`.
        clock: `Clock`.
        callbacks: `keras.callbacks.CallbackList`.
        progress: `Progress`.
    """

    def __init__(
        self,
        search: "AdaNet",
        inputs: Inputs,
        folder: ModelDir | None,
        clock: Clock,
        callbacks: keras.callbacks.CallbackList,
        progress: Progress,
    ):
        self.search, self.inputs, self.head = search, inputs, search.head
        self.folder, self.clock = folder, clock
        self.callbacks, self.progress = callbacks, progress
        self.closing_seconds = self.opening_seconds = None
        last = search.ensembler.reads_last_layer
        self.train, self.valid, judged = (
            rows and View(preprocess(rows, search.preprocessing), last)
            for rows in (inputs.train, inputs.valid, inputs.judged)
        )
        self.stream = None
        if inputs.stream is not None:
            chunk = chunk_steps(inputs.train, inputs.batch_size, search.steps_per_iteration)
            self.stream = StreamFeed(
                inputs.stream, self.head, inputs.batch_size, chunk, search.preprocessing,
                search.record.stream_chunks, inputs.class_weight,
            )  # fmt: skip
        self.judge = rounds.Judge(
            self.head, search.ensembler, search.evaluator, self.train, self.valid,
            (judged or self.valid) if search.evaluator is not None else None,
            self._mixture_chunks if self.stream is not None else None,
        )  # fmt: skip

    @property
    def record(self) -> Record:
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
        while not reason:
            reason = self.round() or self._reason_to_stop()
        self._commit(dataclasses.replace(self.record, stop_reason=reason))
        if self.folder is not None and self.record.partial is None:
            self.folder.drop_checkpoints()

    def _measured_again(self):
        """The record with its ensemble's objective on the data of this call."""
        record = self.record
        if record.ensemble is None:
            return record
        measured, objective = self.judge.measure(record.ensemble.members, record.ensemble.mixture)
        return dataclasses.replace(
            record,
            ensemble=dataclasses.replace(record.ensemble, objective=objective),
            measured=measured,
            best_single_loss=self.judge.single_loss(record.best_single),
        )

    def _reason_to_stop(self):
        if self.record.iteration >= self.search.max_iterations:
            return "max_iterations"
        if self.search.stop_training:
            return "callback"
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
        builders = propose(self.search.generator, previous, number, self.record.reports)
        round_ = self._open(builders, number, previous)
        names = [b.name for b in builders]
        total = self.search.max_iterations
        self.progress.round_begin(number, total, names, round_.steps)
        self._hook("on_epoch_begin", number - 1)
        self._hook("on_round_begin", number, logs={"candidates": names})
        try:
            round_.compile()
            self.opening_seconds = time.perf_counter() - began
            if self.folder is not None and not self.folder.has_state():
                self._commit(self.record)
            interrupted = self._train(round_)
        except KeyboardInterrupt:
            self._checkpoint(round_)
            raise
        if interrupted:
            self._checkpoint(round_)
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
        self._commit(record)
        self.closing_seconds = time.perf_counter() - closing
        shown = self.record.current
        metrics = {k: v for k, v in shown.measured.items() if k != "penalty"}
        name, _ = self.head.main_metric
        brief = {k: v for k, v in metrics.items() if k in (name, f"val_{name}")}
        label = winner or "no candidate is better than the previous ensemble"
        self.progress.round_end(label, shown.ensemble.objective, brief)
        logs = {"objective": shown.ensemble.objective, **metrics}
        self._hook("on_epoch_end", number - 1, logs=logs)
        self._hook("on_round_end", number, logs=logs)
        if interrupted:
            return interrupted
        return "" if winner else "no_improvement"

    # A round's parts --------------------------------------------------------------------------

    def _open(self, builders, number, previous):
        search = self.search
        for view in self.judge.views:
            view.keep_only(self.record.members().values())
            if previous is not None:
                view.outputs(previous.members)
        scales = base = None
        if search.training == "residual":
            scales = search.ensembler.scales(len(previous.members) if previous else 0)
            if previous is not None:
                outputs = self.train.outputs(previous.members)
                base = search.ensembler.apply(previous.mixture, outputs)
        labels = self.train.rows.y
        output_range = self.head.output_range(labels, base)
        members = [
            build_member(
                b, self.train.rows.spec, self.head.units, previous, number, search.complexity,
                search.used_seed, output_range,
            )
            for b in builders
        ]  # fmt: skip
        optimizers = [loss_scaled(b.optimizer()) for b in builders]
        steps = search.steps_per_iteration
        jit_compile = search.jit_compile
        if jit_compile == "auto":
            jit_compile = prefers_xla([m.model for m in members], steps)
        trainer = RoundTrainer(members, optimizers, self.head, scales, jit_compile)
        if self.stream is not None:
            feed = self.stream
            feed.begin_round()
            feed.base = self._stream_base(previous) if base is not None else None
        else:
            seed = derive_seed(search.used_seed, number, "batches")
            feed = finite_feed(self.train, self.inputs.batch_size, steps, base, seed)
        round_ = rounds.Round(number, members, trainer, feed, steps)
        self._resume(round_)
        return round_

    def _resume(self, round_):
        """Goes on from this round's checkpoint; one of anything else is of no more use."""
        found = self.folder.read_checkpoint() if self.folder is not None else self.search.paused
        if found is None:
            return
        # A stream need not give the same sample again.
        same = self.stream is not None or found[0]["data"] == self.search.data_fingerprint
        alive = not all(found[0]["diverged"])
        if not (same and alive and round_.restore(*found)) and self.folder is not None:
            self.folder.drop_checkpoints()

    def _stream_base(self, previous):
        function = self.train.function(previous.members)

        def base(x):
            outputs = function(x, lambda: Spool(self.train.cache_limit))
            return self.search.ensembler.apply(previous.mixture, outputs)

        return base

    def _mixture_chunks(self, members):
        function = self.train.function(members)
        for _ in range(MIXTURE_CHUNKS):
            rows = self.stream.rows()
            yield function(rows.x, lambda: Spool(self.train.cache_limit)), rows.y, rows.w

    def _train(self, round_) -> str:
        """Trains to the end, or to the limit; returns what interrupted it, or `""`."""
        folder = self.folder and self.folder.path / "tensorboard" / f"round_{round_.number}"
        names = [m.builder for m in round_.members]
        scalars = CandidateScalars(folder, names, round_.steps)
        saved = time.perf_counter()
        try:
            while not round_.done:
                left = self.clock.remaining() - self._closing(round_)
                # The very first round always takes a step: without it there is no model.
                if left <= 0 and (self.record.ensemble is not None or round_.training.step):
                    return "time_limit"
                first = round_.training.step
                self._hook("on_train_batch_begin", first)
                losses = round_.advance(left)
                logs = dict(zip(names, round_.training.losses, strict=True))
                alive = losses[-1][np.isfinite(losses[-1])]
                logs["loss"] = float(np.mean(alive)) if len(alive) else float("nan")
                self._hook("on_train_batch_end", round_.training.step - 1, logs=logs)
                limit = self.clock.remaining()
                self.progress.update(round_.training, None if np.isinf(limit) else limit)
                scalars.write(round_.training)
                if self.search.stop_training and not round_.done:
                    return "callback"
                due = time.perf_counter() - saved >= self.search.checkpoint_seconds
                if due and self.folder is not None:
                    self._checkpoint(round_)
                    saved = time.perf_counter()
        finally:
            scalars.close()
        return ""

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
        wanted = rounds.candidates(round_, self.search.strategies, previous)
        new = {
            m.builder: m
            for m, step in zip(round_.members, round_.training.diverged, strict=True)
            if not step
        }
        self.judge.prepare(list(new.values()))
        contenders = [self.judge.contend(c, round_.number, new, previous) for c in wanted]
        winner = rounds.choose(contenders, previous, self.search.force_grow and not partial)
        if winner is None and previous is None:
            raise rounds.DivergedError(
                f"No candidate of round {round_.number} has a finite objective: "
                f"{', '.join(new)}. Check the labels' scale and the learning rate."
            )
        status = "partial" if partial else "selected"
        before = self.record
        rows = rounds.entries(round_, contenders, winner, previous, before.measured, status)
        single, single_loss = before.best_single, before.best_single_loss
        losses = {name: self.judge.single_loss(member) for name, member in new.items()}
        for name, loss in losses.items():
            if loss < single_loss:
                single, single_loss = new[name], loss
        record = dataclasses.replace(
            before,
            iteration=round_.number,
            ensemble=winner.ensemble if winner else previous,
            measured=winner.measured if winner else before.measured,
            entries=(*before.entries, *rows),
            reports=(
                *before.reports,
                *rounds.reports(round_, builders, contenders, winner, losses),
            ),
            best_single=single,
            best_single_loss=single_loss,
            stream_chunks=self.stream.used if self.stream is not None else 0,
            partial=None,
        )
        return record, winner and winner.ensemble.name

    # Keeping ------------------------------------------------------------------------------

    def _checkpoint(self, round_):
        if not round_.consistent:
            return
        header = {
            "round": round_.number,
            "names": [m.name for m in round_.members],
            "data": self.search.data_fingerprint,
            **round_.training.header(),
        }
        if self.folder is None:
            self.search.paused = (header, [v.copy() for v in round_.state()])
        else:
            self.folder.write_checkpoint(round_.training.step, header, round_.state())

    def _commit(self, record):
        """Makes a record the search's, on disk first."""
        if self.folder is not None:
            if self.search.preprocessing is not None and not self.folder.has_state():
                self.folder.save_model(self.search.preprocessing, PREPROCESSING_FILE)
            members = record.members()
            files = {name: record.file(member) for name, member in members.items()}
            for name, member in members.items():
                # Members of earlier rounds never change.
                kept = member.iteration <= self.record.iteration
                if not kept or not (self.folder.path / files[name]).exists():
                    self.folder.save_model(member.model, files[name])
            files = list(files.values())
            state = {
                **self.search.state_header(),
                "members": {
                    n: {**member_to_json(m), "file": record.file(m)} for n, m in members.items()
                },
                "files": files,
                "record": record.to_json(),
            }
            self.folder.write_state(state)
            self.folder.drop_members(files)
            if record.iteration > self.record.iteration:
                self.folder.drop_checkpoints()
        if record.iteration > self.record.iteration:
            self.search.paused = None
        self.search.record = record
        self.search.forget_models()

    def _hook(self, name, *args, **kwargs):
        if hasattr(keras.callbacks.Callback, name):
            getattr(self.callbacks, name)(*args, **kwargs)
            return
        for callback in self.callbacks.callbacks:
            if hasattr(callback, name):
                getattr(callback, name)(*args, **kwargs)
