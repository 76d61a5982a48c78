"""Checks of `AdaNet`'s settings."""

import numbers

import keras

from adaptive_nets.adanet.candidates.generator import Generator
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.ensembles.proximal import MIXTURE_KINDS
from adaptive_nets.adanet.objective.complexity import make_complexity
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.distribute import Ray
from adaptive_nets.heads import Head

CHOICES = {
    "placement": ("replicated", "round_robin", "ray"),
    "training": ("residual", "independent"),
    "refit": ("all", "new"),
    "jit_compile": ("auto", True, False),
}


def check_settings(s: dict) -> None:
    """Refuses settings that are out of range or of the wrong type."""
    _check_type(s["head"], Head, "head", "a heads.Head such as heads.MultiClass()")
    _check_type(s["generator"], Generator, "generator", "an adanet.Generator")
    if s["evaluator"] is not None:
        _check_type(s["evaluator"], Evaluator, "evaluator", "an adanet.Evaluator or None")
    for name in ("force_grow", "mixture_bias", "penalize_training"):
        if not isinstance(s[name], bool):
            raise ValueError(f"{name} must be True or False. Received: {name}={s[name]!r}.")
    for name in ("max_iterations", "steps_per_iteration", "cache_bytes"):
        if isinstance(s[name], bool) or not isinstance(s[name], numbers.Integral) or s[name] < 1:
            raise ValueError(f"{name} must be an integer >= 1. Received: {name}={s[name]!r}.")
    for name in ("adanet_lambda", "adanet_beta", "checkpoint_seconds"):
        number = isinstance(s[name], numbers.Real) and not isinstance(s[name], bool)
        if not number or not 0 <= s[name] < float("inf"):
            raise ValueError(f"{name} must be a finite number >= 0. Received: {name}={s[name]!r}.")
    for name, choices in CHOICES.items():
        if s[name] not in choices and not (name == "placement" and isinstance(s[name], Ray)):
            raise ValueError(
                f"{name} must be one of {', '.join(map(repr, choices))}. "
                f"Received: {name}={s[name]!r}."
            )
    if s["penalize_training"] and make_complexity(s["complexity"]).needs_outputs:
        raise ValueError(
            "penalize_training needs a complexity that is known before training. "
            f"Received: complexity={s['complexity']!r}."
        )
    mixture = s["mixture_weights"]
    if not isinstance(mixture, Ensembler) and mixture not in (*MIXTURE_KINDS, "uniform"):
        raise ValueError(
            f"mixture_weights must be one of {', '.join(map(repr, MIXTURE_KINDS))}, 'uniform' "
            f"or an adanet.Ensembler. Received: mixture_weights={mixture!r}."
        )
    given = s["preprocessing"]
    if given not in ("auto", "standardize", None) and not isinstance(given, keras.Layer):
        raise ValueError(
            "preprocessing must be 'auto', 'standardize', None or a Keras layer or model. "
            f"Received: preprocessing={given!r}."
        )
    seed = s["seed"]
    if seed is not None and (
        isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or seed < 0
    ):
        raise ValueError(f"seed must be an integer >= 0 or None. Received: seed={seed!r}.")


def _check_type(value, expected, name, words):
    if not isinstance(value, expected):
        raise TypeError(f"{name} must be {words}. Received: {name}={value!r}.")
