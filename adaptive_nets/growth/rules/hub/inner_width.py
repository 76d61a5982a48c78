"""Composite layers that grow in the width between their dense layers; all else of them is kept.

Their constructors take that width, so a layer that is made with one feature more shows which axes
of which weights have it. The features meet nothing but functions of each feature.
"""

import importlib
from collections.abc import Iterator
from typing import Any

import keras

from adaptive_nets.graphs.scope import again
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.grown_model import postponed
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features, UnruledError
from adaptive_nets.growth.core.weight_roles import (
    Dimension,
    Keeps,
    LayerRecord,
    Reads,
    Scales,
    Writes,
)
from adaptive_nets.growth.rules.hub import parts
from adaptive_nets.keras_internals import given_arguments, layers_in, own_variables

# By the module below `keras_hub.src`: classes whose inner features are not a function of one
# another.
CLASSES = {
    "layers.modeling.f_net_encoder": ["FNetEncoder"],
    "models.bloom.bloom_decoder": ["BloomDecoder"],
    "models.clip.clip_layers": ["CLIPEncoderLayer"],
    "models.deberta_v3.disentangled_attention_encoder": ["DisentangledAttentionEncoder"],
    "models.deit.deit_layers": ["DeiTEncoder"],
    "models.dinov2.dinov2_layers": ["DINOV2Encoder"],
    "models.dinov3.dinov3_layers": ["DINOV3Encoder"],
    "models.edrec.edrec_layers": ["EdRecEncoderBlock", "EdRecDecoderBlock"],
    "models.esm.esm_encoder": ["ESMEncoder"],
    "models.falcon.falcon_transformer_decoder": ["FalconTransformerDecoder"],
    "models.gemma.gemma_decoder_block": ["GemmaDecoderBlock"],
    "models.gemma3.gemma3_decoder_block": ["Gemma3DecoderBlock"],
    "models.gemma4.gemma4_decoder_block": ["Gemma4TextDecoderBlock"],
    "models.gpt_neo_x.gpt_neo_x_decoder": ["GPTNeoXDecoder"],
    "models.gpt_oss.gpt_oss_decoder": ["GptOssTransformerDecoder"],
    "models.llama.llama_decoder": ["LlamaTransformerDecoder"],
    "models.metaclip_2.metaclip_2_layers": ["MetaCLIP2EncoderLayer"],
    "models.mistral.mistral_transformer_decoder": ["MistralTransformerDecoder"],
    "models.mit.mit_layers": ["MixFFN"],
    "models.mixtral.mixtral_decoder": ["MixtralTransformerDecoder"],
    "models.moonshine.moonshine_decoder": ["MoonshineDecoderBlock"],
    "models.moonshine.moonshine_encoder": ["MoonshineEncoderBlock"],
    "models.pali_gemma.pali_gemma_decoder_block": ["PaliGemmaDecoderBlock"],
    "models.pali_gemma.pali_gemma_vit": ["PaliGemmaVitEncoder"],
    "models.parseq.parseq_decoder": ["PARSeqDecoder"],
    "models.phi3.phi3_decoder": ["Phi3Decoder"],
    "models.qwen.qwen_decoder": ["QwenTransformerDecoder"],
    "models.qwen3.qwen3_decoder": ["Qwen3TransformerDecoder"],
    "models.qwen3_5.qwen3_5_decoder": ["Qwen3_5TransformerDecoder"],
    "models.qwen3_5_moe.qwen3_5_moe_decoder": ["Qwen3_5MoeTransformerDecoder"],
    "models.qwen3_moe.qwen3_moe_decoder": ["Qwen3MoeTransformerDecoder"],
    "models.qwen_moe.qwen_moe_decoder": ["QwenMoeTransformerDecoder"],
    "models.roformer_v2.roformer_v2_encoder": ["RoformerV2Encoder"],
    "models.rwkv7.rwkv7_layer": ["RWKV7_Block"],
    "models.sam.sam_mask_decoder": ["SAMMaskDecoder"],
    "models.siglip.siglip_layers": ["SigLIPEncoderLayer", "SigLIPMultiHeadAttentionPooling"],
    "models.smollm3.smollm3_layers": ["SmolLM3DecoderLayer"],
    "models.t5gemma.t5gemma_decoder": ["T5GemmaDecoderLayer"],
    "models.t5gemma.t5gemma_encoder": ["T5GemmaEncoderLayer"],
    "models.t5gemma2.t5gemma2_decoder": ["T5Gemma2DecoderLayer"],
    "models.t5gemma2.t5gemma2_encoder": ["T5Gemma2EncoderLayer"],
    "models.video_prism.video_prism_layers": ["VideoPrismEncoder"],
    "models.vit.vit_layers": ["ViTEncoder"],
    "models.vit_det.vit_layers": ["WindowedTransformerEncoder"],
    "models.whisper.whisper_decoder": ["WhisperDecoder"],
    "models.whisper.whisper_encoder": ["WhisperEncoder"],
    "models.xlnet.xlnet_encoder": ["XLNetEncoder"],
}
# Arguments that are such a width, in the order in which layers are asked for them by name.
WIDTHS = (
    *("intermediate_dim", "intermediate_size", "mlp_dim", "moe_intermediate_dim"),
    *("shared_expert_intermediate_dim", "shared_expert_intermediate_size", "mid_channels"),
)
# Their kernels act on each feature alone.
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
# A kernel that makes two features for one: gates and values in turn; elsewhere in two halves.
IN_TURN = frozenset(["GptOssTransformerDecoder"])


def known_classes(classes: dict[str, list[str]]) -> Iterator[type]:
    """Those of some classes, by their modules, that the installed keras-hub has."""
    for module, names in classes.items():
        try:
            found = importlib.import_module(f"keras_hub.src.{module}")
        except ModuleNotFoundError:
            continue
        yield from (getattr(found, name) for name in names if hasattr(found, name))


class InnerWidthRule(Rule):
    """What the layer reads and gives keeps its size; in a fusion each source keeps its layer."""

    def trace(self, call: Call) -> list[Features]:
        parts.refuse(call, ())
        if call.sources > 1:
            raise _unruled(call, "only the width inside it grows by a rule")
        sizes = widths_of(call.layer)
        found = {name: _axes_with(call, name, size) for name, size in sizes.items()}
        if not any(places for _, places in found.values()):
            raise _unruled(call, "its weights do not show a width inside it")
        call.record.inner = {name: step for name, (step, _) in found.items()}
        for x in call.flat_inputs:
            for axis in x.axes:
                call.fix(axis, f"{type(call.layer).__name__} grows in the width inside it only")
        dimensions: list[list[Dimension]] = [
            [Keeps()] * len(weight.shape) for weight in call.layer.weights
        ]
        inner = [x for x in layers_in(call.layer) if isinstance(x, _DEPTHWISE)]
        alone = {id(weight) for each in inner for weight in own_variables(each)}
        for name, (step, places) in found.items():
            axis = call.axis(name, (sizes[name] // step,)) if places else None
            for number, dimension, times in places if axis is not None else ():
                rank = len(call.layer.weights[number].shape)
                laid = _laid_out(axis, times, type(call.layer).__name__)
                role = Writes if dimension == rank - 1 else Reads
                role = Scales if id(call.layer.weights[number]) in alone else role
                dimensions[number][dimension] = role(laid)
        for number, each in enumerate(dimensions):
            call.weight(f"weights.{number}", *each)
        return [call.output(number=number) for number in range(len(call.shapes))]

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {name: each.size * record.inner[name] for name, each in sizes.items()}


register_rule(*known_classes(CLASSES))(InnerWidthRule)


def widths_of(layer: Any) -> dict[str, int]:
    """The widths that a layer's constructor was given."""
    given = given_arguments(layer)
    found = {name: vars(layer).get(name, given.get(name)) for name in WIDTHS}
    return {name: size for name, size in found.items() if isinstance(size, int) and size > 0}


def _axes_with(call: Call, name: str, size: int) -> tuple[int, list[tuple[int, int, int]]]:
    """By how much a width changes the layer, and where: weight, axis, and features for one."""
    for step in (1, 2):
        places = _longer_axes(call, name, size, step) if size % step == 0 else []
        if places:
            return step, places
    return 1, []


def _longer_axes(call: Call, name: str, size: int, step: int) -> list[tuple[int, int, int]]:
    args, kwargs = keras.tree.map_structure(
        lambda x: keras.KerasTensor(x.shape, x.dtype) if isinstance(x, keras.KerasTensor) else x,
        (call.nodes[0].arguments.args, call.nodes[0].arguments.kwargs),
    )
    try:
        with postponed():
            longer = again(call.layer, {name: size + step})
            longer(*args, **kwargs)
    except Exception as error:
        raise _unruled(call, f"it cannot be made with another {name} ({error})") from error
    if len(longer.weights) != len(call.layer.weights):
        raise _unruled(call, f"it has other weights with another {name}")
    found = []
    for number, (old, new) in enumerate(zip(call.layer.weights, longer.weights, strict=True)):
        for dimension, (a, b) in enumerate(zip(old.shape, new.shape, strict=True)):
            if a != b:
                if a != (b - a) * (size // step):
                    raise _unruled(call, f"its weights are not a multiple of {name}")
                found.append((number, dimension, b - a))
    return found


def _laid_out(axis: Axis, times: int, kind: str) -> Axis:
    if times == 1:
        return axis
    return axis.repeat_inner(times) if kind in IN_TURN else axis.tile(times)


def _unruled(call: Call, reason: str) -> UnruledError:
    return UnruledError(
        f"Cannot grow {call.record.path!r}: {reason}. Expected a layer that keras-hub makes.",
        reason,
    )
