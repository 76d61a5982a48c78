"""How far the outputs of two models are apart, and what is reported of a growth."""

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import check_bool, show
from adaptive_nets._shown import Shown
from adaptive_nets.graphs.read import functional
from adaptive_nets.keras_internals import input_structure

if TYPE_CHECKING:
    import pandas as pd

# The largest relative gap that is still rounding, by the lowest precision that is computed with.
ROUNDING = {"float64": 1e-8, "float32": 1e-3, "float16": 0.05, "bfloat16": 0.1}


def relative_gap(
    models: Sequence[keras.Model],
    grown: keras.Model,
    sample: Any,
    mix: Sequence[float] = (1.0,),
) -> float:
    """The largest difference of outputs, relative to the outputs' scale.

    Args:
        models: The sources.
        grown: The model that should compute their mixture, or has their features side by side.
        sample: Inputs [rows, ...].
        mix: The share of each source in the outputs.
    """
    return gap_to(mixed_outputs(models, grown, sample, mix), grown, sample, check=False)


def mixed_outputs(
    models: Sequence[keras.Model], grown: keras.Model, sample: Any, mix: Sequence[float]
) -> list[np.ndarray]:
    """What the grown model should give: the mixture of the sources' outputs, or all of them."""
    seen: dict[int, list[Any]] = {}
    for model in models:
        # Stateful layers stay as they are, and each model begins with the draws that it has.
        with keras.StatelessScope():
            seen[id(model)] = seen.get(id(model)) or keras.tree.flatten(
                model(sample, training=False)
            )
    parts = [seen[id(model)] for model in models]
    found = []
    one = functional(models[0]).outputs
    for old, new, sources in zip(one, grown.outputs, zip(*parts, strict=True), strict=True):
        arrays = [keras.ops.convert_to_numpy(x).astype("float64") for x in sources]
        # Features that stand side by side are not on the last axis where a model moves them.
        # Computed shapes may differ from the stated ones, so the stated ones are compared.
        pairs = enumerate(zip(old.shape, new.shape, strict=True))
        joined = [axis for axis, (a, b) in pairs if axis and None not in (a, b) and a != b]
        if joined:
            found.append(np.concatenate(arrays, axis=joined[0]))
        else:
            found.append(sum(m * x for m, x in zip(mix, arrays, strict=True)))
    return found


def gap_to(
    expected: Sequence[np.ndarray], grown: keras.Model, sample: Any, check: bool = True
) -> float | None:
    """The largest difference from expected outputs, relative to their scale.

    Args:
        expected: The outputs.
        grown: The model that should give them.
        sample: Inputs [rows, ...].
        check: Whether to give None where the expected outputs are not finite.
    """
    with keras.StatelessScope():
        outputs = keras.tree.flatten(grown(sample, training=False))
    worst = 0.0
    for wanted, tensor in zip(expected, outputs, strict=True):
        if check and not np.isfinite(wanted).all():
            return None
        got = keras.ops.convert_to_numpy(tensor).astype("float64")
        scale = max(float(np.abs(wanted).max()), np.finfo("float32").tiny)
        # What is not a number differs from every number.
        worst = max(worst, float(np.nan_to_num(np.abs(got - wanted), nan=np.inf).max()) / scale)
    return worst


def random_inputs(model: keras.Model, seed: int = 0, rows: int = 8, length: int = 8) -> Any:
    """Inputs on which two models can be compared: normal values, or small integers."""
    rng = np.random.default_rng(seed)
    arrays = []
    # A model with embedded positions knows no later ones.
    length = min(length, getattr(model, "max_sequence_length", length))
    for tensor in model.inputs:
        # A batch of a fixed size is what the model was built for.
        shape = [tensor.shape[0] or rows, *(size or length for size in tensor.shape[1:])]
        if tensor.dtype == "string":
            arrays.append(rng.choice(["a", "b", "c"], shape).astype(object))
        elif "float" in tensor.dtype:
            arrays.append(rng.normal(size=shape).astype(tensor.dtype))
        else:
            arrays.append(rng.integers(0, 2, shape).astype(tensor.dtype))
    return keras.tree.pack_sequence_as(input_structure(functional(model)), arrays)


@dataclasses.dataclass(frozen=True)
class Verification:
    """Outputs before and after growth.

    Args:
        gap: The largest difference relative to the outputs' scale; None: it was not measured.
        seconds: What it cost.
        reason: Why it was not measured.
    """

    gap: float | None = None
    seconds: float = 0.0
    reason: str = ""

    def __str__(self) -> str:
        if self.gap is None:
            return f"not verified: {self.reason}"
        return f"verified to {self.gap:.1g} in {self.seconds:.2f} s"


def check_verify(verify: Any) -> bool | str:
    """Refuses what is neither "auto" nor a bool."""
    if isinstance(verify, str) and verify == "auto":
        return verify
    try:
        return check_bool("verify", verify)
    except (TypeError, ValueError):
        raise ValueError(
            f"verify must be 'auto', True or False. Received: verify={show(verify)}."
        ) from None


def verify_growth(
    models: Sequence[keras.Model],
    grown: keras.Model,
    mix: Sequence[float],
    verify: bool | str,
    seconds: float,
    seed: int,
    verb: str = "grow",
) -> Verification:
    """Compares outputs on drawn inputs, and refuses a new model that computes something else.

    Args:
        models: The sources.
        grown: What was made of them, which should be exact.
        mix: The share of each source in the outputs.
        verify: True, or "auto" to leave it where it would take longer than the growth did.
        seconds: How long that took.
        seed: For the inputs.
        verb: What was done to the sources. Defaults to "grow".

    Raises:
        ValueError: The outputs differ by more than rounding; or, with `verify=True`, no inputs can
            be drawn for the model.
    """
    if not verify:
        return Verification(reason="verify=False")
    automatic = verify == "auto"
    if automatic and _is_costly(models[0]):
        return Verification(reason="each operation would be compiled (verify=True does it)")
    started = time.perf_counter()
    try:
        sample, expected = _drawn(models, grown, mix, seed)
    except Exception as error:
        if automatic:
            return Verification(reason="no inputs could be drawn for the model (pass a sample)")
        raise ValueError(
            f"Cannot verify {models[0].name!r} on inputs that are drawn from the shapes of its "
            f"inputs ({type(error).__name__}). "
            + ("Pass apply(plan, sample=...), or " if verb == "grow" else "Pass ")
            + "verify=False."
        ) from error
    grows = sum(model.count_params() for model in models)
    cost = (time.perf_counter() - started) * (1 + grown.count_params() / max(grows, 1))
    if automatic and cost > seconds:
        return Verification(reason=f"it would take {cost:.2f} s (verify=True does it)")
    gap = gap_to(expected, grown, sample)
    if gap is None:
        return Verification(reason="outputs are not finite on inputs that are drawn")
    check_gap(models, grown, sample, gap, verb)
    return Verification(gap, time.perf_counter() - started)


def _drawn(
    models: Sequence[keras.Model], grown: keras.Model, mix: Sequence[float], seed: int
) -> tuple[Any, list[np.ndarray]]:
    """Inputs and what the grown model should give; short ones where eight steps are too many."""
    try:
        sample = random_inputs(models[0], seed)
        return sample, mixed_outputs(models, grown, sample, mix)
    except Exception:
        # Embedded positions may be fewer, and only their layer knows.
        sample = random_inputs(models[0], seed, length=2)
        return sample, mixed_outputs(models, grown, sample, mix)


def drawn_gap(
    models: Sequence[keras.Model], grown: keras.Model, mix: Sequence[float], seed: int
) -> float | None:
    """The largest difference on drawn inputs; None where none can be drawn that the model takes."""
    try:
        sample, expected = _drawn(models, grown, mix, seed)
    except Exception:
        return None
    return gap_to(expected, grown, sample, check=False)


def check_gap(
    models: Sequence[keras.Model],
    grown: keras.Model,
    sample: Any,
    gap: float,
    verb: str = "grow",
) -> None:
    """Refuses a gap that is not rounding.

    Raises:
        ValueError: It is larger; the message names the first layer that differs.
    """
    if gap <= _rounding(models):
        return
    says, fault = "its plan says exact", "a growth rule"
    if verb != "grow":
        says, fault = "the result should compute the same", "this package"
    raise ValueError(
        f"Cannot {verb} {models[0].name!r}: {says}, and the outputs differ by {gap:.2g} of their "
        f"scale, first at {_first_difference(models[0], grown, sample)!r}. Expected at most "
        f"{_rounding(models):g}. This is a fault of {fault}, or a layer that draws or rounds at "
        "inference: replace the layer, or pass verify=False to go on."
    )


def _is_costly(model: keras.Model) -> bool:
    return keras.backend.backend() == "jax" or (
        hasattr(model, "distribute_strategy")
        and (
            type(model.distribute_strategy).__name__
            not in ("_DefaultDistributionStrategy", "NoneType")
        )
    )


def _rounding(models: Sequence[keras.Model]) -> float:
    used = {getattr(layer, "compute_dtype", "float32") for each in models for layer in each.layers}
    return max(ROUNDING.get(dtype, 0.0) for dtype in used | {"float64"})


def _first_difference(source: keras.Model, grown: keras.Model, sample: Any) -> str:
    """The first layer, among those of one name and shape in both, whose output differs."""
    places = []
    others = {layer.name: layer for layer in functional(grown).layers}
    for layer in functional(source).layers:
        pair = [getattr(each, "output", None) for each in (layer, others.get(layer.name))]
        if all(isinstance(x, keras.KerasTensor) for x in pair) and pair[0].shape == pair[1].shape:
            places.append((layer.name, *pair))
    one = keras.Model(source.inputs, [place[1] for place in places])
    two = keras.Model(grown.inputs, [place[2] for place in places])
    flat = keras.tree.flatten(sample)
    with keras.StatelessScope():
        pairs = zip(places, one(flat, training=False), two(flat, training=False), strict=True)
        for (name, *_), before, after in pairs:
            a, b = (keras.ops.convert_to_numpy(x).astype("float64") for x in (before, after))
            if np.abs(a - b).max() > _rounding([source]) * np.abs(a).max():
                return name
    return functional(source).layers[-1].name


@dataclasses.dataclass(frozen=True)
class GrowthReport(Shown):
    """What a growth did; `str(report)` is readable.

    Args:
        table: The plan's rows.
        parameters_before: Parameters of all sources.
        parameters: Parameters of the grown model.
        exact: Whether the function is preserved to rounding.
        gap: The largest relative difference of outputs where it was measured, or None.
        seconds: How long it took.
        notes: What a person should know.
        verified: How outputs were compared where the plan is exact and no sample was given.
    """

    table: "pd.DataFrame"
    parameters_before: int
    parameters: int
    exact: bool
    gap: float | None
    seconds: float
    notes: tuple[str, ...]
    verified: Verification | None = None

    def _parts(self) -> list[Any]:
        gap = "" if self.gap is None else f", largest relative gap {self.gap:.2g}"
        kind = "exact" if self.exact else "approximate"
        head = (
            f"{self.parameters_before:,} -> {self.parameters:,} parameters, {kind}{gap}, "
            f"{self.seconds:.2f} s" + ("" if self.verified is None else f", {self.verified}")
        )
        notes = [f"note: {note}" for note in self.notes]
        return [head, self.table if len(self.table) else "nothing grew", *notes]
