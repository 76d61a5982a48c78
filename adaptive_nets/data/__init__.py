"""What a row is: the schema of features, rows of features, labels and weights, and encodings."""

from adaptive_nets.data import encoding
from adaptive_nets.data.columns.feature import Feature
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.tables.table import read_table

__all__ = ["Feature", "Schema", "encoding", "read_table"]
