"""Callbacks that write what happens to the tools that people follow experiments with."""
