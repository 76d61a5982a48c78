"""Backbones and tasks that are made again by their constructor, so that they keep their class."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import keras_hub

from adaptive_nets.growth.core.registry import find_rule, makes_whole, register_rule
from adaptive_nets.growth.core.segments import Axis
from adaptive_nets.growth.rules.hub import parts
from adaptive_nets.growth.rules.models import ModelRule

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

    Other sizes stay. A fusion is no backbone any more: each source keeps its own blocks.
    """

    def makes_whole(self, model: keras.Model, sources: int) -> bool:
        return sources == 1 and not any(isinstance(x, keras.Model) for x in model.layers)

    def bind(self, trace: Any, graphs: Sequence[keras.Model]) -> None:
        if len(graphs) > 1:
            return
        for axes in _axes_by_setting(graphs[0], trace).values():
            for axis in axes[1:]:
                axes[0].tie(axis)

    def deepening(self, model: keras.Model, after: Any, method: str, seed: int) -> Any:
        # Its imports lead back here.
        from adaptive_nets.growth.rules.hub.deepening import constructed_deepening

        return constructed_deepening(model, after, method, seed)

    def assemble(self, source: keras.Model, rebuilder: Any) -> keras.Model | None:
        if not self.makes_whole(source, len(rebuilder.trace.models)):
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


def enter_layers(source: keras.Model, grown: keras.Model, rebuilder: Any) -> None:
    """Says which layer of the new model stands for which of the source's."""
    records, known = rebuilder.trace.records, rebuilder.layers.keys() | rebuilder.groups.keys()
    for layer in source.layers:
        record = records.get(id(layer))
        if record is None or id(layer) in known:
            continue
        new = grown.get_layer(layer.name)
        if new.trainable != layer.trainable:
            new.trainable = layer.trainable
        if record.copies:
            rebuilder.groups[id(layer)] = [new]
        else:
            rebuilder.layers[id(layer)] = new


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

    def bind(self, trace: Any, graphs: Sequence[keras.Model]) -> None:
        task = graphs[0]
        if not self.makes_whole(task, len(graphs)):
            return
        inside = {id(layer) for layer in task.backbone.layers}
        for layer in task.layers:
            record = trace.records.get(id(layer))
            for axis in record.axes.values() if record and id(layer) not in inside else ():
                axis.fix(f"{record.path!r} is made anew by {type(task).__name__}")

    def deepening(self, model: keras.Model, after: Any, method: str, seed: int) -> Any:
        from adaptive_nets.growth.rules.hub.deepening import TaskDeepening

        rule = find_rule(type(model.backbone))
        inner = None if rule is None else rule.deepening(model.backbone, after, method, seed)
        return None if inner is None else TaskDeepening(model, inner)

    def assemble(self, source: keras.Model, rebuilder: Any) -> keras.Model | None:
        if not self.makes_whole(source, len(rebuilder.trace.models)):
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
