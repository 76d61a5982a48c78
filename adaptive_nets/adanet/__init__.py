"""The search engine: subnetworks, generators, ensembles and the rounds that choose among them."""

from adaptive_nets.adanet.bound import GeneralizationBound, generalization_bound
from adaptive_nets.adanet.complexity import Complexity, OutputDeviation, Rademacher, SqrtDepth
from adaptive_nets.adanet.connections import connect
from adaptive_nets.adanet.constraints import NormBall
from adaptive_nets.adanet.ensemble import (
    Ensemble,
    Ensembler,
    Mixture,
    MixtureEnsembler,
    UniformEnsembler,
)
from adaptive_nets.adanet.evaluator import Evaluator
from adaptive_nets.adanet.generator import Generator, Report
from adaptive_nets.adanet.iteration import DivergedError
from adaptive_nets.adanet.member import Member
from adaptive_nets.adanet.search import AdaNet
from adaptive_nets.adanet.strategy import All, Candidate, Grow, Solo, Strategy
from adaptive_nets.adanet.subnetwork import Builder, Subnetwork, TrainingData

__all__ = [
    "AdaNet",
    "All",
    "Builder",
    "Candidate",
    "Complexity",
    "ConvexAdaNet",
    "DivergedError",
    "Ensemble",
    "Ensembler",
    "Evaluator",
    "GeneralizationBound",
    "Generator",
    "Grow",
    "Member",
    "Mixture",
    "MixtureEnsembler",
    "NormBall",
    "OutputDeviation",
    "Rademacher",
    "Report",
    "Solo",
    "SqrtDepth",
    "Strategy",
    "Subnetwork",
    "TrainingData",
    "UniformEnsembler",
    "connect",
    "generalization_bound",
]


def __getattr__(name: str) -> object:
    # It needs scikit-learn, which the rest of the package does not.
    if name == "ConvexAdaNet":
        try:
            from adaptive_nets.adanet.convex import ConvexAdaNet
        except ImportError as error:
            raise ImportError(
                f"ConvexAdaNet needs scikit-learn >= 1.6: pip install 'adaptive-nets[examples]'. "
                f"Received: {error}."
            ) from error
        return ConvexAdaNet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
