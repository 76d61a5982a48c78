"""What a row is: the schema of features, and rows of features, labels and weights."""

from adaptive_nets.data.schema import Feature, Schema

__all__ = ["Feature", "Schema"]
