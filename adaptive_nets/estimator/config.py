"""`RunConfig`: where and how an estimator runs."""

import dataclasses
from typing import Any

from adaptive_nets._checks import check_number
from adaptive_nets.distribute import Task, make_strategy, task_from_environment


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Settings of an estimator's runs; the task of the process comes from `TF_CONFIG`.

    Arguments of `tf.estimator.RunConfig` that set up sessions, parameter servers or devices of
    TensorFlow 1 are not among them; see the migration page.

    Args:
        model_dir: Folder of the estimator's state. Defaults to a temporary one.
        tf_random_seed: Seed of everything. Defaults to `None`: a random one.
        save_summary_steps: Accepted for old scripts; summaries are written as steps are taken.
        save_checkpoints_steps: Accepted for old scripts; checkpoints go by time.
        save_checkpoints_secs: Time between checkpoints, in seconds. Defaults to 30.
        keep_checkpoint_max: Accepted for old scripts; the newest states are kept.
        log_step_count_steps: Steps between lines of the log. Defaults to 100; `None`: no lines.
        train_distribute: As `distribute` of `AdaNet`: a name or a `tf.distribute.Strategy`. With
            several workers make the config first in the script.
        experimental_distribute: Not supported; must be `None`.
        eval_distribute: Not supported; must be `None`.

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
            raise ValueError("Pass save_checkpoints_steps or save_checkpoints_secs, not both.")
        for name in ("save_checkpoints_steps", "save_checkpoints_secs", "log_step_count_steps"):
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, 0, inclusive=False)
        if self._task.trains and self._task.workers > 1 and self.train_distribute is not None:
            # TensorFlow takes several workers only before it runs anything.
            make_strategy(self.train_distribute)
        for name in ("experimental_distribute", "eval_distribute"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{name} is not supported: evaluation takes one device. Use train_distribute."
                )

    @property
    def task_type(self) -> str:
        """`"chief"`, `"worker"`, `"evaluator"` or `"ps"`."""
        return self._task.kind

    @property
    def task_id(self) -> int:
        """The task's number among those of its kind."""
        return self._task.index

    @property
    def checkpoint_seconds(self) -> float:
        """Time between checkpoints, in seconds."""
        return 30.0 if self.save_checkpoints_secs is None else float(self.save_checkpoints_secs)

    @property
    def trains(self) -> bool:
        """Whether this process trains, and is no evaluator."""
        return self._task.trains

    @property
    def is_chief(self) -> bool:
        """Whether this process writes."""
        return self._task.is_chief

    @property
    def num_worker_replicas(self) -> int:
        """Processes that train."""
        return self._task.workers

    @property
    def cluster_spec(self) -> dict[str, list[str]]:
        """Addresses by kind of task."""
        return dict(self._task.cluster)

    @property
    def global_id_in_cluster(self) -> int:
        """The process's number among those that train, the chief's being 0."""
        return self._task.rank

    def replace(self, **changes: Any) -> "RunConfig":
        """A copy with other settings."""
        return dataclasses.replace(self, **changes)
