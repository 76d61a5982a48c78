"""Backbones and tasks that are made again by their constructor, so that they keep their class."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import keras_hub

from adaptive_nets.growth.core.registry import find_rule, makes_whole, register_rule
from adaptive_nets.growth.core.segments import Axis
from adaptive_nets.growth.rules.hub import parts
from adaptive_nets.growth.rules.models import ModelRule
from adaptive_nets.keras_internals import layers_in

INNER = ("intermediate_dim", "intermediate_size", "mlp_dim")
# A setting of a backbone, the axes of its layers that it gives, and how their names begin.
SETTINGS = {
    "intermediate_dim": (INNER, ""),
    "mlp_dim": (INNER, ""),
    "encoder_intermediate_dim": (INNER, "encoder"),
    "decoder_intermediate_dim": (INNER, "decoder"),
    "moe_intermediate_dim": (("moe_intermediate_dim",), ""),
    "shared_expert_intermediate_dim": (("shared_expert_intermediate_dim",), ""),
    "shared_expert_intermediate_size": (("shared_expert_intermediate_size",), ""),
}
BACKBONES = (
    *("BloomBackbone", "CLIPTextEncoder", "CLIPVisionEncoder", "DebertaV3Backbone"),
    *("DeiTBackbone", "DINOV2Backbone", "DINOV3Backbone", "EdRecBackbone", "ESMBackbone"),
    *("FNetBackbone", "FalconBackbone", "GemmaBackbone", "GPTNeoXBackbone", "GptOssBackbone"),
    *("LlamaBackbone", "Llama3Backbone", "MetaCLIP2TextEncoder", "MetaCLIP2VisionEncoder"),
    *("MistralBackbone", "MixtralBackbone", "Phi3Backbone", "QwenBackbone", "QwenMoeBackbone"),
    *("Qwen3Backbone", "Qwen3MoeBackbone", "Qwen3_5Backbone", "Qwen3_5MoeBackbone"),
    *("RoformerV2Backbone", "RWKV7Backbone", "SmolLM3Backbone", "T5GemmaBackbone"),
    *("SigLIPTextEncoder", "SigLIPVisionEncoder", "ViTBackbone", "WhisperBackbone"),
    *("XLNetBackbone", "Gemma3Backbone", "Gemma4Backbone", "T5Gemma2Backbone"),
)


class ConstructedRule(ModelRule):
    """One setting for the inner width of all blocks, which therefore grow together.

    Other sizes stay. A fusion is not a backbone any more: each source keeps its own blocks.
    """

    def makes_whole(self, model: keras.Model, sources: int) -> bool:
        return sources == 1 and not any(isinstance(x, keras.Model) for x in model.layers)

    def maker(self, model: keras.Model) -> Callable[[], keras.Model] | None:
        kind, config = type(model), model.get_config()
        return lambda: kind.from_config(copy.deepcopy(config))

    def bind(self, trace: Any, graphs: Sequence[keras.Model]) -> None:
        source = graphs[0]
        if not self.makes_whole(source, len(graphs)):
            return
        found = _axes_by_setting(source, trace).values()
        for axes in found:
            for axis in axes[1:]:
                axes[0].tie(axis)
        given = {id(axis) for axes in found for axis in axes}
        fix_sizes(trace, layers_in(source, include_self=False), given, type(source).__name__)

    def deepening(self, model: keras.Model, after: Any, method: str, seed: int) -> Any:
        # Its imports lead back here.
        from adaptive_nets.growth.rules.hub.deepening import constructed_deepening

        return constructed_deepening(model, after, method, seed)

    def assemble(self, source: keras.Model, rebuilder: Any) -> keras.Model | None:
        if not rebuilder.trace.makes_whole(source):
            return None
        config = {**source.get_config(), **self.grown(source, rebuilder)}
        grown = type(source).from_config(config)
        enter_layers(source, grown, rebuilder)
        return grown

    def grown(self, source: keras.Model, rebuilder: Any) -> dict[str, Any]:
        """The settings that change."""
        found = _axes_by_setting(source, rebuilder.trace)
        grown = {name: axes[0].map(rebuilder.maps) for name, axes in found.items() if axes}
        config = source.get_config()
        return {name: config[name] // each.sizes[0] * each.size for name, each in grown.items()}


def fix_sizes(trace: Any, layers: Iterable[Any], free: set[int], kind: str) -> None:
    """No axis grows that a constructor does not say.

    Args:
        trace: The tracing of the model.
        layers: Those that the constructor makes.
        free: Ids of axes that its settings say.
        kind: The class of the model.
    """
    for layer in layers:
        record = trace.records.get(id(layer))
        for axis in record.axes.values() if record else ():
            if id(axis) not in free:
                axis.fix(f"{record.path!r} is made by {kind}, which has no setting for it")


def enter_layers(source: keras.Model, grown: keras.Model, rebuilder: Any) -> None:
    """Says which layer of the new model stands for which of the source's."""
    records, known = rebuilder.trace.records, rebuilder.layers.keys() | rebuilder.groups.keys()
    for layer in source.layers:
        record = records.get(id(layer))
        if record is None or id(layer) in known:
            continue
        new = layer_like(grown, layer, source)
        if new.trainable != layer.trainable:
            new.trainable = layer.trainable
        if record.copies:
            rebuilder.groups[id(layer)] = [new]
        else:
            rebuilder.layers[id(layer)] = new


def layer_like(grown: keras.Model, layer: Any, source: keras.Model) -> Any:
    """The layer of a new model that stands for one of the old.

    Some classes begin the names of their layers with the model's, if one is given: then the new
    model, which is given the old one's, has longer names. Layers without a name of their own are
    named by a counter, so that their place says which they are.
    """
    names = {each.name for each in grown.layers}
    longer = f"{grown.name}_{layer.name}"
    name = longer if layer.name not in names and longer in names else layer.name
    if name not in names and len(grown.layers) == len(source.layers):
        place = next(n for n, each in enumerate(source.layers) if each is layer)
        if type(grown.layers[place]) is type(layer):
            return grown.layers[place]
    return grown.get_layer(name)


def _axes_by_setting(source: keras.Model, trace: Any) -> dict[str, list[Axis]]:
    config = source.get_config()
    found: dict[str, list[Axis]] = {}
    for name, (roles, begins) in SETTINGS.items():
        records = [trace.records.get(id(x)) for x in source.layers if x.name.startswith(begins)]
        axes = [axis for record in records if record is not None and not record.copies
                for role, axis in record.axes.items() if role in roles]  # fmt: skip
        if isinstance(config.get(name), int):
            found[name] = axes
    return found


class TaskRule(ModelRule):
    """A backbone that is made whole, with layers behind it that keep their size."""

    def makes_whole(self, model: keras.Model, sources: int) -> bool:
        inner = model.backbone
        return sources == 1 and inner is not None and makes_whole(inner, sources)

    def maker(self, model: keras.Model) -> Callable[[], keras.Model] | None:
        rule = None if model.backbone is None else find_rule(type(model.backbone))
        backbone = None if rule is None else rule.maker(model.backbone)
        if backbone is None:
            return None
        kind, config = type(model), parts.task_settings(model)
        return lambda: kind.from_config({**config, "backbone": backbone()})

    def bind(self, trace: Any, graphs: Sequence[keras.Model]) -> None:
        task = graphs[0]
        if not self.makes_whole(task, len(graphs)):
            return
        inside = {id(layer) for layer in layers_in(task.backbone)}
        others = [layer for layer in layers_in(task) if id(layer) not in inside]
        fix_sizes(trace, others, set(), type(task).__name__)
        if getattr(task.backbone, "tie_embedding_weights", False):
            # Its logits are divided by the root of the width (T5).
            embedding = [task.backbone.token_embedding]
            fix_sizes(trace, embedding, set(), type(task).__name__)

    def deepening(self, model: keras.Model, after: Any, method: str, seed: int) -> Any:
        from adaptive_nets.growth.rules.hub.deepening import TaskDeepening

        rule = find_rule(type(model.backbone))
        inner = None if rule is None else rule.deepening(model.backbone, after, method, seed)
        return None if inner is None else TaskDeepening(model, inner)

    def assemble(self, source: keras.Model, rebuilder: Any) -> keras.Model | None:
        if not rebuilder.trace.makes_whole(source):
            return None
        if id(source.backbone) in rebuilder.trace.records:
            backbone = rebuilder.layer(source.backbone)
        else:
            # The task's graph is drawn over the backbone's own.
            return None
        grown = parts.task_like(source, backbone)
        enter_layers(source, grown, rebuilder)
        return grown


def _tasks() -> Iterator[type]:
    """The tasks of the installed keras-hub whose graph is their backbone and layers behind it."""
    for each in vars(keras_hub.models).values():
        if isinstance(each, type) and issubclass(each, keras_hub.models.Task):
            yield each


_found = (getattr(keras_hub.models, name, None) for name in BACKBONES)
register_rule(*dict.fromkeys(each for each in _found if each is not None))(ConstructedRule)
register_rule(*dict.fromkeys(_tasks()))(TaskRule)
