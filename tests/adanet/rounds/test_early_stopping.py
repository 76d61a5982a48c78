"""Subnetworks that stop when held-out rows say so, and keep their best weights."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.objective.early_stopping import EarlyStopping, StoppingRule
from adaptive_nets.adanet.rounds.stopping.best_weights import BestWeights
from adaptive_nets.adanet.rounds.stopping.held_out import HeldOut
from adaptive_nets.adanet.rounds.round import Round
from adaptive_nets.adanet.rounds.stopping.watched_trainer import WatchedTrainer
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.data.batches import Batches
from adaptive_nets.data.feeds import FiniteFeed
from adaptive_nets.data.rows import Rows
