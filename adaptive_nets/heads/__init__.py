"""Heads: the loss, the metrics and the predictions of a task."""

from adaptive_nets.heads.base import Head
from adaptive_nets.heads.classification import BinaryClass, MultiClass
from adaptive_nets.heads.multi import Multi
from adaptive_nets.heads.multi_label import MultiLabel
from adaptive_nets.heads.numbers.counts import Logistic, NegativeBinomial, Poisson
from adaptive_nets.heads.numbers.distribution import Distribution
from adaptive_nets.heads.numbers.positive import Gamma, Tweedie
from adaptive_nets.heads.numbers.quantile import Quantile
from adaptive_nets.heads.numbers.regression import Regression
from adaptive_nets.heads.ordinal import Ordinal

__all__ = [
    "BinaryClass",
    "Distribution",
    "Gamma",
    "Head",
    "Logistic",
    "Multi",
    "MultiClass",
    "MultiLabel",
    "NegativeBinomial",
    "Ordinal",
    "Poisson",
    "Quantile",
    "Regression",
    "Tweedie",
]
