"""Heads: the loss, the metrics and the predictions of a task."""

from adaptive_nets.heads.base import Head
from adaptive_nets.heads.classification import BinaryClass, MultiClass
from adaptive_nets.heads.multi import Multi
from adaptive_nets.heads.multi_label import MultiLabel
from adaptive_nets.heads.regression import Regression

__all__ = ["BinaryClass", "Head", "Multi", "MultiClass", "MultiLabel", "Regression"]
