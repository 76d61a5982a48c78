"""Targets of numbers that are not predicted by squared errors."""
