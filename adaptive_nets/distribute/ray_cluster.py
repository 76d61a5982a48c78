"""Workers on a Ray cluster."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from adaptive_nets._checks import check_dict, check_integer, check_text, or_none


@dataclasses.dataclass(frozen=True)
class Ray:
    """Ray cluster and number of workers that train a search.

    Use it as `AdaNet(placement=an.distribute.Ray(...))`; `placement="ray"` is `Ray()`. It needs
    the package `ray` (extra `ray`), and adaptive_nets on the cluster's machines.

    Args:
        address: Address of a running cluster, such as `"auto"`, `"10.0.0.1:6379"` or
            `"ray://10.0.0.1:10001"`. Defaults to `None`: the cluster this process is connected
            to, otherwise that of `RAY_ADDRESS`, otherwise one started on this machine for the
            call.
        workers: Number of processes that train. Defaults to `None`: one per machine of the
            cluster.
        options: Options of each worker, as in `ray.remote`: `num_cpus`, `num_gpus`, `resources`,
            `runtime_env`. Defaults to `{"num_cpus": 1}`.

    Raises:
        ValueError: `workers` is not an integer >= 1.

    Example:

    ```python
    import adaptive_nets as an

    on_ray = an.distribute.Ray("auto", workers=4, options={"num_gpus": 1})
    search = an.AdaNet(an.heads.MultiClass(), placement=on_ray, model_dir="search", seed=0)
    ```
    """

    address: str | None = None
    workers: int | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=lambda: {"num_cpus": 1})

    def __post_init__(self):
        or_none(check_text, "address", self.address)
        or_none(check_integer, "workers", self.workers, 1)
        check_dict("options", self.options, object, "a dict of options of ray.remote by name")

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        """Yields the module `ray` connected to the cluster, and disconnects if it connected.

        Raises:
            ImportError: Ray is not installed.
            ConnectionError: There is no cluster at the address.
        """
        ray = import_ray()
        own = not ray.is_initialized()
        if own:
            ray.init(self.address, log_to_driver=False, include_dashboard=False)
        try:
            yield ray
        finally:
            if own:
                ray.shutdown()

    def count(self, ray: Any) -> int:
        """Returns the number of workers to start on the connected cluster."""
        alive = sum(bool(node["Alive"]) for node in ray.nodes())
        return int(self.workers or alive)


def import_ray() -> Any:
    """Returns the module `ray`.

    Raises:
        ImportError: Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "placement='ray' needs Ray. Install it: pip install 'adaptive-nets[ray]'."
        ) from error
    return ray
