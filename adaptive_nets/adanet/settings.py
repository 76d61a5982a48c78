"""Checks of `AdaNet`'s settings, and their JSON form."""

import contextlib
import importlib
import numbers
from typing import Any

import keras

from adaptive_nets.adanet.complexity import make_complexity
from adaptive_nets.adanet.ensemble import Ensembler
from adaptive_nets.adanet.evaluator import Evaluator
from adaptive_nets.adanet.generator import Generator
from adaptive_nets.adanet.proximal import KINDS
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
    if not isinstance(mixture, Ensembler) and mixture not in (*KINDS, "uniform"):
        raise ValueError(
            f"mixture_weights must be one of {', '.join(map(repr, KINDS))}, 'uniform' or an "
            f"adanet.Ensembler. Received: mixture_weights={mixture!r}."
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


def describe_object(value: Any) -> Any:
    """A setting as JSON: plain values as they are, objects by class and configuration."""
    if value is None or isinstance(value, str | bool | numbers.Integral):
        return value if not isinstance(value, numbers.Integral) or value is None else _plain(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, list | tuple):
        return [describe_object(v) for v in value]
    if isinstance(value, dict):
        return {str(k): describe_object(v) for k, v in value.items()}
    if hasattr(value, "get_config"):
        return {
            "class": f"{type(value).__module__}.{type(value).__qualname__}",
            "registered": keras.saving.get_registered_name(type(value)),
            "config": describe_object(value.get_config()),
        }
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return {"class": f"{getattr(value, '__module__', '')}.{name}", "config": None}


def _plain(value):
    return bool(value) if isinstance(value, bool) else int(value)


def restore_object(value: Any, setting: str) -> Any:
    """The setting that `describe_object` described."""
    if isinstance(value, list):
        return [restore_object(v, setting) for v in value]
    if not isinstance(value, dict) or "class" not in value:
        return value
    module, _, name = value["class"].rpartition(".")
    found = None
    # Importing the class's module registers it, as the stock generators' does.
    with contextlib.suppress(ImportError):
        found = getattr(importlib.import_module(module), name, None)
    found = keras.saving.get_registered_object(value.get("registered") or "") or found
    if found is None or value["config"] is None or value["config"].get("own_data"):
        raise ValueError(
            f"The search's {setting} ({value['class']}) cannot be rebuilt from its state. Pass "
            f"it: AdaNet.load(model_dir, {setting}=...)."
        )
    return found.from_config(value["config"])
