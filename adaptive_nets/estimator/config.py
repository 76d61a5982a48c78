"""`RunConfig`: where and how an estimator runs."""

import copy
import dataclasses
from typing import Any

from adaptive_nets._arguments import settle, takes
from adaptive_nets._checks import check_integer, check_number, check_path, or_none, show
from adaptive_nets.distribute import Task, make_strategy, task_from_environment
from adaptive_nets.distribute.strategies import check_strategy
from adaptive_nets.estimator.compat.contract import RUN_CONFIG


@takes(RUN_CONFIG)
@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Settings of an estimator's runs. The task of this process comes from `TF_CONFIG`.

    It takes all arguments of `tf.estimator.RunConfig`, in their order. Those that set up sessions,
    parameter servers or devices of TensorFlow 1 have no effect here, which a warning says.

    Args:
        model_dir: Folder of the estimator's state. Defaults to `None`: a temporary folder.
        tf_random_seed: Seed of everything. Defaults to `None`: a random seed.
        save_summary_steps: Ignored: summaries are written as training proceeds. Defaults to `100`.
        save_checkpoints_steps: Steps between the evaluations of `train_and_evaluate`, at least.
            The search's checkpoints go by time. Defaults to `None`: evaluations go by time.
        save_checkpoints_secs: Time between checkpoints, in seconds. Defaults to `None`: 30
            seconds.
        session_config: Ignored: there are no sessions. Defaults to `None`.
        keep_checkpoint_max: Ignored: the newest states are kept. Defaults to `5`.
        keep_checkpoint_every_n_hours: Ignored: the newest states are kept. Defaults to `10000`.
        log_step_count_steps: Steps between log lines, or `None` for no log lines. Defaults to
            `100`.
        train_distribute: Strategy of training, as `distribute` of `AdaNet`: a name or a
            `tf.distribute.Strategy`. With several workers, create the config at the start of the
            script. Defaults to `None`.
        device_fn: Ignored: `train_distribute` says where it trains. Defaults to `None`.
        protocol: Ignored. Defaults to `None`.
        eval_distribute: Not supported. Must be `None`.
        experimental_distribute: Not supported. Must be `None`.
        experimental_max_worker_delay_secs: Ignored: workers need no delay. Defaults to `None`.
        session_creation_timeout_secs: Ignored: there are no sessions. Defaults to `7200`.
        checkpoint_save_graph_def: Ignored: there is no graph to save. Defaults to `True`.

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
    session_config: Any = None
    keep_checkpoint_max: int | None = 5
    keep_checkpoint_every_n_hours: float = 10000
    log_step_count_steps: int | None = 100
    train_distribute: Any = None
    device_fn: Any = None
    protocol: Any = None
    eval_distribute: Any = None
    experimental_distribute: Any = None
    experimental_max_worker_delay_secs: Any = None
    session_creation_timeout_secs: int = 7200
    checkpoint_save_graph_def: bool = True
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
    def num_ps_replicas(self) -> int:
        """Number of parameter servers, which take no part."""
        return len(self._task.cluster.get("ps", ()))

    @property
    def master(self) -> str:
        """Empty: there are no sessions."""
        return ""

    @property
    def evaluation_master(self) -> str:
        """Empty: there are no sessions."""
        return ""

    @property
    def service(self) -> None:
        """`None`: there is no service."""
        return None

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
        fields = dataclasses.fields(self)
        known = [field.name for field in fields if field.init]
        changes = settle("RunConfig.replace", changes, RUN_CONFIG, known)
        found = copy.copy(self)
        for name, value in changes.items():
            object.__setattr__(found, name, value)
        # What is checked here is not warned of again.
        found.__post_init__()
        return found
