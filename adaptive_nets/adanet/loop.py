"""The loop over rounds that `AdaNet.fit` runs."""

import dataclasses
import time

from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.adanet.checkpoints.checkpointer import Checkpointer
from adaptive_nets.adanet.checkpoints.load import read_search
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.adanet.monitoring.hooks import Hooks
from adaptive_nets.adanet.monitoring.progress import Progress
from adaptive_nets.adanet.placement.base import Placement, RoundJob
from adaptive_nets.adanet.rounds.budget import Budget
from adaptive_nets.adanet.rounds.runner import Decision, RoundRunner
from adaptive_nets.keras_internals import seeded

_REASONS = ("", "max_iterations", "callback", "time_limit", "max_steps")


class SearchLoop:
    """Runs rounds until something stops them: one call of `fit`.

    Args:
        context: `SearchContext`.
        data: Checked `FitData`.
        placement: `Placement` that trains the subnetworks.
        checkpointer: `Checkpointer`; the loop starts from its `state`.
        hooks: Callbacks.
        progress: Progress display.
        budget: Limits on time and steps.
    """

    def __init__(
        self,
        context: SearchContext,
        data: FitData,
        placement: Placement,
        checkpointer: Checkpointer,
        hooks: Hooks,
        progress: Progress,
        budget: Budget,
    ):
        self.context, self.data, self.placement = context, data, placement
        self.checkpointer, self.hooks, self.progress = checkpointer, hooks, progress
        self.budget = budget
        self.runner = RoundRunner(context, data, checkpointer.state.stream_chunks)

    @property
    def state(self) -> SearchState:
        """The current `SearchState`."""
        return self.checkpointer.state

    def run(self, other_data: bool = False) -> SearchState:
        """Runs rounds and returns the final state.

        Args:
            other_data: Whether earlier rounds used other training data.
        """
        seed = derive_seed(self.context.seed, self.state.iteration, "fit")
        with seeded(seed), self.placement.session(self.context, self.data, self.checkpointer):
            # A partial result stays in force until its round is decided again.
            self.checkpointer.state = dataclasses.replace(self.state, stop_reason="")
            self.checkpointer.sweep()
            if other_data:
                standing = self.runner.measure_again(self.state.standing)
                self.checkpointer.state = self.state.standing_at(standing)
            reason = self._reason_to_stop()
            if not reason:
                self._prepare_generator()
            while not reason:
                reason = self._round() or self._reason_to_stop()
            self.checkpointer.commit(dataclasses.replace(self.state, stop_reason=reason))
            if self.state.partial is None:
                self.checkpointer.drop_checkpoints()
        return self.state

    def _prepare_generator(self):
        writer = self.checkpointer.writer
        folder = writer and writer.path / "generator"
        self.context.settings.generator.prepare(self.runner.train.rows.x, folder)

    def _reason_to_stop(self):
        (found,) = self.context.group.agree(_REASONS.index(self._own_reason_to_stop()))
        return _REASONS[int(found)]

    def _own_reason_to_stop(self):
        settings, done = self.context.settings, self.state.iteration
        if done >= settings.max_iterations:
            return "max_iterations"
        if self.hooks.stop_requested:
            return "callback"
        if done * settings.steps_per_iteration >= self.budget.max_steps:
            return "max_steps"
        known = self.state.current.ensemble is not None
        return "time_limit" if known and not self.budget.has_time_for_a_round() else ""

    def _round(self) -> str:
        """Runs one round; returns why the search must stop, or `""`."""
        number = self.state.iteration + 1
        with seeded(derive_seed(self.context.seed, number, "round")):
            builders = propose_builders(
                self.context.settings.generator, self.state.ensemble, number, self.state.reports
            )
            job = RoundJob(
                number, builders, self.runner, self.checkpointer, self.hooks, self.progress,
                self.budget,
            )  # fmt: skip
            return self._follow(job) if self.placement.follows else self._lead(job)

    def _lead(self, job) -> str:
        """Runs a round that this process decides; returns why to stop, or `""`."""
        began = time.perf_counter()
        job.round = job.set_up(job.builders)
        rounds = self.context.settings.max_iterations
        self.progress.round_begin(job.number, rounds, job.names, job.round.steps)
        self.hooks.round_begin(job.number, job.names)
        try:
            self.placement.prepare(job)
            self.budget.opening_seconds = time.perf_counter() - began
            folder = self.checkpointer.folder
            if folder is not None and not folder.has_state():
                self.checkpointer.commit(self.state)
            interrupted = self.placement.train(job)
        except KeyboardInterrupt:
            self.checkpointer.checkpoint(job.round)
            raise
        if interrupted:
            self.checkpointer.checkpoint(job.round)
        closing = time.perf_counter()
        decision = self.runner.decide(
            job.round, job.builders, self.state.standing, bool(interrupted)
        )
        self._keep(decision, bool(interrupted), began)
        self.budget.closing_seconds = time.perf_counter() - closing
        self.placement.decided(job)
        self._tell(job.number, decision.winner)
        return interrupted or ("" if decision.winner else "no_improvement")

    def _keep(self, decision: Decision, interrupted: bool, began: float):
        """Saves the outcome of a round."""
        after = self.state.after(decision, time.perf_counter() - began)
        if interrupted:
            after = dataclasses.replace(self.state, partial=after)
        elif not decision.winner:
            # In the same write as the round, so that a search killed after it has ended too.
            after = dataclasses.replace(after, stop_reason="no_improvement")
        self.checkpointer.commit(after)

    def _follow(self, job) -> str:
        """Trains this process's share of a round, then adopts the chief's decision."""
        self.hooks.round_begin(job.number, job.names)
        stored = self.placement.follow(job)
        self.checkpointer.adopt(read_search(stored, self.checkpointer.folder).state)
        if self.state.iteration >= job.number:
            self._tell(job.number, self.state.ensemble.name)
        return self.state.stop_reason

    def _tell(self, number, winner):
        """Reports the outcome of a round to the display and the callbacks."""
        shown = self.state.current
        metrics = {k: v for k, v in shown.measured.items() if k != "penalty"}
        name, _ = self.context.head.main_metric
        brief = {k: v for k, v in metrics.items() if k in (name, f"val_{name}")}
        label = winner or "no candidate ensemble beats the previous one"
        self.progress.round_end(label, shown.ensemble.objective, brief)
        self.hooks.round_end(number, {"objective": shown.ensemble.objective, **metrics})
