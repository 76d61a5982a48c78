"""What majority kernels cannot be put into."""

from typing import Any

from adaptive_nets.graphs.inventory import check_whole


def check_graph(model: Any, verb: str) -> None:
    """Refuses what is not a built Sequential or Functional model, or more than its graph.

    Args:
        model: What was given.
        verb: What cannot be done to it.
    """
    check_whole(model, verb, "use the layers of adaptive_nets.layers in it")
