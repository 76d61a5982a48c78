"""Deeper backbones: one more block a stack, which adds zero at first."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.graphs.shared_memory import read
from adaptive_nets.growth.core.grown_model import initialise, postponed
from adaptive_nets.growth.core.optimizer_slots import Carried
from adaptive_nets.growth.core.plan import Plan, table_of
from adaptive_nets.growth.core.weight_roles import variable_of
from adaptive_nets.growth.rules.hub.parts import task_like
from adaptive_nets.keras_internals import KERNEL

if TYPE_CHECKING:
    import pandas as pd

# What a block adds to its residual stream is written by these.
OUTPUTS = (
    *("self_attention.output_projector", "cross_attention.output_projector", "output_projector"),
    *("_self_attention_layer._output_dense", "_cross_attention_layer._output_dense"),
    "_feedforward_output_dense",
)
LAST_NORM = ("_feedforward_layer_norm.gamma", "_feedforward_layer_norm.beta")


def _find(layer: Any, attribute: str) -> Any:
    try:
        return variable_of(layer, attribute)
    except AttributeError:
        return None


class BackboneDeepening(Plan):
    """The plan of more blocks at the end of each stack of a backbone.

    Where norms stand before attention (T5, GPT-2) a block whose outputs are zero passes its input
    on. Where they stand behind (BERT), the norm that ended the stack moves to its new end, and
    norms without gain and bias remain, which change nothing on what is normalised already.

    Args:
        model: The source.
        count: How many blocks.
        seed: For all that is drawn.
    """

    verb = "deepen"

    def __init__(self, model: keras.Model, count: int, seed: int) -> None:
        self.model = model
        self.models = (model,)
        self.count = count
        self.seed = seed

    @property
    def inexact(self) -> list[str]:
        """Nothing: new blocks add zero."""
        return []

    @property
    def parameters(self) -> int:
        """Parameters that the deeper model will have."""
        last = f"layer_{self.model.num_layers - 1}"
        blocks = [layer for layer in self.model.layers if layer.name.endswith(last)]
        new = sum(layer.count_params() for layer in blocks)
        return self.model.count_params() + self.count * new

    @property
    def table(self) -> "pd.DataFrame":
        before = self.model.num_layers
        row = {"layer": self.model.name, "kind": type(self.model).__name__, "axis": "num_layers"}
        how = f"{self.count} new at the end, adding zero"
        return table_of([{**row, "sources": before, "size": before + self.count, "how": how}])

    def grow(self) -> tuple[keras.Model, list[Carried]]:
        model = self.model
        depth = model.num_layers + self.count
        with postponed() as variables:
            grown = type(model).from_config({**model.get_config(), "num_layers": depth})
        pairs = self._pairs(grown)
        values = {id(new): read(old) for old, new in pairs}
        values |= self._constants(grown)
        drawn = {id(weight) for weight in grown.weights} - values.keys()
        initialise(variables, values, drawn, self.seed, "float32")
        return grown, [Carried((old,), new) for old, new in pairs]

    def _pairs(self, grown: keras.Model) -> list[tuple[Any, Any]]:
        moved = {}
        for old, new in self._ends(grown):
            if not getattr(old, "normalize_first", True):
                moved |= {id(variable_of(old, name)): variable_of(new, name) for name in LAST_NORM}
        found = []
        for layer in self.model.layers:
            new = grown.get_layer(layer.name)
            new.trainable = layer.trainable
            for one, other in zip(layer.weights, new.weights, strict=True):
                found.append((one, moved.get(id(one), other)))
        return found

    def _ends(self, grown: keras.Model) -> list[tuple[Any, Any]]:
        """The last block of each stack, and the new last one."""
        last, new = self.model.num_layers - 1, self.model.num_layers + self.count - 1
        return [
            (layer, grown.get_layer(f"{layer.name.removesuffix(f'_{last}')}_{new}"))
            for layer in self.model.layers
            if layer.name.endswith(f"layer_{last}")
        ]

    def _constants(self, grown: keras.Model) -> dict[int, np.ndarray]:
        """Zero outputs, and gains of one where norms stand in a row."""
        old = {layer.name for layer in self.model.layers}
        found = {}
        for layer in grown.layers:
            for name in OUTPUTS if layer.name not in old else ():
                for part in (KERNEL, "bias"):
                    weight = _find(layer, f"{name}.{part}")
                    if weight is not None:
                        found[id(weight)] = np.zeros(weight.shape, "float32")
        for layer, _ in self._ends(grown):
            if not getattr(layer, "normalize_first", True):
                before = grown.get_layer(layer.name)
                for name, value in zip(LAST_NORM, (1, 0), strict=True):
                    weight = variable_of(before, name)
                    found[id(weight)] = np.full(weight.shape, value, "float32")
        return found


# Where blocks end: the dense layers whose output is added to the stream.
_ENDS = re.compile(
    r"/(attention_output|output_dense|o_proj|out_proj|down_proj|ffw_linear|feedforward_output_dense"
    r"|output_projection|dense_2|dense_4h_to_h|mlp_output_dense|output_layer)/(kernel|bias)$"
)
# What becomes deeper by its constructor; that a new block passes its input on was tried for each.
DEEPER = frozenset(
    [
        *("GemmaBackbone", "GPTNeoXBackbone", "LlamaBackbone", "Llama3Backbone"),
        *("MistralBackbone", "Phi3Backbone", "QwenBackbone", "Qwen3Backbone", "ViTBackbone"),
    ]
)


class ConstructedDeepening(BackboneDeepening):
    """One more block at the end, whose last layers are zero: it passes its input on.

    Weights belong together by their paths, in which blocks are numbered.
    """

    @property
    def parameters(self) -> int:
        return self.grow()[0].count_params()

    def _pairs(self, grown: keras.Model) -> list[tuple[Any, Any]]:
        others = _by_path(grown)
        for layer in self.model.layers:
            grown.get_layer(layer.name).trainable = layer.trainable
        return [(old, others[path]) for path, old in _by_path(self.model).items()]

    def _constants(self, grown: keras.Model) -> dict[int, np.ndarray]:
        known = _by_path(self.model)
        new = {path: weight for path, weight in _by_path(grown).items() if path not in known}
        ends = {path: weight for path, weight in new.items() if _ENDS.search(path)}
        kernels = [path for path in ends if path.endswith("kernel")]
        if len(kernels) != 2 * self.count:
            raise ValueError(
                f"Cannot deepen {self.model.name!r}: its new blocks do not end in one layer of "
                f"attention and one dense layer each. Expected {2 * self.count} kernels. Received: "
                f"{', '.join(kernels) or 'none'}."
            )
        return {id(weight): np.zeros(weight.shape, "float32") for weight in ends.values()}


def _by_path(model: keras.Model) -> dict[str, Any]:
    """The weights of a model by path, without the model's own name."""
    found = {weight.path.removeprefix(f"{model.name}/"): weight for weight in model.weights}
    if len(found) != len(model.weights):
        raise ValueError(
            f"Cannot deepen {model.name!r}: two of its weights have one path, so it is not known "
            "which belongs to which block. Expected a path of its own for each."
        )
    return found


class TaskDeepening(Plan):
    """The plan of a task whose backbone becomes deeper; it is of the same class.

    Args:
        model: The task.
        inner: The plan of its backbone.
    """

    verb = "deepen"

    def __init__(self, model: keras.Model, inner: BackboneDeepening) -> None:
        self.model = model
        self.models = (model,)
        self.inner = inner
        self.seed = inner.seed

    @property
    def inexact(self) -> list[str]:
        """Nothing: new blocks add zero."""
        return self.inner.inexact

    @property
    def parameters(self) -> int:
        """Parameters that the deeper task will have."""
        before = self.model.backbone.count_params()
        return self.model.count_params() - before + self.inner.parameters

    @property
    def table(self) -> "pd.DataFrame":
        return self.inner.table

    def grow(self) -> tuple[keras.Model, list[Carried]]:
        backbone, carried = self.inner.grow()
        with postponed() as variables:
            grown = task_like(self.model, backbone)
        held = {id(weight) for weight in self.model.backbone.weights}
        pairs = []
        for layer in self.model.layers:
            if layer is not self.model.backbone and getattr(layer, "weights", None):
                new = grown.get_layer(layer.name)
                new.trainable = layer.trainable
                both = zip(layer.weights, new.weights, strict=True)
                pairs += [(old, other) for old, other in both if id(old) not in held]
        values = {id(new): read(old) for old, new in pairs}
        initialise(variables, values, set(), self.seed, "float32")
        return grown, [*carried, *(Carried((old,), new) for old, new in pairs)]


def constructed_deepening(
    model: keras.Model, after: Any, method: str, seed: int
) -> ConstructedDeepening | None:
    """The plan of a deeper backbone of the same class; None where its blocks are not known."""
    counted = after is None or (isinstance(after, int | np.integer) and not isinstance(after, bool))
    if type(model).__name__ not in DEEPER or not counted or method not in ("auto", "residual"):
        return None
    return _checked(model, after, lambda count: ConstructedDeepening(model, count, seed))


def backbone_deepening(model: keras.Model, after: Any, method: str, seed: int) -> BackboneDeepening:
    """The plan of a deeper backbone, which is of the same class."""
    if method not in ("auto", "residual") or isinstance(after, bool):
        raise ValueError(
            f"Cannot deepen {model.name!r} with method={method!r}: a {type(model).__name__} is "
            "made of blocks of one kind. Expected method='auto' or 'residual'."
        )
    if after is not None and not isinstance(after, int | np.integer):
        raise ValueError(
            f"Cannot deepen {model.name!r} after {after!r}: the constructor of "
            f"{type(model).__name__} numbers its blocks, so new ones stand at the end. Expected "
            "how many blocks to add. Pass after=1."
        )
    return _checked(model, after, lambda count: BackboneDeepening(model, count, seed))


def _checked(model: keras.Model, after: Any, make: Callable[[int], Any]) -> Any:
    count = 1 if after is None else int(after)
    if count < 0 or model.num_layers < 1:
        raise ValueError(
            f"Cannot deepen {model.name!r} by {count} blocks: growth never shrinks, and begins "
            f"with one block at least. Expected after >= 0. Received: after={show(after)}, and a "
            f"model of {model.num_layers} blocks."
        )
    return make(count)
