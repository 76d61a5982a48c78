"""Columns to tensors: what an encoding learns from a table, and the layer that does it."""

from adaptive_nets.data.encoding.fit import fit_encoding
from adaptive_nets.data.encoding.layer import TableEncoding

__all__ = ["TableEncoding", "fit_encoding"]
