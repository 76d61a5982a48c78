"""Builds a `Member` from a builder."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets._dtypes import whole, whole_dtype
from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.candidates.builder import Builder, Subnetwork
from adaptive_nets.adanet.ensembles.member import Member, layer_number
from adaptive_nets.data.specs import Spec, make_inputs
from adaptive_nets.graphs.unique_names import check_names, named_model
from adaptive_nets.heads.means import plain_mean
from adaptive_nets.keras_internals import call_of, seeded
from adaptive_nets.majority import expand

if TYPE_CHECKING:
    from adaptive_nets.adanet.ensembles.ensemble import Ensemble

# The layer that brings logits to the mean and spread of the targets.
TARGET_SCALE = "target_scale"


def build_member(
    builder: Builder,
    spec: Spec,
    units: int,
    previous: "Ensemble | None",
    iteration: int,
    complexity: Callable[[Subnetwork, tuple[int, ...] | None], float],
    seed: int,
    output_range: tuple[list[float], list[float]] | None = None,
    mean_of: Callable[[keras.KerasTensor], keras.KerasTensor] = plain_mean,
    fold: int | None = None,
    parts: dict[str, int] | None = None,
    renamed: dict[str, str] | None = None,
) -> Member:
    """Runs a builder and wraps its subnetwork. Every error names the builder.

    Args:
        builder: The `Builder`.
        spec: Feature spec of the (preprocessed) features.
        units: Number of logits.
        previous: The current `Ensemble`, or `None`.
        iteration: The round, from 1.
        complexity: Function to r from a `Subnetwork` and the widths that its layers after the
            first read (`None` if it names no hidden layers).
        seed: The search's seed.
        output_range: The head's output range. Defaults to `None`.
        mean_of: The head's `mean_of`, which makes logits of a subnetwork's heads where it has none
            of its own. Defaults to the plain mean.
        fold: Number of the fold that the network will not see. Defaults to `None`: it sees all.
        parts: Numbers of logits by name, in the order in which they lie side by side, where a
            builder may return a dict of them. Defaults to `None`: it may not.
        renamed: Keys of features by their names in the data, where these differ. Defaults to
            `None`: none do.
    """
    own = () if fold is None else (f"fold{fold}",)
    with seeded(derive_seed(seed, iteration, builder.name, *own)):
        inputs = make_inputs(spec)
        frozen = {}
        if previous is not None:
            previous, frozen = _with_hidden(previous)
        named = _by_name(inputs, renamed or {}) if builder.by_name else inputs
        built = _joined(builder.build(named, units, previous), parts, builder.name)
        hidden = _checked(built, builder.name, units)
        name = "-".join((f"{iteration}_{builder.name}", *own))
        given = {k: v for k in ("logits", "heads") if (v := getattr(built, k)) is not None}
        if output_range is not None and builder.rescale_output:
            offset, scale = output_range
            rescaling = keras.layers.Rescaling(
                scale, offset, dtype=whole_dtype(), name=TARGET_SCALE
            )
            given = {key: rescaling(tensor) for key, tensor in given.items()}
        if "logits" not in given:
            given["logits"] = mean_of(whole(given["heads"]))
        last = given["logits"] if built.logits is None else built.logits
        last = _checked_last(built.last_layer, last, builder.name)
        outputs = {"logits": given.pop("logits"), "last_layer": last, **given}
        outputs |= {f"hidden_{k}": tensor for k, tensor in enumerate(hidden, start=1)}
        read = _read(outputs.values(), frozen, builder.name)
        if read:
            inputs = {**(inputs if isinstance(inputs, dict) else {"features": inputs}), **read}
        model = named_model(inputs, outputs, f"subnetwork_{name}")
        check_names(model, f"Builder '{builder.name}'")
    if builder.majority:
        draws = derive_seed(seed, iteration, builder.name, "majority", *own)
        model = expand(model, seed=draws, **builder.majority)
    widths = None
    if built.hidden is not None and all(len(tensor.shape) == 2 for tensor in hidden):
        joined = [[t.shape[-1] for k, t in read.items() if layer_number(k) == layer]
                  for layer in range(1, len(hidden) + 1)]  # fmt: skip
        widths = tuple(t.shape[-1] + sum(more) for t, more in zip(hidden, joined, strict=True))
    r = complexity(built, widths) if built.complexity is None else built.complexity
    if not np.isfinite(r) or r < 0:
        raise ValueError(
            f"The complexity of builder '{builder.name}' must be finite and >= 0. Received: {r}."
        )
    owners = {key.rpartition(".")[0] for key in read}
    parents = tuple(m for m in (previous.members if read else ()) if m.name in owners)
    return Member(name, iteration, model, built.depth, float(r), dict(built.attributes), parents)


def _by_name(inputs, renamed):
    """Returns symbolic features by their names in the data."""
    if not isinstance(inputs, dict) or not set(renamed.values()) <= set(inputs):
        return inputs
    names = {key: name for name, key in renamed.items()}
    return {names.get(key, key): tensor for key, tensor in inputs.items()}


def _with_hidden(previous):
    """Returns the ensemble with symbolic inputs for its hidden layers, and these by key."""
    frozen = {
        key: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=key)
        for member in previous.members
        for key, tensor in member.hidden.items()
    }
    hidden = tuple(tuple(frozen[key] for key in m.hidden) for m in previous.members)
    return dataclasses.replace(previous, hidden=hidden), frozen


def _joined(built, parts, name):
    """Returns a subnetwork whose logits and last layers by head are one tensor each."""
    given = {
        key: value
        for key in ("logits", "last_layer")
        if isinstance(value := getattr(built, key, None), dict)
    }
    joined = {}
    for key, tensors in given.items():
        if parts is None or set(tensors) != set(parts):
            raise ValueError(
                f"Builder '{name}' must return {key} as one tensor, or with heads.Multi as a dict "
                f"by the names of its heads. Received: a dict of "
                f"{', '.join(map(show, tensors)) or 'nothing'}, with "
                f"{'one head' if parts is None else 'the heads ' + ', '.join(parts)}."
            )
        for head, units in parts.items():
            shape = tuple(getattr(tensors[head], "shape", ()))
            if key == "logits" and shape != (None, units):
                raise ValueError(
                    f"Builder '{name}' must return logits of shape (None, {units}) for head "
                    f"'{head}'. Received: {shape}."
                )
        listed = [tensors[head] for head in parts]
        joined[key] = listed[0] if len(listed) == 1 else keras.layers.Concatenate()(listed)
    return dataclasses.replace(built, **joined) if joined else built


def _checked(built, name, units):
    """Checks a subnetwork, and returns its hidden layers."""
    if not isinstance(built, Subnetwork):
        raise TypeError(
            f"Builder '{name}' must return an adanet.Subnetwork. Received: {type(built).__name__}."
        )
    if built.logits is None and built.heads is None:
        raise ValueError(
            f"Builder '{name}' must return logits, heads or both. Received: neither. "
            f"End it with Dense({units})."
        )
    if built.logits is not None and tuple(built.logits.shape) != (None, units):
        raise ValueError(
            f"Builder '{name}' must return logits of shape (None, {units}), the head's units. "
            f"Received: {tuple(built.logits.shape)}. End it with Dense({units})."
        )
    shape = None if built.heads is None else tuple(built.heads.shape)
    if shape and (len(shape) != 3 or not shape[1] or shape[::2] != (None, units)):
        raise ValueError(
            f"Builder '{name}' must return heads of shape (None, k, {units}): k predictors with "
            f"the head's units each. Received: {shape}."
        )
    hidden = list(built.hidden or ())
    for layer, tensor in enumerate(hidden, start=1):
        if not isinstance(tensor, keras.KerasTensor) or None in tensor.shape[1:]:
            shape = getattr(tensor, "shape", type(tensor).__name__)
            raise ValueError(
                f"Builder '{name}' must return hidden layers as KerasTensors whose shapes are "
                f"known except for the batch, so that they can be cached. Received: {shape} for "
                f"hidden layer {layer}."
            )
    return hidden


def _checked_last(last, logits, name):
    """Returns the last layer, by default the logits."""
    if last is None:
        return logits
    if len(last.shape) != 2:
        raise ValueError(
            f"Builder '{name}' must return a last_layer of shape (batch, features). "
            f"Received: {tuple(last.shape)}. Flatten or pool it."
        )
    return last


def _read(tensors, frozen, name):
    """Returns the frozen inputs that the tensors are computed from.

    Raises:
        ValueError: They are computed from a variable of no layer, which would not be trained.
    """
    keys = {id(tensor): key for key, tensor in frozen.items()}
    found, seen, waiting = set(), set(), list(tensors)
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        if id(tensor) in keys:
            found.add(keys[id(tensor)])
        call = call_of(tensor)
        _refuse_variables(call.arguments, name)
        waiting.extend(call.input_tensors)
    return {key: tensor for key, tensor in frozen.items() if key in found}


def _refuse_variables(arguments, name):
    for each in keras.tree.flatten((arguments.args, arguments.kwargs)):
        if isinstance(each, keras.Variable) or hasattr(each, "assign_add"):
            raise ValueError(
                f"Builder '{name}' must keep its weights in layers: a variable that an operation "
                "reads is neither trained nor stored. Use keras.layers.Dense and the like, or a "
                f"layer with add_weight. Received: a variable of shape {tuple(each.shape)}."
            )
