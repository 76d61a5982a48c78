"""`Together`: the processes that run a fit, or this one alone."""

import dataclasses
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from adaptive_nets._checks import show
from adaptive_nets.distribute import Group, make_strategy

if TYPE_CHECKING:
    import pyarrow as pa

Made = TypeVar("Made")
# What a process has found in its rows: tables by name.
Found = dict[str, "pa.Table"]


@dataclasses.dataclass(frozen=True)
class Together:
    """The processes that run a fit, each in the same way, or one that is alone.

    What one of them cannot do, such as to read a file, is refused in all of them at the same
    moment: none waits for one that has ended.

    Args:
        group: The processes. Defaults to `None`: this one is alone.
        replicas: Number of replicas of all processes. Defaults to 1.
    """

    group: Group | None = None
    replicas: int = 1

    @classmethod
    def of(cls, distribute: Any) -> "Together":
        """Returns the processes of a strategy, and waits until they have met.

        Args:
            distribute: What `distribute.make_strategy` takes, or `None`.
        """
        if distribute is None:
            return cls()
        strategy = make_strategy(distribute)
        group = Group(strategy)
        return cls(None if group.alone else group, strategy.num_replicas_in_sync)

    @property
    def alone(self) -> bool:
        """Whether there is one process."""
        return self.group is None

    @property
    def is_chief(self) -> bool:
        """Whether this process writes what was found."""
        return self.group is None or self.group.is_chief

    @property
    def rank(self) -> int:
        """Number of this process; the chief is 0."""
        return 0 if self.group is None else self.group.rank

    @property
    def count(self) -> int:
        """Number of processes."""
        return 1 if self.group is None else self.group.count

    def rows_per_step(self, rows: int) -> int:
        """Returns at least so many rows as can be divided among the replicas.

        Args:
            rows: Number of rows.
        """
        return self.replicas * -(-rows // self.replicas)

    def agree(self, value: float) -> float:
        """Returns the chief's number in all processes.

        Args:
            value: This process's number.
        """
        return value if self.group is None else self.group.agree(value)[0]

    def in_step(self, work: Callable[[], Made]) -> Made:
        """Returns what this process makes, when all have made theirs.

        Args:
            work: Makes it. If it fails in one process, it fails in all.
        """
        if self.group is None:
            return work()
        made = []

        def keep():
            made.append(work())
            return b""

        self.group.each(keep)
        return made[0]

    def gather(self, work: Callable[[], Found]) -> list[Found]:
        """Returns what all processes have found, in the order of their ranks.

        Args:
            work: Finds it. If it fails in one process, it fails in all.
        """
        if self.group is None:
            return [work()]
        return [_unpacked(each) for each in self.group.each(lambda: _packed(work()))]

    def check_same(self, what: str, values: dict[str, Any]) -> None:
        """Refuses values that differ from process to process, in all of them.

        Args:
            what: What they are, for the message.
            values: JSON values by name.

        Raises:
            ValueError: They differ.
        """
        if self.group is None:
            return
        first, *others = (json.loads(each) for each in self.group.each(json.dumps(values).encode))
        for rank, other in enumerate(others, 1):
            for name, value in first.items():
                if other[name] != value:
                    given, wanted = _difference(other[name], value)
                    raise ValueError(
                        f"All processes of a cluster need the same {what}. Received: other {name} "
                        f"in process {rank} than in the chief: {given} instead of {wanted}."
                    )


ALONE = Together()


def _difference(given, wanted):
    """Returns where two values differ; of lists, the first values that do."""
    if not (isinstance(given, list) and isinstance(wanted, list)):
        return show(given), show(wanted)
    for pair in zip(given, wanted, strict=False):
        if pair[0] != pair[1]:
            return pair
    return f"{len(given)} of them", f"{len(wanted)}"


def _packed(found):
    """Returns tables by name as bytes."""
    import pyarrow as pa

    parts = {}
    for name, table in found.items():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        parts[name] = sink.getvalue().to_pybytes()
    head = json.dumps({name: len(part) for name, part in parts.items()}).encode()
    return b"%d:%b" % (len(head), head) + b"".join(parts.values())


def _unpacked(text):
    """Returns the tables that `_packed` has packed."""
    import pyarrow as pa

    length, _, rest = text.partition(b":")
    begin, found = int(length), {}
    for name, size in json.loads(rest[:begin]).items():
        found[name] = pa.ipc.open_stream(rest[begin : begin + size]).read_all()
        begin += size
    return found
