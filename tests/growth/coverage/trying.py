"""Tries every verb on a model, and says what came of it."""

import dataclasses
import gc
import pathlib
import traceback
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import adaptive_nets
from adaptive_nets import growth, majority
from adaptive_nets.graphs.read import functional
from adaptive_nets.growth.core.compare import random_inputs
from adaptive_nets.keras_internals import input_structure, layers_in

# In float32, and where layers compute in half precision.
ROUNDING, HALF = 1e-5, 1e-2
ROWS, LENGTH, TOKENS = 3, 6, 11
PACKAGE = pathlib.Path(adaptive_nets.__file__).parent
KINDS = ("exact", "approximate", "refused", "wrong", "crash")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a verb did to a model.

    Args:
        kind: "exact"; "approximate", if the plan said so; "refused", by name; "wrong", where the
            plan said exact; or "crash": the error is not the package's own.
        gap: The largest difference of outputs relative to their scale; None: there was no result.
        note: The reason of a refusal, or what a person should know of the result.
    """

    kind: str
    gap: float | None = None
    note: str = ""


class RefusedError(Exception):
    """A verb that did nothing although it did not refuse."""


def tried(make: Callable[[], Any], verbs: Any = None) -> dict[str, Outcome]:
    """The outcome of each verb on a model.

    Args:
        make: Builds the model; or the model and inputs for it, if these cannot be drawn.
        verbs: Names of the verbs to try. Defaults to `None`: all.
    """
    made = make()
    model, sample = made if isinstance(made, tuple) else (made, None)
    sample = drawn(model) if sample is None else sample
    randomise(model, seed=1)
    found = {}
    for name in VERBS if verbs is None else verbs:
        found[name] = _outcome(VERBS[name], model, sample, make)
        gc.collect()
    return found


def _outcome(verb: Callable[..., Any], model: Any, sample: Any, make: Any) -> Outcome:
    try:
        said, expected, got, note = verb(model, sample, make)
    except RefusedError as error:
        return Outcome("refused", None, str(error)[:300])
    except Exception as error:
        kind = "refused" if _is_own(error) else "crash"
        return Outcome(kind, None, f"{type(error).__name__}: {error}"[:300])
    gap = float(f"{largest_gap(expected, got):.1e}")
    if said != "exact":
        return Outcome("approximate", gap, said)
    half = any("16" in str(layer.compute_dtype) for layer in layers_in(model))
    return Outcome("exact" if gap <= (HALF if half else ROUNDING) else "wrong", gap, note)


def _is_own(error: Exception) -> bool:
    """Whether the package raised the error itself, with words of its own."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    raised = (frame.line or "").strip().startswith("raise")
    return raised and PACKAGE in pathlib.Path(frame.filename).parents


def _applied(make_plan: Callable[..., Any]) -> tuple[str, Any, str]:
    """Whether the plan is "exact" or why not, the grown model, and what grew."""
    try:
        plan, said = make_plan(preserve="exact"), "exact"
    except ValueError as error:
        if "preserve='approximate'" not in str(error):
            raise
        plan, said = make_plan(preserve="approximate"), str(error)
    before = sum({id(model): model.count_params() for model in plan.models}.values())
    grown, report = growth.apply(plan, verify=False)
    if grown.count_params() <= before and plan.verb != "fuse":
        raise RefusedError("nothing grew: " + "; ".join(report.notes))
    note = f"x {grown.count_params() / before:.2f}"
    note += "" if type(grown) is type(plan.models[0]) else f", a {type(grown).__name__}"
    return said, grown, note


def _widen(model: Any, sample: Any, make: Any) -> tuple:
    said, grown, note = _applied(lambda **how: growth.plan_widen(model, 2.0, seed=0, **how))
    return said, outputs(model, sample), outputs(grown, sample), note


def _deepen(model: Any, sample: Any, make: Any) -> tuple:
    said, grown, note = _applied(lambda **how: growth.plan_deepen(model, 1, seed=0, **how))
    return said, outputs(model, sample), outputs(grown, sample), note


def _self_fuse(model: Any, sample: Any, make: Any) -> tuple:
    said, grown, note = _applied(lambda **how: growth.plan_self_fuse(model, cross="zero", **how))
    got = outputs(grown, sample)
    return said, mixed([outputs(model, sample)] * 2, got), got, note


def _fuse(model: Any, sample: Any, make: Any) -> tuple:
    made = make()
    models = [model, randomise(made[0] if isinstance(made, tuple) else made, seed=2)]
    said, grown, note = _applied(lambda **how: growth.plan_fuse(models, seed=0, **how))
    if said != "exact":
        try:
            grouped = _applied(lambda **how: growth.plan_fuse(models, norm="grouped", **how))
            said, grown, note = grouped if grouped[0] == "exact" else (said, grown, note)
            note += ", norm='grouped'"
        except ValueError as error:
            if not _is_own(error):
                raise
    got = outputs(grown, sample)
    return said, mixed([outputs(each, sample) for each in models], got), got, note


def _expand(model: Any, sample: Any, make: Any) -> tuple:
    expected = outputs(model, sample)
    expanded = majority.expand(model, factor=3, seed=0)
    between = outputs(expanded, sample)
    collapsed, report = majority.collapse(expanded)
    share = sum(row[-1] for row in report.rows) / max(model.count_params(), 1)
    got = outputs(collapsed, sample)
    return "exact", [*expected, *expected], [*between, *got], f"{share:.0%} of the weights"


VERBS = {
    "widen": _widen,
    "deepen": _deepen,
    "self_fuse": _self_fuse,
    "fuse": _fuse,
    "expand": _expand,
}


def mixed(sources: list[list[np.ndarray]], got: list[np.ndarray]) -> list[np.ndarray]:
    """What a fused model should give: the mean of the sources' outputs, or all side by side."""
    return [
        np.mean(parts, axis=0) if parts[0].shape == array.shape else np.concatenate(parts, axis=-1)
        for array, *parts in zip(got, *sources, strict=True)
    ]


def randomise(model: Any, seed: int) -> Any:
    """Gives every weight random values, and moving variances positive ones.

    Fresh initialisations hide mistakes: biases are zero there, gains and variances one.
    """
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "seed" in variable.path or "float" not in str(variable.dtype):
            continue
        shape = tuple(variable.shape)
        if "variance" in variable.path:
            value = rng.uniform(0.5, 2.0, shape)
        elif len(shape) > 1:
            # Kernels of this spread keep activations of order one through many layers.
            value = rng.normal(size=shape) / np.sqrt(max(np.prod(shape[:-1]), 1))
        else:
            gain = any(word in variable.path for word in ("gamma", "scale", "norm"))
            value = float(gain and "beta" not in variable.path) + 0.3 * rng.normal(size=shape)
        variable.assign(value.astype(variable.dtype))
    for layer in layers_in(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # It computes with what it made of its weights.
    return model


def drawn(model: Any, rows: int = ROWS, length: int = LENGTH, tokens: int = TOKENS) -> Any:
    """Inputs for a model: normal values, tokens, and masks that hide the end of the first row."""
    rng = np.random.default_rng(0)
    if any("string" in str(tensor.dtype) for tensor in model.inputs):
        return random_inputs(model, rows=rows, length=length)
    arrays = []
    for tensor in model.inputs:
        shape = [tensor.shape[0] or rows, *(size or length for size in tensor.shape[1:])]
        kind, name = str(tensor.dtype), tensor.name
        if "mask" in name and len(shape) == 2 and "position" not in name:
            array = np.ones(shape)
            array[0, -2:] = 0
        elif "float" in kind:
            array = rng.normal(size=shape)
        elif "position" in name:
            array = np.broadcast_to(np.arange(shape[-1]), shape)
        else:
            array = rng.integers(0, 2 if "segment" in name else tokens, shape)
        arrays.append(array.astype(kind))
    return keras.tree.pack_sequence_as(input_structure(functional(model)), arrays)


def outputs(model: Any, sample: Any) -> list[np.ndarray]:
    """All outputs of a model at inference, in float64."""
    # A task of keras-hub would prepare text, so the graph alone is called.
    with keras.StatelessScope():
        found = keras.tree.flatten(model(sample, training=False))
    return [keras.ops.convert_to_numpy(each).astype("float64") for each in found]


def largest_gap(expected: list[np.ndarray], got: list[np.ndarray]) -> float:
    """The largest difference, relative to the scale of each output; infinite for NaN."""
    worst = 0.0
    for wanted, array in zip(expected, got, strict=True):
        if wanted.shape != array.shape:
            return float("inf")
        if not wanted.size:
            continue
        scale = max(float(np.abs(wanted).max()), 1e-30)
        worst = max(worst, float(np.nan_to_num(np.abs(array - wanted), nan=np.inf).max()) / scale)
    return worst
