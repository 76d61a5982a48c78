"""The loop over rounds that `AdaNet.fit` runs."""

import dataclasses

import tensorflow as tf
from absl import logging

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
from adaptive_nets.adanet.rounds.runner import Decision, RoundRunner
from adaptive_nets.adanet.rounds.timing.budget import LEAST_SHARE, Budget, ClosingCost
from adaptive_nets.adanet.rounds.timing.plan import RoundPlan
from adaptive_nets.keras_internals import seeded
from adaptive_nets.machine import clock

# Share of the time left for measuring what a decision takes, and the seconds that are too few.
REHEARSAL_SHARE, LEAST_REHEARSAL = 0.15, 0.3

# Candidates are judged on at least this many rows, however short the time is.
LEAST_JUDGED = 10_000

# To write a round's new members and the state.
SAVING_SECONDS = 0.3

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
        self.step_seconds = None
        self.plan = RoundPlan(context.settings, budget, data.epoch_steps, context.loss_unit)

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
            before = self.state
            began = self.checkpointer.state = dataclasses.replace(before, stop_reason="")
            if other_data or self.state.judged_share < 1.0:
                self._measure_again()
            reason = self._reason_to_stop()
            if not reason:
                self._prepare_generator()
            while not reason:
                reason = self._round() or self._reason_to_stop()
            if self.state is began and reason == before.stop_reason:
                # Nothing has changed, so nothing is written.
                self.checkpointer.adopt(before)
            else:
                self.checkpointer.commit(dataclasses.replace(self.state, stop_reason=reason))
            if self.state.partial is None:
                self.checkpointer.drop_checkpoints()
            self.checkpointer.settle()
            if self.budget.limit is not None:
                self.progress.stopped(self.budget.report(reason))
        return self.state

    def _prepare_generator(self):
        writer = self.checkpointer.writer
        generator = self.context.settings.generator
        folder = writer and writer.path / "generator"
        if writer is not None and generator.needs_features:
            folder = self.checkpointer.subfolder("generator")
        generator.prepare(self.runner.train.rows.x, folder)

    def _reason_to_stop(self):
        (found,) = self.context.group.agree(_REASONS.index(self._own_reason_to_stop()))
        return _REASONS[int(found)]

    def _own_reason_to_stop(self):
        settings, done = self.context.settings, self.state.iteration
        if not self.plan.open_rounds and done >= settings.rounds:
            return "max_iterations"
        if self.hooks.stop_requested:
            return "callback"
        if self.state.steps >= self.budget.max_steps:
            return "max_steps"
        known = self.state.current.ensemble is not None
        least = self.plan.steps * (1.0 if self.plan.open_steps else LEAST_SHARE)
        enough = self.budget.has_time_for(least, self.step_seconds)
        return "time_limit" if known and not enough else ""

    def _round(self) -> str:
        """Runs one round; returns why the search must stop, or `""`."""
        number = self.state.iteration + 1
        with seeded(derive_seed(self.context.seed, number, "round")):
            builders = propose_builders(
                self.context.settings.generator, self.state.ensemble, number, self.state.reports
            )
            self._limit_rows()
            self.plan.begin_round(self.state.iteration)
            self.checkpointer.check_names(number, [builder.name for builder in builders])
            job = RoundJob(
                number, builders, self.runner, self.checkpointer, self.hooks, self.progress,
                self.budget, plan=self.plan,
            )  # fmt: skip
            try:
                return self._follow(job) if self.placement.follows else self._lead(job)
            except (MemoryError, tf.errors.ResourceExhaustedError) as error:
                raise self._out_of_memory(number, error) from error

    def _check_stopping(self, builders):
        names = [builder.name for builder in builders if builder.steps_per_call]
        if names and self.placement.apart is not None:
            raise ValueError(
                f"Builder '{names[0]}' is called after steps of its training, which other "
                f"processes do: use placement='replicated', or early_stopping of the search. "
                f"Received: steps_per_call={builders[0].steps_per_call}."
            )

    def _out_of_memory(self, number, error):
        """Returns an error that says what is kept, and what may help."""
        reason = str(error).partition("\n")[0] or type(error).__name__
        if "No space left" in reason:
            return OSError(reason)
        kept = f"as of round {number - 1}" if number > 1 else "as it was before"
        return MemoryError(
            f"Memory ran out in round {number}: {reason}. The search is kept {kept}, and fit goes "
            "on from there. Use fewer or smaller candidates, a smaller batch_size or cache_bytes, "
            "or a machine with more memory."
        )

    def _lead(self, job) -> str:
        """Runs a round that this process decides; returns why to stop, or `""`."""
        began = clock.now()
        job.round = job.set_up(job.builders)
        self._check_stopping(job.builders)
        rounds = None if self.plan.open_rounds else self.context.settings.rounds
        self.progress.round_begin(job.number, rounds, job.names, job.round.steps)
        self.hooks.round_begin(job.number, job.names, job.round.rates)
        try:
            self.placement.prepare(job)
            self.budget.opened(clock.now() - began)
            self._rehearse(job)
            folder = self.checkpointer.folder
            if folder is not None and not folder.has_state():
                self.checkpointer.commit(self.state)
            interrupted = self.placement.train(job)
        # Python, or a handler of the user's own, ends a process by one of these.
        except (KeyboardInterrupt, SystemExit):
            self.checkpointer.checkpoint(job.round)
            raise
        training = job.round.training
        self.step_seconds = training.seconds / max(1, training.step)
        self.plan.trained(training.step)
        closing = clock.now()
        if interrupted:
            self.checkpointer.checkpoint(job.round)
        previous = self.state.ensemble
        decision = self.runner.decide(
            job.round, job.builders, self.state.standing, bool(interrupted)
        )
        self._keep(decision, bool(interrupted), began)
        members = 1 + len(previous.members) if previous else 1
        self.budget.decided(
            clock.now() - closing, members, 1 + len(self.state.current.ensemble.members)
        )
        self.placement.decided(job)
        self._tell(job.number, decision.winner)
        return interrupted or self.state.stop_reason

    def _rehearse(self, job):
        """Measures what it will take to decide the first round."""
        budget, began = self.budget, clock.now()
        if budget.limit is None or budget.closing is not None:
            return
        (spare,) = self.context.group.agree(REHEARSAL_SHARE * budget.remaining())
        if spare < LEAST_REHEARSAL:
            cost = ClosingCost.unmeasured(self.runner.rows)
        else:
            cost = self.runner.rehearse(job.round, self.state.ensemble, spare)
        written = SAVING_SECONDS if self.checkpointer.writer is not None else 0.0
        budget.closing = dataclasses.replace(cost, fixed=cost.fixed + written)
        budget.note("rehearsing a decision", clock.now() - began)
        self._limit_rows()

    def _limit_rows(self):
        """Judges on a part of the rows if all of them would take too much of the time left."""
        if self.budget.limit is None:
            return
        (share,) = self.context.group.agree(self.budget.share_to_judge())
        share = max(share, LEAST_JUDGED / self.runner.rows)
        if share >= 1.0:
            return
        seconds = self.budget.keeps
        self.budget.judges_on(share)
        share *= self.state.judged_share
        logging.warning(
            "Deciding round %d would take %.0f of the %.0f s left of time_limit=%g: candidate "
            "ensembles are weighed and measured on %.2g %% of the rows, drawn at random.",
            self.state.iteration + 1, seconds, max(0.0, self.budget.remaining()), self.budget.limit,
            100 * share,
        )  # fmt: skip
        self.runner.score_on_part(share, LEAST_JUDGED)
        self._measure_again(share)

    def _measure_again(self, share=1.0):
        standing = self.runner.measure_again(self.state.standing)
        self.checkpointer.state = self.state.standing_at(standing, judged_share=share)

    def _keep(self, decision: Decision, interrupted: bool, began: float):
        """Saves the outcome of a round."""
        after = self.state.after(decision, clock.now() - began)
        after = dataclasses.replace(after, rate_factor=self.hooks.rate_factor)
        if interrupted:
            after = dataclasses.replace(self.state, partial=after)
        elif self.plan.stalled(after.entries, decision.winner is not None):
            # In the same write as the round, so that a search killed after it has ended too.
            after = dataclasses.replace(after, stop_reason="no_improvement")
        self.checkpointer.commit(after)

    def _follow(self, job) -> str:
        """Trains this process's share of a round, then adopts the chief's decision."""
        self.hooks.round_begin(job.number, job.names, None)
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
        factor = self.hooks.rate_factor
        if self.state.partial is None and factor != self.state.rate_factor:
            self.checkpointer.commit(dataclasses.replace(self.state, rate_factor=factor))
