"""Hands a grown graph to the running model, so that `fit` goes on with it."""

import contextlib

import keras

from adaptive_nets._checks import check_choice, check_instance
from adaptive_nets.graphs.adopt import adopt
from adaptive_nets.graphs.inventory import check_adoptable
from adaptive_nets.graphs.read import check_model
from adaptive_nets.growth.core.compare import GrowthReport
from adaptive_nets.growth.core.optimizer_slots import carry_optimizer
from adaptive_nets.growth.core.plan import Plan
from adaptive_nets.growth.core.registry import check_grown_whole, makes_whole


def grow_in_place(
    model: keras.Model, plan: Plan, slots: str = "carry", verify: bool | str = "auto"
) -> GrowthReport:
    """Applies a plan to the model itself: the object stays, its layers are the grown ones.

    Args:
        model: The compiled source of the plan, which may be in the middle of `fit`.
        plan: What an action or a `plan_*` function made of `model`.
        slots: "carry" grows the optimizer's slots, "reset" begins with new ones.
        verify: As for `apply`: a model whose outputs differ is left as it was.

    Returns:
        The report.

    Raises:
        ValueError: If the model is not compiled, or the plan is of another model.
    """
    check_model("model", model)
    check_instance("plan", plan, Plan, "what plan_widen, plan_deepen or plan_fuse returned")
    check_choice("slots", slots, ("carry", "reset"))
    check_in_place(model)
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
        grown, report, pairs = plan.apply_with_pairs(verify=verify)
        optimizer = carry_optimizer(model.optimizer, pairs, grown, slots)
    adopt(model, grown, optimizer)
    return report


def check_in_place(model: keras.Model) -> None:
    """Refuses a model that cannot grow in the middle of `fit`.

    Raises:
        ValueError: It has no optimizer, its class would not let it be saved and loaded once grown,
            or an attribute holds what is not a layer of its graph and would stay as small as it is.
    """
    check_compiled(model)
    check_grown_whole(model)
    if not makes_whole(model):
        check_adoptable(model, "grow")


def check_compiled(model: keras.Model) -> None:
    """Refuses a model without an optimizer."""
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise ValueError(
            f"Cannot grow {model.name!r} in the middle of training: it is not compiled. Expected "
            "a model with an optimizer. Call model.compile(...) first."
        )
