"""Inspection of a finished search: DataFrames and the generalization bound."""
