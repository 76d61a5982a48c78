"""This process's task in a cluster, as given by `TF_CONFIG`."""

import dataclasses
import json
import os

from adaptive_nets._checks import check_choice, check_dict, check_instance, check_integer, show

# In the order of their ranks.
TRAINING = ("chief", "worker")
OTHERS = ("evaluator", "ps")
CHIEFS = {"master": "chief"}


@dataclasses.dataclass(frozen=True)
class Task:
    """One process of a cluster.

    Args:
        kind: `"chief"`, `"worker"`, `"evaluator"` or `"ps"`. Defaults to `"chief"`.
        index: Index among the tasks of its kind. Defaults to `0`.
        workers: Number of processes that train, including the chief. Defaults to `1`.
        cluster: Addresses by kind. Defaults to `{}`.
    """

    kind: str = "chief"
    index: int = 0
    workers: int = 1
    cluster: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, TRAINING + OTHERS)
        check_integer("index", self.index, 0)
        check_integer("workers", self.workers, 1)
        check_dict("cluster", self.cluster, list | tuple, "a dict of lists of addresses by kind")

    @property
    def is_chief(self) -> bool:
        """Whether it writes the results of the cluster; without a chief, the first worker does."""
        return self.kind == "chief" or (
            self.kind == "worker" and self.index == 0 and not self.cluster.get("chief")
        )

    @property
    def trains(self) -> bool:
        """Whether it trains (an evaluator does not)."""
        return self.kind in TRAINING

    @property
    def rank(self) -> int:
        """Index among the processes that train; the chief is 0."""
        before = len(self.cluster.get("chief", ())) if self.kind == "worker" else 0
        return before + self.index


def task_from_environment(text: str | None = None) -> Task:
    """Reads this process's task from `TF_CONFIG`.

    A task of type "master" is the chief, and an index may be text, as some launchers write it.

    Args:
        text: JSON to read instead of the environment variable. Defaults to `None`.

    Returns:
        A `Task`, which is that of a single process if the variable is unset or has no cluster.

    Raises:
        ValueError: The text is not valid JSON, or its task is not in its cluster.

    Example:

    ```python
    import adaptive_nets as an

    config = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
    task = an.distribute.task_from_environment(config)
    assert task.workers == 2 and not task.is_chief
    ```
    """
    text = os.environ.get("TF_CONFIG", "") if text is None else text
    check_instance("text", text, str, "JSON text, or None")
    if not text.strip():
        return Task()
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise _malformed(f"it is not valid JSON ({error})", text) from None
    if not isinstance(found, dict):
        raise _malformed("it must be an object", text)
    cluster, task = found.get("cluster") or {}, found.get("task")
    if not isinstance(cluster, dict):
        raise _malformed("'cluster' must be an object of lists of addresses", text)
    if not cluster:
        return Task()
    if "master" in cluster and "chief" in cluster:
        raise _malformed("it has both a 'master' and a 'chief', which are the same", text)
    # What the chief was called first.
    cluster = {CHIEFS.get(kind, kind): addresses for kind, addresses in cluster.items()}
    for kind, addresses in cluster.items():
        if kind not in TRAINING + OTHERS:
            known = ", ".join(TRAINING + OTHERS)
            raise _malformed(f"'{kind}' is not a task type; expected one of {known}", text)
        listed = isinstance(addresses, list) and addresses
        if not listed or not all(isinstance(a, str) and ":" in a for a in addresses):
            raise _malformed(f"'{kind}' must be a list of addresses 'host:port'", text)
    if len(cluster.get("chief", ["one"])) > 1:
        raise _malformed("there is more than one chief", text)
    if not isinstance(task, dict) or "type" not in task:
        raise _malformed("'task' must be an object with 'type' and 'index'", text)
    kind, index = task["type"], task.get("index", 0)
    if not isinstance(kind, str):
        raise _malformed("the task's 'type' must be text", text)
    kind = CHIEFS.get(kind, kind)
    if kind not in TRAINING + OTHERS:
        known = ", ".join(TRAINING + OTHERS)
        raise _malformed(f"'{kind}' is not a task type; expected one of {known}", text)
    if isinstance(index, str) and index.strip().isascii() and index.strip().isdigit():
        index = int(index)
    if isinstance(index, bool) or not isinstance(index, int) or index < 0:
        raise _malformed("the task's 'index' must be an integer >= 0", text)
    # An evaluator is not part of the cluster, and need not be listed.
    if kind != "evaluator" and index >= len(cluster.get(kind, ())):
        raise _malformed(f"task {kind} {index} is not in the cluster", text)
    workers = sum(len(cluster.get(each, ())) for each in TRAINING)
    if not workers:
        raise _malformed("the cluster has neither a chief nor a worker", text)
    return Task(kind, index, workers, cluster)


def _malformed(what, text):
    example = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}'
    return ValueError(
        f"TF_CONFIG cannot be used: {what}. Expected JSON such as {example}. "
        f"Received: {show(text)}."
    )
