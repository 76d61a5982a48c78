"""Tasks of keras-hub on tiny backbones, and backbones inside models of one's own."""

import functools
import importlib.util
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import keras_hub
import numpy as np


def _beside(name: str) -> Any:
    """A file of this folder; it is read by its place, as folders of tests are not packages."""
    path = pathlib.Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"coverage_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BACKBONES = _beside("text_backbones").MODELS | _beside("image_backbones").MODELS
CLASSES = {"num_classes": 3}
# Each task by the backbone that it is made of, with settings of its own.
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "AlbertMaskedLM": ("AlbertBackbone", {}),
    "AlbertTextClassifier": ("AlbertBackbone", CLASSES),
    "BartSeq2SeqLM": ("BartBackbone", {}),
    "BertMaskedLM": ("BertBackbone", {}),
    "BertTextClassifier": ("BertBackbone", CLASSES),
    "BertTextEmbedder": ("BertBackbone", {}),
    "BloomCausalLM": ("BloomBackbone", {}),
    "DebertaV3MaskedLM": ("DebertaV3Backbone", {}),
    "DebertaV3TextClassifier": ("DebertaV3Backbone", CLASSES),
    "DistilBertMaskedLM": ("DistilBertBackbone", {}),
    "DistilBertTextClassifier": ("DistilBertBackbone", CLASSES),
    "EdRecSeq2SeqLM": ("EdRecBackbone", {}),
    "ESMProteinClassifier": ("ESMBackbone", CLASSES),
    "ESMMaskedPLM": ("ESMBackbone", {}),
    "FNetMaskedLM": ("FNetBackbone", {}),
    "FNetTextClassifier": ("FNetBackbone", CLASSES),
    "FalconCausalLM": ("FalconBackbone", {}),
    "GemmaCausalLM": ("GemmaBackbone", {}),
    "Gemma3CausalLM": ("Gemma3Backbone", {"preprocessor": None}),
    "Gemma3nCausalLM": ("Gemma3nBackbone", {"preprocessor": None}),
    "Gemma4CausalLM": ("Gemma4Backbone", {"preprocessor": None}),
    "GPT2CausalLM": ("GPT2Backbone", {}),
    "GPTNeoXCausalLM": ("GPTNeoXBackbone", {}),
    "GptOssCausalLM": ("GptOssBackbone", {}),
    "LlamaCausalLM": ("LlamaBackbone", {}),
    "Llama3CausalLM": ("Llama3Backbone", {}),
    "MistralCausalLM": ("MistralBackbone", {}),
    "MixtralCausalLM": ("MixtralBackbone", {}),
    "OPTCausalLM": ("OPTBackbone", {}),
    "Phi3CausalLM": ("Phi3Backbone", {}),
    "QwenCausalLM": ("QwenBackbone", {}),
    "QwenMoeCausalLM": ("QwenMoeBackbone", {}),
    "Qwen3CausalLM": ("Qwen3Backbone", {}),
    "Qwen3MoeCausalLM": ("Qwen3MoeBackbone", {}),
    "Qwen3_5CausalLM": ("Qwen3_5Backbone", {}),
    "Qwen3_5MoeCausalLM": ("Qwen3_5MoeBackbone", {}),
    "RobertaMaskedLM": ("RobertaBackbone", {}),
    "RobertaTextClassifier": ("RobertaBackbone", CLASSES),
    "RoformerV2MaskedLM": ("RoformerV2Backbone", {}),
    "RoformerV2TextClassifier": ("RoformerV2Backbone", CLASSES),
    "RWKV7CausalLM": ("RWKV7Backbone", {}),
    "SmolLM3CausalLM": ("SmolLM3Backbone", {}),
    "T5Seq2SeqLM": ("T5Backbone", {}),
    "T5GemmaSeq2SeqLM": ("T5GemmaBackbone", {}),
    "T5Gemma2Seq2SeqLM": ("T5Gemma2Backbone", {}),
    "XLMRobertaMaskedLM": ("XLMRobertaBackbone", {}),
    "XLMRobertaTextClassifier": ("XLMRobertaBackbone", CLASSES),
    "PaliGemmaCausalLM": ("PaliGemmaBackbone", {"preprocessor": None}),
    "PARSeqCausalLM": ("PARSeqBackbone", {"preprocessor": None}),
    "MoonshineAudioToText": ("MoonshineBackbone", {}),
    "CSPNetImageClassifier": ("CSPNetBackbone", CLASSES),
    "DeiTImageClassifier": ("DeiTBackbone", CLASSES),
    "DenseNetImageClassifier": ("DenseNetBackbone", CLASSES),
    "EfficientNetImageClassifier": ("EfficientNetBackbone", CLASSES),
    "HGNetV2ImageClassifier": (
        "HGNetV2Backbone",
        {**CLASSES, "preprocessor": None, "head_filters": 8},
    ),
    "MiTImageClassifier": ("MiTBackbone", CLASSES),
    "MobileNetImageClassifier": ("MobileNetBackbone", {**CLASSES, "num_features": 8}),
    "MobileNetV5ImageClassifier": ("MobileNetV5Backbone", {**CLASSES, "head_hidden_size": 8}),
    "ResNetImageClassifier": ("ResNetBackbone", CLASSES),
    "SwinTransformerImageClassifier": ("SwinTransformerBackbone", CLASSES),
    "VGGImageClassifier": ("VGGBackbone", {**CLASSES, "pooling_hidden_dim": 8}),
    "ViTImageClassifier": ("ViTBackbone", {**CLASSES, "intermediate_dim": 6}),
    "XceptionImageClassifier": ("XceptionBackbone", CLASSES),
    "DeepLabV3ImageSegmenter": ("DeepLabV3Backbone", CLASSES),
    "SegFormerImageSegmenter": ("SegFormerBackbone", CLASSES),
    "BASNetImageSegmenter": ("BASNetBackbone", {}),
    "SAMImageSegmenter": ("SAMBackbone", {}),
    "DepthAnythingDepthEstimator": (
        "DepthAnythingBackbone",
        {"depth_estimation_type": "relative"},
    ),
}


def make(name: str) -> Any:
    """A task, and inputs where its backbone has its own."""
    backbone, settings = TASKS[name]
    made = BACKBONES[backbone]()
    model, sample = made if isinstance(made, tuple) else (made, None)
    task = getattr(keras_hub.models, name)(backbone=model, **settings)
    if "mask_positions" in [tensor.name for tensor in task.inputs]:
        rng = np.random.default_rng(0)
        sample = {
            "mask_positions": np.array([[0, 2], [1, 3], [2, 4]]),
            "token_ids": rng.integers(0, 11, (3, 6)),
            "padding_mask": np.ones((3, 6), "int32"),
            "segment_ids": rng.integers(0, 2, (3, 6)),
        }
        sample = {tensor.name: sample[tensor.name] for tensor in task.inputs}
    return task if sample is None else (task, sample)


def _inside(name: str) -> Any:
    """A classifier of one's own on a backbone, which is one layer of it."""
    backbone = BACKBONES[name]()
    named = isinstance(backbone.input, dict)
    inputs = {tensor.name: keras.Input(tensor.shape[1:], dtype=tensor.dtype,
                                       name=tensor.name if named else "images")
              for tensor in backbone.inputs}  # fmt: skip
    inputs = inputs if named else next(iter(inputs.values()))
    x = backbone(inputs)
    x = x["sequence_output"] if isinstance(x, dict) else x
    x = x[:, 0, :] if len(x.shape) == 3 else keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(5, "relu")(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


INSIDE = ("BertBackbone", "RobertaBackbone", "LlamaBackbone", "ViTBackbone", "ResNetBackbone")
MODELS: dict[str, Callable[[], Any]] = {
    **{name: functools.partial(make, name) for name in TASKS},
    **{f"{name} in a model": functools.partial(_inside, name) for name in INSIDE},
}
