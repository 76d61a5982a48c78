"""`LocalPlacement`: trains all subnetworks together, in this process or on all its replicas."""

from adaptive_nets.adanet.monitoring.tensorboard import CandidateScalars
from adaptive_nets.adanet.placement.base import Placement, RoundJob, register_placement
from adaptive_nets.machine import clock


@register_placement("replicated")
class LocalPlacement(Placement):
    """Trains a round in this process. With a multi-worker strategy, all workers do the same."""

    # Whether the scalars of an earlier round could not be written: one warning is enough.
    _unwritable = False

    def prepare(self, job: RoundJob) -> None:
        # A stream need not yield the same sample again.
        job.checkpointer.resume(job.round, same_data=job.runner.stream is not None)
        step = job.round.training.step
        job.context.group.check_same("the step that training goes on from", [step])
        job.round.compile()

    def train(self, job: RoundJob) -> str:
        round_, budget = job.round, job.budget
        last = budget.max_steps - job.checkpointer.state.steps
        scalars = CandidateScalars(self._scalars_folder(job), job.names, round_.steps)
        saved = clock.now()
        try:
            while not self._done(job):
                left = budget.training_seconds()
                # The first round always takes a step, since there is no model without it.
                known = job.checkpointer.state.ensemble is not None or round_.training.step
                if self._agreed(job, known and budget.ends_training(round_.step_seconds)):
                    return "time_limit"
                if round_.training.step >= last:
                    return "max_steps"
                self._advance(job, left, last, scalars)
                if not round_.done and self._agreed(job, job.hooks.stop_requested):
                    return "callback"
                if clock.now() - saved >= self.settings.checkpoint_seconds:
                    if job.checkpointer.folder is not None:
                        job.checkpointer.checkpoint(round_)
                    saved = clock.now()
        finally:
            scalars.close()
            self._unwritable = self._unwritable or scalars.failed
        return ""

    def _done(self, job):
        """Returns whether the round has ended, by its steps or by its share of the time."""
        if job.plan is not None and job.plan.open_steps and not job.round.done:
            (steps,) = job.context.group.agree(job.plan.adjusted_steps(job.round))
            job.round.steps = job.progress.steps = int(steps)
        return job.round.done

    def _advance(self, job, left, last, scalars):
        training = job.round.training
        job.hooks.call_begin(training.step)
        asked = [b.steps_per_call for b in job.builders if b.steps_per_call]
        most = training.step + min([*asked, job.hooks.steps_per_call])
        newest = job.round.advance(left, min(last, most))[-1]
        training = job.round.progress
        job.hooks.call_end(training.step, job.names, training.losses, newest)
        limit = job.budget.remaining()
        job.progress.update(training, None if limit == float("inf") else limit)
        scalars.write(training)
        if asked:
            self._ask(job, training)

    def _ask(self, job, training):
        """Stops the subnetworks whose builders say so."""
        going, places = job.round.progress.going, []
        for k, builder in enumerate(job.builders):
            if not going[k] or not builder.steps_per_call:
                continue
            loss = float(training.losses[k])
            if self._agreed(job, builder.after_steps(training.step, loss, job.round.done)):
                places.append(k)
        if places:
            job.round.stop(places)

    def _agreed(self, job, wanted) -> bool:
        """Returns the chief's answer."""
        return bool(job.context.group.agree(float(bool(wanted)))[0])

    def _scalars_folder(self, job):
        writer = job.checkpointer.writer
        if self._unwritable or writer is None:
            return None
        return job.checkpointer.subfolder("tensorboard") / f"round_{job.number}"
