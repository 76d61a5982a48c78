"""`RunConfig`: where and how an estimator runs."""

import dataclasses
from typing import Any

from adaptive_nets._checks import check_integer, check_number, check_path, or_none, show
from adaptive_nets.distribute import Task, make_strategy, task_from_environment
from adaptive_nets.distribute.strategies import check_strategy


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Settings of an estimator's runs. The task of this process comes from `TF_CONFIG`.

    Arguments of `tf.estimator.RunConfig` that set up sessions, parameter servers or devices of
    TensorFlow 1 are not supported; see the migration page.

    Args:
        model_dir: Folder of the estimator's state. Defaults to `None`: a temporary folder.
        tf_random_seed: Seed of everything. Defaults to `None`: a random seed.
        save_summary_steps: Accepted but ignored: summaries are written as training proceeds.
            Defaults to `100`.
        save_checkpoints_steps: Accepted but ignored: checkpoints go by time. Defaults to `None`.
        save_checkpoints_secs: Time between checkpoints, in seconds. Defaults to `None`: 30
            seconds.
        keep_checkpoint_max: Accepted but ignored: the newest states are kept. Defaults to `5`.
        log_step_count_steps: Steps between log lines, or `None` for no log lines. Defaults to
            `100`.
        train_distribute: Strategy of training, as `distribute` of `AdaNet`: a name or a
            `tf.distribute.Strategy`. With several workers, create the config at the start of the
            script. Defaults to `None`.
        experimental_distribute: Not supported. Must be `None`.
        eval_distribute: Not supported. Must be `None`.

    Raises:
        ValueError: An option is out of range, or `TF_CONFIG` is malformed.

    Example:

    ```python
    import adaptive_nets as an

    config = an.estimator.RunConfig(model_dir="runs/mine", tf_random_seed=1)
    assert config.is_chief
    ```
    """

    model_dir: Any = None
    tf_random_seed: int | None = None
    save_summary_steps: int = 100
    save_checkpoints_steps: int | None = None
    save_checkpoints_secs: float | None = None
    keep_checkpoint_max: int = 5
    log_step_count_steps: int | None = 100
    train_distribute: Any = None
    experimental_distribute: Any = None
    eval_distribute: Any = None
    _task: Task = dataclasses.field(default_factory=task_from_environment, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.save_checkpoints_steps is not None and self.save_checkpoints_secs is not None:
            raise ValueError(
                "Pass only one of save_checkpoints_steps and save_checkpoints_secs. Received: "
                f"save_checkpoints_steps={show(self.save_checkpoints_steps)}, "
                f"save_checkpoints_secs={show(self.save_checkpoints_secs)}."
            )
        for name in ("save_checkpoints_steps", "log_step_count_steps", "save_summary_steps"):
            or_none(check_integer, name, getattr(self, name), 1)
        or_none(check_integer, "keep_checkpoint_max", self.keep_checkpoint_max, 0)
        or_none(check_integer, "tf_random_seed", self.tf_random_seed, 0)
        if self.save_checkpoints_secs is not None:
            check_number("save_checkpoints_secs", self.save_checkpoints_secs, 0, inclusive=False)
        check_strategy("train_distribute", self.train_distribute)
        if self.model_dir is not None:
            object.__setattr__(self, "model_dir", check_path("model_dir", self.model_dir))
        if self._task.trains and self._task.workers > 1 and self.train_distribute is not None:
            # TensorFlow accepts several workers only before it has run anything.
            make_strategy(self.train_distribute)
        for name in ("experimental_distribute", "eval_distribute"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{name} is not supported: evaluation uses one device. Use train_distribute. "
                    f"Received: {name}={show(getattr(self, name))}."
                )

    @property
    def task_type(self) -> str:
        """`"chief"`, `"worker"`, `"evaluator"` or `"ps"`."""
        return self._task.kind

    @property
    def task_id(self) -> int:
        """Index of the task among those of its type."""
        return self._task.index

    @property
    def checkpoint_seconds(self) -> float:
        """Time between checkpoints, in seconds."""
        return 30.0 if self.save_checkpoints_secs is None else float(self.save_checkpoints_secs)

    @property
    def trains(self) -> bool:
        """Whether this process trains (it does not if it is an evaluator)."""
        return self._task.trains

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the state."""
        return self._task.is_chief

    @property
    def num_worker_replicas(self) -> int:
        """Number of processes that train."""
        return self._task.workers

    @property
    def cluster_spec(self) -> dict[str, list[str]]:
        """Addresses by type of task."""
        return dict(self._task.cluster)

    @property
    def global_id_in_cluster(self) -> int:
        """Index of this process among those that train; the chief is 0."""
        return self._task.rank

    def replace(self, **changes: Any) -> "RunConfig":
        """Returns a copy with changed settings."""
        return dataclasses.replace(self, **changes)
