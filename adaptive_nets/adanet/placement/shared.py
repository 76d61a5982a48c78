"""`SharedPlacement`: the base of placements that train the shares of a round in processes."""

import abc

import tensorflow as tf

from adaptive_nets._checks import show
from adaptive_nets.adanet.ensembles.member import lineage
from adaptive_nets.adanet.fit_data import FitData
from adaptive_nets.adanet.placement.base import Placement, RoundJob
from adaptive_nets.adanet.placement.identity import Identity
from adaptive_nets.adanet.placement.leases import WorkLeases
from adaptive_nets.adanet.rounds.training_state import TrainingState


class SharedPlacement(Placement):
    """Gathers a round from shares that other processes have trained.

    Attributes:
        name: Name for `AdaNet(placement=...)`.
        common: The `Identity` of the call of `fit`, without its rounds.
    """

    name: str
    common: Identity

    @property
    def distribute(self) -> str | tf.distribute.Strategy | None:
        given = self.settings.distribute
        return "one_device" if given == "auto" else given

    @property
    def apart(self) -> str:
        return self.name

    def check(self) -> None:
        for name in ("model_dir", "seed"):
            if getattr(self.settings, name) is None:
                raise ValueError(
                    f"placement='{self.name}' requires a {name}, the same in all processes. "
                    f"Received: {name}=None."
                )
        if not self.takes_strategy(self.settings.distribute):
            raise ValueError(
                f"placement='{self.name}' trains each subnetwork in one process, and requires "
                "distribute=None, 'auto', 'one_device' or 'mirrored'. "
                f"Received: distribute={show(self.settings.distribute)}."
            )

    def takes_strategy(self, distribute: str | tf.distribute.Strategy | None) -> bool:
        """Returns whether a strategy can train shares."""
        return distribute != "multi_worker"

    def check_fit(
        self, data: FitData, time_limit: float | None, max_steps: int | None, steps: int
    ) -> None:
        # Processes do not stop together mid-round.
        given = {"an endless dataset": data.stream, "time_limit": time_limit}
        found = [name for name, value in given.items() if value is not None]
        if max_steps is not None and max_steps % steps:
            found.append(f"max_steps={max_steps}")
        if found:
            raise ValueError(
                f"placement='{self.name}' requires finite data, no `time_limit`, and a `max_steps` "
                f"that is a multiple of `steps_per_iteration` ({steps}). "
                f"Received: {', '.join(found)}."
            )

    @abc.abstractmethod
    def leases(self, job: RoundJob) -> WorkLeases:
        """Returns the leases of the round's shares."""

    @abc.abstractmethod
    def train_shares(self, job: RoundJob) -> None:
        """Trains all shares of the round, or waits until others have trained them."""

    def prepare(self, job: RoundJob) -> None:
        """Does nothing: each share has its own checkpoint, and is compiled when acquired."""

    def train(self, job: RoundJob) -> str:
        self.train_shares(job)
        leases, parts = self.leases(job), {}
        for share in range(leases.count):
            places = range(share, len(job.builders), leases.count)
            if not places:
                continue
            found = self._result(leases, share, job)
            if found is None or not job.round.put(*found, places):
                raise ValueError(
                    f"Share {share} of round {job.number} in '{leases.path}' cannot be read. "
                    "Delete that folder and restart."
                )
            parts[places] = TrainingState.from_header(found[0])
        job.round.training = TrainingState.joined(parts, len(job.builders), job.round.steps)
        return ""

    def _result(self, leases, share, job):
        """Returns the result of a share, which is trained again from where it is whole."""
        found = leases.read(share)
        if not _is_result(found, job.round.steps):
            leases.reopen(share)
            self.train_shares(job)
            found = leases.read(share)
        return found if _is_result(found, job.round.steps) else None

    def identity(self, job: RoundJob) -> Identity:
        """Returns what this process trains the round with.

        Args:
            job: The round.
        """
        previous = job.checkpointer.state.ensemble
        members = () if previous is None else lineage(previous.members)
        # Those that are not stored yet are known by their names alone.
        before = [f"{m.name} {m.stored[1][:16] if m.stored else ''}".rstrip() for m in members]
        return self.common.in_round(job.number, job.names, before)

    def decided(self, job: RoundJob) -> None:
        # The shares are needed until the decision is written.
        self.leases(job).clear()


def _is_result(found, steps):
    """Returns whether a checkpoint is that of the end of a round."""
    if found is None:
        return False
    training = TrainingState.from_header(found[0])
    return training.step >= steps or not training.going.any()
