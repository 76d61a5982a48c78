"""Heads of numbers: real values, counts, positive values and quantiles."""
