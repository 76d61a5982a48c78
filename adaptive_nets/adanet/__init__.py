"""The search engine: subnetworks, generators, ensembles and the rounds that select among them."""

from typing import TYPE_CHECKING

from adaptive_nets.adanet.candidates.builder import Builder, Subnetwork
from adaptive_nets.adanet.candidates.connections import connect
from adaptive_nets.adanet.candidates.generator import Generator, Report
from adaptive_nets.adanet.candidates.stock.round_schedule import RoundSchedule
from adaptive_nets.adanet.candidates.strategy import All, Candidate, Grow, Solo, Strategy
from adaptive_nets.adanet.checkpoints.writer_lease import ModelDirInUseError
from adaptive_nets.adanet.ensembles.ensemble import Ensemble, Mixture
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.ensembles.factory import SeveralEnsemblers
from adaptive_nets.adanet.ensembles.greedy import GreedyEnsembler
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.mixture_ensembler import MixtureEnsembler
from adaptive_nets.adanet.ensembles.mixtures.penalty import Penalty
from adaptive_nets.adanet.ensembles.probability import ProbabilityEnsembler
from adaptive_nets.adanet.ensembles.uniform import UniformEnsembler
from adaptive_nets.adanet.inspection.bound import generalization_bound
from adaptive_nets.adanet.objective.bound import GeneralizationBound
from adaptive_nets.adanet.objective.complexity import (
    Complexity,
    OutputDeviation,
    Rademacher,
    SqrtDepth,
)
from adaptive_nets.adanet.objective.early_stopping import EarlyStopping
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.adanet.objective.norm_ball import NormBall
from adaptive_nets.adanet.rounds.selection import DivergedError
from adaptive_nets.adanet.search import AdaNet
from adaptive_nets.data.training_data import TrainingData

if TYPE_CHECKING:
    from adaptive_nets.adanet.convex.classifier import ConvexAdaNet

__all__ = [
    "AdaNet",
    "All",
    "Builder",
    "Candidate",
    "Complexity",
    "ConvexAdaNet",
    "DivergedError",
    "EarlyStopping",
    "Ensemble",
    "Ensembler",
    "Evaluator",
    "GeneralizationBound",
    "Generator",
    "GreedyEnsembler",
    "Grow",
    "Member",
    "Mixture",
    "MixtureEnsembler",
    "ModelDirInUseError",
    "NormBall",
    "OutputDeviation",
    "Penalty",
    "ProbabilityEnsembler",
    "Rademacher",
    "Report",
    "RoundSchedule",
    "SeveralEnsemblers",
    "Solo",
    "SqrtDepth",
    "Strategy",
    "Subnetwork",
    "TrainingData",
    "UniformEnsembler",
    "connect",
    "generalization_bound",
]


if not TYPE_CHECKING:
    # Type checkers would accept every misspelt name.
    def __getattr__(name: str) -> object:
        # Imported on demand: only this class needs scikit-learn, which takes a second to import.
        if name == "ConvexAdaNet":
            from adaptive_nets.adanet.convex.classifier import ConvexAdaNet

            return ConvexAdaNet
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
