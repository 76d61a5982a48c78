"""Callbacks for searches and for `fit`."""

from adaptive_nets.callbacks.search import SearchCallback

__all__ = ["SearchCallback"]
