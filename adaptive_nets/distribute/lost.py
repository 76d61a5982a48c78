"""The error that ends a process when another one of its cluster is lost."""


class WorkersLostError(RuntimeError):
    """A process of the cluster is lost, so the others cannot continue."""
