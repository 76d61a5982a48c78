"""Backbones of keras-hub that read tokens, at tiny sizes."""

import functools
from typing import Any

import keras_hub

TOKENS, LENGTH = 19, 12
CLASSIC = {
    "vocabulary_size": TOKENS,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
}
GROUPED = {
    "vocabulary_size": TOKENS,
    "num_layers": 2,
    "num_query_heads": 4,
    "num_key_value_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 12,
}
EXPERTS = {"num_experts": 3, "top_k": 2}
POSITIONS = {"max_sequence_length": LENGTH}
ENCODER_AND_DECODER = {
    f"{side}_{name}": value
    for side in ("encoder", "decoder")
    for name, value in {
        "hidden_dim": 16,
        "intermediate_dim": 12,
        "num_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 4,
        "layer_types": ["sliding_attention", "full_attention"],
    }.items()
}
LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 4,
    "linear_value_head_dim": 4,
    "layer_types": ["linear_attention", "full_attention"],
}
SETTINGS: dict[str, dict[str, Any]] = {
    "AlbertBackbone": {**CLASSIC, **POSITIONS, "embedding_dim": 6},
    "BartBackbone": {**CLASSIC, **POSITIONS},
    "BertBackbone": {**CLASSIC, **POSITIONS},
    "BloomBackbone": CLASSIC,
    "DebertaV3Backbone": {**CLASSIC, **POSITIONS, "bucket_size": 4},
    "DistilBertBackbone": {**CLASSIC, **POSITIONS},
    "EdRecBackbone": {
        "vocab_size": TOKENS,
        "num_layers_enc": 2,
        "num_layers_dec": 2,
        "hidden_dim": 8,
        "intermediate_dim": 12,
        "num_heads": 2,
    },
    "ElectraBackbone": {
        **{k: v for k, v in CLASSIC.items() if k != "vocabulary_size"},
        **POSITIONS,
        "vocab_size": TOKENS,
        "embedding_dim": 6,
    },
    "ESMBackbone": {**CLASSIC, **POSITIONS},
    "FNetBackbone": {
        **{k: v for k, v in CLASSIC.items() if k != "num_heads"},
        **POSITIONS,
    },
    "FalconBackbone": {
        **{k: v for k, v in CLASSIC.items() if k != "num_heads"},
        "num_attention_heads": 2,
    },
    "GemmaBackbone": {**GROUPED, "head_dim": 4},
    "Gemma3Backbone": {
        **GROUPED,
        "head_dim": 4,
        "image_size": 8,
        "use_sliding_window_attention": True,
        "sliding_window_size": 4,
        "use_post_ffw_norm": True,
        "use_post_attention_norm": True,
    },
    "Gemma4Backbone": {**GROUPED, "head_dim": 4, "image_size": 8, "sliding_window_size": 4},
    "Gemma3nBackbone": {
        "text_vocab_size": TOKENS,
        "text_hidden_size": 8,
        "num_hidden_layers": 2,
        "pad_token_id": 0,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 4,
        "intermediate_size": [12, 12],
        "hidden_activation": "gelu_approximate",
        "layer_types": ["full_attention", "full_attention"],
        "sliding_window": 4,
        "rope_theta": 10000.0,
        "max_position_embeddings": LENGTH,
        "vocab_size_per_layer_input": TOKENS,
        "hidden_size_per_layer_input": 2,
        "altup_num_inputs": 2,
        "laurel_rank": 1,
    },
    "GPT2Backbone": {**CLASSIC, **POSITIONS},
    "GPTNeoXBackbone": {**CLASSIC, **POSITIONS, "rotary_percentage": 0.5},
    "GptOssBackbone": {**GROUPED, **EXPERTS, "sliding_window": 4, "head_dim": 4},
    "LlamaBackbone": GROUPED,
    "Llama3Backbone": GROUPED,
    "MistralBackbone": {**GROUPED, "sliding_window": 4},
    "MixtralBackbone": {**GROUPED, **EXPERTS, "sliding_window": 4},
    "OPTBackbone": {**CLASSIC, **POSITIONS},
    "Phi3Backbone": {**GROUPED, **POSITIONS},
    "QwenBackbone": GROUPED,
    "QwenMoeBackbone": {
        **GROUPED,
        **EXPERTS,
        "moe_intermediate_dim": 6,
        "shared_expert_intermediate_dim": 6,
    },
    "Qwen3Backbone": {**GROUPED, "head_dim": 4, "sliding_window_size": None},
    "Qwen3MoeBackbone": {**GROUPED, **EXPERTS, "moe_intermediate_dim": 6, "head_dim": 4},
    "Qwen3_5Backbone": {**GROUPED, **LINEAR, "head_dim": 8},
    "Qwen3_5MoeBackbone": {
        **{k: v for k, v in GROUPED.items() if k != "intermediate_dim"},
        **EXPERTS,
        **LINEAR,
        "head_dim": 8,
        "moe_intermediate_dim": 6,
        "shared_expert_intermediate_size": 6,
    },
    "RobertaBackbone": {**CLASSIC, **POSITIONS},
    "RoformerV2Backbone": {**CLASSIC, "head_size": 4},
    "RWKV7Backbone": {
        "hidden_size": 8,
        "head_size": 4,
        "num_layers": 2,
        "vocabulary_size": TOKENS,
        "intermediate_dim": 12,
        "gate_lora": 4,
        "mv_lora": 4,
        "aaa_lora": 4,
        "decay_lora": 4,
    },
    "SmolLM3Backbone": {
        "vocabulary_size": TOKENS,
        "hidden_dim": 16,
        "intermediate_dim": 12,
        "num_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "rope_layer_enabled_list": [True, True],
        "layer_types": ["attention", "attention"],
        "mlp_bias": False,
        "layer_norm_epsilon": 1e-5,
        "max_position_embeddings": LENGTH,
        "rope_theta": 10000.0,
        "partial_rotary_factor": 1.0,
    },
    "T5Backbone": {**CLASSIC, "key_value_dim": 3},
    "T5GemmaBackbone": {"vocabulary_size": TOKENS, **ENCODER_AND_DECODER, "sliding_window": 4},
    "T5Gemma2Backbone": {
        "vocabulary_size": TOKENS,
        **ENCODER_AND_DECODER,
        "sliding_window": 4,
        "eoi_token_index": 18,
    },
    "XLMRobertaBackbone": {**CLASSIC, **POSITIONS},
    "XLNetBackbone": CLASSIC,
    "CLIPTextEncoder": {**CLASSIC, **POSITIONS, "embedding_dim": 8},
    "MetaCLIP2TextEncoder": {**CLASSIC, **POSITIONS, "embedding_dim": 8},
    "SigLIPTextEncoder": {**CLASSIC, "max_sequence_length": 6, "embedding_dim": 8},
}


def make(name: str) -> Any:
    """A backbone by the name of its class."""
    return getattr(keras_hub.models, name)(**SETTINGS[name])


MODELS = {name: functools.partial(make, name) for name in SETTINGS}
