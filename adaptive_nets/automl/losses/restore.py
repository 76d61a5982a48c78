"""`restore_target`: a target from its JSON values."""

from typing import Any

import numpy as np

from adaptive_nets._checks import check_choice
from adaptive_nets.automl.losses.distribution import Distributions
from adaptive_nets.automl.losses.positive import FAMILIES, Positive
from adaptive_nets.automl.losses.quantiles import Quantiles
from adaptive_nets.automl.targets import Classes, Numbers, Target


def restore_target(values: dict[str, Any]) -> Target:
    """Returns the target that `to_dict` has described."""
    if values["kind"] == "classes":
        return Classes(np.array(values["labels"], dtype=values["dtype"]), values["name"])
    scale = np.array(values["scale"])
    rest = values["name"], values["flat"], values.get("style")
    if values["kind"] == "positive":
        return Positive(check_choice("loss", values["loss"], tuple(FAMILIES)), scale, *rest)
    kinds = {"quantiles": Quantiles, "distribution": Distributions}
    kind = kinds.get(values["kind"], Numbers)
    return kind(np.array(values["mean"]), scale, *rest)
