"""Tables, systems and summaries of `benchmarks/automl.py`."""

from benchmarks.tabular import others, ours, systems

__all__ = ["others", "ours", "systems"]
