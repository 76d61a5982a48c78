"""Hands a grown graph to the running model, so that `fit` goes on with it."""

import contextlib
from typing import Any

import keras

from adaptive_nets.growth.core.optimizer_slots import carry_optimizer
from adaptive_nets.growth.core.plan import GrowthReport, Plan

# What makes up a model's graph; all else (compilation, history, strategy) stays the model's own.
_STRUCTURE = (
    "_inputs_struct",
    "_outputs_struct",
    "_inputs",
    "_outputs",
    "_nodes",
    "_nodes_by_depth",
    "_operations",
    "_operations_by_depth",
    "_functional",
    "output_names",
    "_build_shapes_dict",
)


def grow_in_place(model: keras.Model, plan: Plan, slots: str = "carry") -> GrowthReport:
    """Applies a plan to the model itself: the object stays, its layers are the grown ones.

    Args:
        model: The compiled source of the plan, which may be in the middle of `fit`.
        plan: What an action or a `plan_*` function made of `model`.
        slots: "carry" grows the optimizer's slots, "reset" begins with new ones.

    Returns:
        The report.

    Raises:
        ValueError: If the model is not compiled, or the plan is of another model.
    """
    check_compiled(model)
    if plan.models[0] is not model:
        raise ValueError(
            f"Cannot grow {model.name!r} in place: the plan was made of another model. Expected "
            "a plan of this model. Call plan_widen (or another) with it."
        )
    sync = getattr(model, "jax_state_sync", None)
    if sync is not None:
        # Under JAX fit holds its own copy of the weights.
        sync()
    strategy = getattr(model, "distribute_strategy", None)
    with strategy.scope() if strategy is not None else contextlib.nullcontext():
        grown, report, pairs = plan.apply_with_pairs()
        optimizer = carry_optimizer(model.optimizer, pairs, grown, slots)
    adopt(model, grown, optimizer)
    return report


def check_compiled(model: keras.Model) -> None:
    """Refuses a model without an optimizer."""
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise ValueError(
            f"Cannot grow {model.name!r} in the middle of training: it is not compiled. Expected "
            "a model with an optimizer. Call model.compile(...) first."
        )


def adopt(model: keras.Model, grown: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Makes the model's graph the grown one's, in memory and for saving."""
    mine, theirs = vars(model), vars(grown)
    for name in _STRUCTURE:
        if name in theirs:
            mine[name] = theirs[name]
    # Tracked lists refuse changes of a built model, so their contents are exchanged beneath.
    list.__setitem__(mine["_layers"], slice(None), list(theirs["_layers"]))
    model._tracker.stored_ids["layers"] = {id(layer) for layer in theirs["_layers"]}
    names = mine.get("_self_unconditional_dependency_names")
    if names is not None:
        # TensorFlow keeps its own list of what a checkpoint holds.
        for name, value in theirs["_self_unconditional_dependency_names"].items():
            if name in _STRUCTURE:
                dict.__setitem__(names, name, value)
        references = mine["_self_unconditional_checkpoint_dependencies"]
        for number, reference in enumerate(references):
            if reference.name in _STRUCTURE and reference.name in names:
                new = type(reference)(reference.name, names[reference.name])
                list.__setitem__(references, number, new)
    mine["optimizer"] = optimizer
    model._compile_config.config["optimizer"] = optimizer
    retrace(model)


def retrace(model: keras.Model) -> None:
    """Lets a model whose variables were exchanged go on in the middle of `fit`."""
    vars(model)["_compiled_trainable_state"] = trainable_state(model)
    for name in ("train_function", "test_function", "predict_function"):
        setattr(model, name, None)
    if hasattr(model, "_jax_state_synced"):
        model._jax_state = None
        model._jax_state_synced = True
    model.make_train_function()


def trainable_state(model: keras.Model) -> dict[Any, bool]:
    """Which layers were trainable at compilation: Keras freezes what it learns of them there."""
    return {layer: layer.trainable for layer in model._flatten_layers()}
