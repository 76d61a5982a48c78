"""Layers of networks for tables."""

from adaptive_nets.generators.tabular.layers.categories import (
    CategoryEmbedding,
    OneHot,
    TokenBag,
)
from adaptive_nets.generators.tabular.layers.crosses import Buckets, ColumnSum, Crosses
from adaptive_nets.generators.tabular.layers.members import MemberHeads, ScaleEnsemble
from adaptive_nets.generators.tabular.layers.piecewise import Pieces, PieceScores, PiecewiseLinear
from adaptive_nets.generators.tabular.layers.scaled import InputScale, ScaledDense
from adaptive_nets.generators.tabular.layers.smooth import Periodic, SmoothClip

__all__ = [
    "Buckets",
    "CategoryEmbedding",
    "ColumnSum",
    "Crosses",
    "InputScale",
    "MemberHeads",
    "OneHot",
    "Periodic",
    "PieceScores",
    "Pieces",
    "PiecewiseLinear",
    "ScaleEnsemble",
    "ScaledDense",
    "SmoothClip",
    "TokenBag",
]
