"""What a task needs: its loss, its metrics, and logits turned into predictions."""

from adaptive_nets.heads.base import Head
from adaptive_nets.heads.classification import BinaryClass, MultiClass
from adaptive_nets.heads.multi import Multi
from adaptive_nets.heads.multi_label import MultiLabel
from adaptive_nets.heads.regression import Regression

__all__ = ["BinaryClass", "Head", "Multi", "MultiClass", "MultiLabel", "Regression"]
