"""Which layers of a model get k kernels, and whether they did."""

import math
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from adaptive_nets._checks import check_list, or_none, show
from adaptive_nets.graphs.inventory import graph_nodes
from adaptive_nets.growth.rules.kernels.adapters import MERGE
from adaptive_nets.keras_internals import layers_in, own_variables
from adaptive_nets.majority.composite import LEAVES
from adaptive_nets.majority.folding import MajorityMixin
from adaptive_nets.majority.layers import MAJORITY

Which = str | type | Iterable[str | type] | None


class Chosen:
    """The layers to expand, each known by itself: names may come twice in models inside.

    Args:
        model: A built model.
        include: As for `expand`.
        exclude: As for `expand`.

    Raises:
        ValueError: A name is unknown, nothing is chosen, or a chosen layer holds adapters.
    """

    def __init__(self, model: keras.Model, include: Which, exclude: Which) -> None:
        self.model = model
        nodes = {id(node.operation): node.operation for node in graph_nodes(model)}
        outer = [x for x in nodes.values() if isinstance(x, keras.Layer)]
        self.layers = list({id(x): x for layer in outer for x in layers_in(layer)}.values())
        # This one divides the one kernel of the layer inside by its norm.
        wrappers = [x for x in self.layers if isinstance(x, keras.layers.SpectralNormalization)]
        held = {id(y) for x in wrappers for y in layers_in(x)}
        known = [x for x in self.layers if id(x) not in held]
        known = [x for x in known if type(x) in MAJORITY or _holds_leaves(x, nodes)]
        names = {x.name for x in self.layers}
        include, exclude = _listed("include", include), _listed("exclude", exclude) or []
        for each in [*(include or ()), *exclude]:
            if isinstance(each, str) and each not in names:
                raise ValueError(
                    f"Cannot expand {model.name!r}: it has no layer {show(each)}. Expected one of "
                    f"{', '.join(sorted(names))}. Received: {show(each)}."
                )
        self.by_default = include is None and not exclude
        if include is None:
            chosen = [x for x in known if type(x) is not keras.layers.Embedding]
        else:
            chosen = [x for x in known if _matches(x, include)]
        self.chosen = {id(x): x for x in chosen if not _matches(x, exclude)}
        if not self.chosen:
            raise ValueError(
                f"Cannot expand {model.name!r}: no layer was selected for expansion. Expected at "
                f"least one of {', '.join(sorted(k.__name__ for k in MAJORITY))}. Received layers: "
                f"{', '.join(sorted({type(x).__name__ for x in self.layers}))}."
            )
        for layer in self.chosen.values():
            held = layers_in(layer)
            if any(getattr(x, "lora_enabled", False) or getattr(x, "quantization_mode", None)
                   for x in held):  # fmt: skip
                raise ValueError(
                    f"Cannot expand {layer.name!r}: it has LoRA weights or is quantized. Expected "
                    f"plain weights. {MERGE} Or pass exclude=."
                )

    def has(self, layers: Sequence[Any]) -> bool:
        """Whether one of some layers was chosen."""
        return any(id(layer) in self.chosen for layer in layers)

    def within(self, layer: Any) -> bool:
        """Whether a layer was chosen, or holds one that was."""
        return self.has(layers_in(layer))

    def check_exchanged(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Refuses an expansion that changed nothing, and warns of what it passed over.

        Args:
            pairs: Each layer of the model with the one in its place.

        Raises:
            ValueError: No chosen layer has k kernels now.
        """
        new = {id(old): other for old, other in pairs}
        done = {key for key, other in new.items() if isinstance(other, MajorityMixin)}
        inside = {id(y) for x in self.layers if id(x) in done for y in layers_in(x)}
        left = [x for x in self.layers if id(x) not in done | inside and _has_kernel(x)]
        if not done:
            raise ValueError(
                f"Cannot expand {self.model.name!r}: none of the chosen layers could be exchanged. "
                f"Expected layers that say what they are made of in get_config(). Received: "
                f"{', '.join(f'{x.name} ({type(x).__name__})' for x in self.chosen.values())}."
            )
        if left and self.by_default:
            every = sum(math.prod(variable.shape) for variable in self.model.weights)
            share = sum(math.prod(w.shape) for x in left for w in own_variables(x)) / every
            warnings.warn(
                f"expand passed over {len(left)} layers with kernels, {share:.0%} of the "
                "parameters, because they have no majority version: "
                f"{', '.join(f'{x.name} ({type(x).__name__})' for x in left)}. They are trained "
                "as they are.",
                stacklevel=3,
            )


def _has_kernel(layer: Any) -> bool:
    """Whether a layer has a weight of two axes, other than a table of an embedding."""
    table = isinstance(layer, keras.layers.Embedding)
    return not table and any(len(variable.shape) > 1 for variable in own_variables(layer))


def _holds_leaves(layer: Any, outer: dict[int, Any]) -> bool:
    """Returns whether a layer is a custom one that contains stock layers."""
    if isinstance(layer, keras.Model) or type(layer).__module__.split(".")[0] == "keras":
        return False
    inner = layers_in(layer, include_self=False)
    return id(layer) in outer and any(type(x) in LEAVES for x in inner)


def _listed(name: str, which: Which) -> list[str | type] | None:
    listed = [which] if isinstance(which, str | type) else which
    return or_none(check_list, name, listed, str | type, "names or classes of layers, or None")


def _matches(layer: Any, which: Sequence[str | type]) -> bool:
    return any(layer.name == x if isinstance(x, str) else isinstance(layer, x) for x in which)
