"""Where training runs: `tf.distribute` strategies by name."""

from adaptive_nets.distribute.cluster import Task, task_from_environment
from adaptive_nets.distribute.group import Group
from adaptive_nets.distribute.lost import WorkersLostError
from adaptive_nets.distribute.ray_cluster import Ray, import_ray
from adaptive_nets.distribute.strategies import is_multi_worker, make_strategy, share_of

__all__ = [
    "Group",
    "Ray",
    "Task",
    "WorkersLostError",
    "import_ray",
    "is_multi_worker",
    "make_strategy",
    "share_of",
    "task_from_environment",
]
