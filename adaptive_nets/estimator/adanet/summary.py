"""`Summary`: what a builder writes for TensorBoard."""

import warnings
from typing import Any

from adaptive_nets.estimator.adanet.constants import constant


class Summary:
    """Takes the summaries of a builder.

    A scalar that is a constant becomes an attribute of the subnetwork, as `"summary/<name>"`, and
    so is in its reports. What changes from step to step has no value when a network is built,
    which a warning says: TensorBoard gets each subnetwork's loss.

    Attributes:
        constants: The constants by name.
    """

    def __init__(self) -> None:
        self.constants: dict[str, float] = {}

    def scalar(self, name: str, tensor: Any, family: str | None = None) -> None:
        """Keeps a constant, and ignores a tensor."""
        value = constant(tensor)
        if isinstance(value, int | float):
            self.constants[f"summary/{name}"] = float(value)
        else:
            self._ignore("scalar", name)

    def image(self, name: str, *arguments: Any, **options: Any) -> None:
        """Ignores an image."""
        self._ignore("image", name)

    def histogram(self, name: str, *arguments: Any, **options: Any) -> None:
        """Ignores a histogram."""
        self._ignore("histogram", name)

    def audio(self, name: str, *arguments: Any, **options: Any) -> None:
        """Ignores a sound."""
        self._ignore("audio", name)

    def _ignore(self, kind, name):
        warnings.warn(
            f"summary.{kind}('{name}') is accepted but ignored: a builder makes symbolic tensors, "
            "which have no values. TensorBoard gets the loss of each subnetwork, and "
            "keras.callbacks.Callbacks may be passed as hooks.",
            stacklevel=4,
        )
