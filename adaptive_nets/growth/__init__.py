"""Deep Fusion: bigger models that compute what smaller ones did (Mazzawi et al., 2023)."""

from adaptive_nets.growth import dynamics
from adaptive_nets.growth.actions import Action, Deepen, FuseWith, SelfFuse, Widen
from adaptive_nets.growth.core.compare import GrowthReport
from adaptive_nets.growth.core.plan import GrowthPlan, Plan, apply
from adaptive_nets.growth.core.weight_roles import Keeps, Reads, Scales, Writes
from adaptive_nets.growth.deepen import DeepenPlan, deepen, plan_deepen
from adaptive_nets.growth.distill import DistillationLoss, distillation_targets
from adaptive_nets.growth.fuse import fuse, plan_fuse, plan_self_fuse, self_fuse
from adaptive_nets.growth.in_place import grow_in_place
from adaptive_nets.growth.merge_lora import merge_lora
from adaptive_nets.growth.rules import Rule, register_rule, registered
from adaptive_nets.growth.rules.carry import carry
from adaptive_nets.growth.widen import plan_widen, widen

__all__ = [
    "Action",
    "Deepen",
    "DeepenPlan",
    "DistillationLoss",
    "FuseWith",
    "GrowthPlan",
    "GrowthReport",
    "Keeps",
    "Plan",
    "Reads",
    "Rule",
    "Scales",
    "SelfFuse",
    "Widen",
    "Writes",
    "apply",
    "carry",
    "deepen",
    "distillation_targets",
    "dynamics",
    "fuse",
    "grow_in_place",
    "merge_lora",
    "plan_deepen",
    "plan_fuse",
    "plan_self_fuse",
    "plan_widen",
    "register_rule",
    "registered",
    "self_fuse",
    "widen",
]
