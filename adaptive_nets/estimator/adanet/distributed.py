"""`adanet.distributed`: who trains a round's subnetworks."""

from adaptive_nets._arguments import Ignored, takes
from adaptive_nets._checks import check_bool

_SHARES = {"drop_remainder": Ignored("each subnetwork has one worker", (False,))}


@takes({})
def ReplicationStrategy() -> str:  # noqa: N802 (adanet's name)
    """Returns the placement in which all processes train all subnetworks."""
    return "replicated"


@takes(_SHARES)
def RoundRobinStrategy(drop_remainder: bool = False) -> str:  # noqa: N802 (adanet's name)
    """Returns the placement in which each process trains some subnetworks.

    Args:
        drop_remainder: Ignored. Defaults to `False`.
    """
    check_bool("drop_remainder", drop_remainder)
    return "round_robin"
