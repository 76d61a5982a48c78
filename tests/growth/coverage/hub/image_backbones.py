"""Backbones of keras-hub that read images, video or sound, at tiny sizes."""

import functools
from collections.abc import Callable
from typing import Any

import keras_hub
import numpy as np
from keras_hub.src.models.rqvae.rqvae_backbone import RQVAEBackbone
from keras_hub.src.models.vae.vae_backbone import VAEBackbone

models = keras_hub.models
# Not among the public names.
OTHERS = {"RQVAEBackbone": RQVAEBackbone, "VAEBackbone": VAEBackbone}
SIDE = 16
IMAGE = (SIDE, SIDE, 3)
VISION = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}
PYRAMID = {
    "layerwise_depths": [1, 1, 1, 1],
    "num_layers": 4,
    "layerwise_num_heads": [1, 1, 2, 2],
    "layerwise_sr_ratios": [8, 4, 2, 1],
    "max_drop_path_rate": 0.1,
    "layerwise_patch_sizes": [7, 3, 3, 3],
    "layerwise_strides": [4, 2, 2, 2],
    "hidden_dims": [4, 6, 8, 10],
}
RESNET = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 6, 8, 10],  # the first has to be 64
    "stackwise_num_blocks": [2, 2, 2, 2],
    "stackwise_num_strides": [1, 2, 2, 2],
    "block_type": "basic_block",
}
HGNET = {
    "depths": [1, 2],
    "embedding_size": 8,
    "hidden_sizes": [8, 12],
    "stem_channels": [3, 6, 8],
    "hidden_act": "relu",
    "use_learnable_affine_block": True,
    "stackwise_stage_filters": [(8, 6, 12, 1, 2, 3), (12, 6, 16, 2, 2, 3)],
    "apply_downsample": [False, True],
    "use_lightweight_conv_block": [False, True],
}
MOBILE = {
    "stackwise_expansion": [[8, 10], [12, 14]],
    "stackwise_num_blocks": [2, 2],
    "stackwise_num_filters": [[6, 6], [8, 8]],
    "stackwise_kernel_size": [[3, 3], [5, 5]],
    "stackwise_num_strides": [[2, 1], [2, 1]],
    "stackwise_se_ratio": [[None, None], [0.25, 0.25]],
    "stackwise_activation": [["relu", "relu"], ["hard_swish", "hard_swish"]],
    "stackwise_padding": [[1, 1], [2, 2]],
    "output_num_filters": 20,
    "depthwise_filters": 6,
    "depthwise_stride": 2,
    "depthwise_residual": False,
    "last_layer_filter": 24,
    "squeeze_and_excite": 0.5,
    "input_num_filters": 6,
}
MOBILE_V5 = {
    "stackwise_block_types": [["er"], ["uir", "uir"]],
    "stackwise_num_blocks": [1, 2],
    "stackwise_num_filters": [[8], [8, 8]],
    "stackwise_strides": [[2], [2, 1]],
    "stackwise_act_layers": [["relu"], ["relu", "relu"]],
    "stackwise_exp_ratios": [[2.0], [2.0, 2.0]],
    "stackwise_se_ratios": [[0.0], [0.0, 0.0]],
    "stackwise_dw_kernel_sizes": [[0], [3, 3]],
    "stackwise_dw_start_kernel_sizes": [[0], [0, 0]],
    "stackwise_dw_end_kernel_sizes": [[0], [0, 0]],
    "stackwise_exp_kernel_sizes": [[3], [0, 0]],
    "stackwise_pw_kernel_sizes": [[1], [0, 0]],
    "stackwise_num_heads": [[0], [0, 0]],
    "stackwise_key_dims": [[0], [0, 0]],
    "stackwise_value_dims": [[0], [0, 0]],
    "stackwise_kv_strides": [[0], [0, 0]],
    "stackwise_use_cpe": [[False], [False, False]],
    "stem_size": 8,
    "use_msfa": False,
}
EFFICIENT = {
    "stackwise_width_coefficients": [1.0, 1.0, 1.0],
    "stackwise_depth_coefficients": [1.0, 1.0, 1.0],
    "stackwise_kernel_sizes": [3, 3, 3],
    "stackwise_num_repeats": [1, 2, 2],
    "stackwise_input_filters": [8, 8, 12],
    "stackwise_output_filters": [8, 12, 16],
    "stackwise_expansion_ratios": [1, 2, 2],
    "stackwise_squeeze_and_excite_ratios": [0.0, 0.25, 0.25],
    "stackwise_strides": [1, 2, 2],
    "stackwise_block_types": ["fused", "unfused", "unfused"],
    "stackwise_force_input_filters": [0, 0, 0],
    "stackwise_nores_option": [False, False, False],
    "min_depth": 4,
    "stem_conv_padding": "same",
    "include_initial_padding": False,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "CLIPVisionEncoder": {**VISION, "patch_size": 8, "image_shape": IMAGE},
    "MetaCLIP2VisionEncoder": {**VISION, "patch_size": 8, "image_shape": IMAGE},
    "SigLIPVisionEncoder": {**VISION, "patch_size": 8, "image_shape": IMAGE},
    "CSPNetBackbone": {
        "stage_type": "csp",
        "stem_filters": 4,
        "stem_kernel_size": 3,
        "stem_strides": 1,
        "stackwise_depth": [1, 2],
        "stackwise_strides": [1, 2],
        "stackwise_num_filters": [4, 8],
        "block_type": "dark_block",
        "image_shape": IMAGE,
    },
    "DeiTBackbone": {**VISION, "patch_size": 8, "image_shape": IMAGE},
    "DenseNetBackbone": {
        "stackwise_num_repeats": [1, 2, 1],
        "growth_rate": 4,
        "image_shape": (32, 32, 3),
    },
    "DINOV2Backbone": {
        **VISION,
        "patch_size": 8,
        "image_shape": IMAGE,
        "position_embedding_shape": IMAGE,
        "num_register_tokens": 2,
    },
    "DINOV3Backbone": {**VISION, "patch_size": 8, "image_shape": IMAGE},
    "EfficientNetBackbone": {**EFFICIENT, "image_shape": IMAGE},
    "HGNetV2Backbone": {**HGNET, "image_shape": IMAGE},
    "MiTBackbone": {**PYRAMID, "image_shape": (32, 32, 3)},
    "MobileNetBackbone": {**MOBILE, "image_shape": (32, 32, 3)},
    "MobileNetV5Backbone": {**MOBILE_V5, "image_shape": IMAGE},
    "ResNetBackbone": {**RESNET, "image_shape": (32, 32, 3)},
    "ResNetBackbone v2": {**RESNET, "image_shape": (32, 32, 3), "use_pre_activation": True},
    "ResNetBackbone vd": {
        **RESNET,
        "input_conv_filters": [4, 4, 64],
        "input_conv_kernel_sizes": [3, 3, 3],
        "block_type": "basic_block_vd",
        "image_shape": (32, 32, 3),
    },
    "SwinTransformerBackbone": {
        "image_shape": IMAGE,
        "embed_dim": 8,
        "depths": [2, 2],
        "num_heads": [2, 2],
        "window_size": 2,
        "patch_size": 4,
    },
    "VGGBackbone": {
        "stackwise_num_repeats": [1, 2],
        "stackwise_num_filters": [4, 8],
        "image_shape": IMAGE,
    },
    "VideoPrismBackbone": {
        "num_frames": 2,
        "patch_size": 8,
        "hidden_dim": 8,
        "intermediate_dim": 12,
        "num_heads": 2,
        "num_spatial_layers": 1,
        "num_temporal_layers": 1,
        "num_auxiliary_layers": 0,
        "image_shape": IMAGE,
    },
    "ViTBackbone": {
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 8,
        "mlp_dim": 12,
        "patch_size": 8,
        "image_shape": IMAGE,
    },
    "ViTDetBackbone": {
        "hidden_size": 8,
        "num_layers": 2,
        "intermediate_dim": 12,
        "num_heads": 2,
        "global_attention_layer_indices": [1],
        "image_shape": (32, 32, 3),
        "patch_size": 8,
        "num_output_channels": 6,
        "window_size": 2,
    },
    "XceptionBackbone": {
        "stackwise_conv_filters": [[4, 6], [8, 8], [12, 12]],
        "stackwise_pooling": [True, True, False],
        "image_shape": (32, 32, 3),
    },
    "VAEBackbone": {
        "encoder_num_filters": [32, 32],
        "encoder_num_blocks": [1, 1],
        "decoder_num_filters": [32, 32],
        "decoder_num_blocks": [1, 1],
    },
    "RQVAEBackbone": {
        "input_dim": 10,
        "encoder_layer_dims": [8, 6],
        "output_dim": 4,
        "decoder_layer_dims": [6, 8],
        "num_embeddings": 7,
        "num_quantizers": 2,
    },
    "MoonshineBackbone": {
        "vocabulary_size": 19,
        "filter_dim": 8,
        "encoder_num_layers": 2,
        "decoder_num_layers": 2,
        "hidden_dim": 8,
        "intermediate_dim": 12,
        "encoder_num_heads": 2,
        "decoder_num_heads": 2,
    },
    "WhisperBackbone": {
        "vocabulary_size": 19,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 8,
        "intermediate_dim": 12,
        "num_mels": 5,
        "max_encoder_sequence_length": 12,
        "max_decoder_sequence_length": 12,
    },
}


def make(name: str, **other: Any) -> Any:
    """A backbone by the name of its class; a word behind it tells two of a class apart."""
    name, settings = name.split()[0], {**SETTINGS[name], **other}
    return (OTHERS.get(name) or getattr(models, name))(**settings)


def _with_sound(name: str) -> Any:
    model, rng = make(name), np.random.default_rng(0)
    mask = np.ones((3, 6), "int32")
    mask[0, 4:] = 0
    tokens = rng.integers(0, 19, (3, 6))
    if name.startswith("Whisper"):
        return model, {
            "encoder_features": rng.normal(size=(3, 12, 5)).astype("float32"),
            "decoder_token_ids": tokens,
            "decoder_padding_mask": mask,
        }
    return model, {
        "encoder_input_values": rng.normal(size=(3, 2000, 1)).astype("float32"),
        "decoder_token_ids": tokens,
        "encoder_padding_mask": np.ones((3, 2000), "int32"),
        "decoder_padding_mask": mask,
    }


def _pairs(name: str) -> Any:
    settings = {} if name == "SigLIP" else {"projection_dim": 4}
    length = 6 if name == "SigLIP" else 12
    text = {**VISION, "vocabulary_size": 19, "embedding_dim": 8, "max_sequence_length": length}
    encoders = {
        "vision_encoder": make(f"{name}VisionEncoder"),
        "text_encoder": getattr(models, f"{name}TextEncoder")(**text),
    }
    return getattr(models, f"{name}Backbone")(**encoders, **settings)


def _vae() -> Any:
    rng = np.random.default_rng(0)
    model = make("VAEBackbone", sampler_method="mode")
    return model, rng.normal(size=(2, 16, 16, 3)).astype("float32")


def _deeplab() -> Any:
    encoder = make("ResNetBackbone", image_shape=(32, 32, 3))
    return models.DeepLabV3Backbone(
        image_encoder=encoder,
        spatial_pyramid_pooling_key="P4",
        low_level_feature_key="P2",
        upsampling_size=4,
        dilation_rates=[6, 12],
        projection_filters=4,
        image_shape=(32, 32, 3),
    )


def _segformer() -> Any:
    encoder = make("MiTBackbone", image_shape=(64, 64, 3))
    return models.SegFormerBackbone(image_encoder=encoder, projection_filters=6)


def _depth_anything() -> Any:
    encoder = models.DINOV2Backbone(
        **{**VISION, "num_layers": 4},
        patch_size=14,
        image_shape=(56, 56, 3),
        position_embedding_shape=(56, 56),
    )
    return models.DepthAnythingBackbone(
        image_encoder=encoder,
        reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_dims=[4, 6, 8, 10],
        fusion_hidden_dim=8,
        head_hidden_dim=4,
        head_in_index=-1,
        feature_keys=["stage1", "stage2", "stage3", "stage4"],
    )


def _retinanet() -> Any:
    encoder = make("ResNetBackbone", image_shape=(128, 128, 3))
    return models.RetinaNetBackbone(
        image_encoder=encoder, min_level=3, max_level=5, use_p5=False, image_shape=(128, 128, 3)
    )


def _basnet() -> Any:
    encoder = make("ResNetBackbone", image_shape=(None, None, 3))
    return models.BASNetBackbone(
        image_encoder=encoder, num_classes=1, image_shape=(64, 64, 3), projection_filters=4
    )


def _parseq() -> Any:
    encoder = models.ViTBackbone(
        **{**SETTINGS["ViTBackbone"], "use_class_token": False, "image_shape": (8, 16, 3)}
    )
    return models.PARSeqBackbone(
        image_encoder=encoder,
        vocabulary_size=19,
        max_label_length=12,
        decoder_hidden_dim=8,
        num_decoder_layers=1,
        num_decoder_heads=2,
        decoder_mlp_dim=12,
    )


def _sam() -> Any:
    encoder = models.ViTDetBackbone(
        **{**SETTINGS["ViTDetBackbone"], "num_output_channels": 8, "image_shape": (32, 32, 3)}
    )
    backbone = models.SAMBackbone(
        image_encoder=encoder,
        prompt_encoder=keras_hub.layers.SAMPromptEncoder(
            hidden_size=8,
            image_embedding_size=(4, 4),
            input_image_size=(32, 32),
            mask_in_channels=4,
        ),
        mask_decoder=keras_hub.layers.SAMMaskDecoder(
            num_layers=2,
            hidden_size=8,
            intermediate_dim=12,
            num_heads=2,
            embedding_dim=8,
            num_multimask_outputs=3,
            iou_head_depth=3,
            iou_head_hidden_dim=8,
        ),
    )
    rng = np.random.default_rng(0)
    return backbone, {
        "images": rng.normal(size=(2, 32, 32, 3)).astype("float32"),
        "points": rng.uniform(0, 32, (2, 1, 2)).astype("float32"),
        "labels": np.ones((2, 1), "float32"),
        "boxes": rng.uniform(0, 32, (2, 1, 2, 2)).astype("float32"),
        "masks": np.zeros((2, 0, 32, 32, 1), "float32"),
    }


def _pali_gemma() -> Any:
    return models.PaliGemmaBackbone(
        vocabulary_size=19,
        image_size=16,
        num_layers=2,
        num_query_heads=4,
        num_key_value_heads=2,
        hidden_dim=16,
        intermediate_dim=12,
        head_dim=4,
        vit_patch_size=8,
        vit_num_heads=2,
        vit_hidden_dim=8,
        vit_num_layers=2,
    )


COMPOSED: dict[str, Callable[[], Any]] = {
    "MoonshineBackbone": functools.partial(_with_sound, "MoonshineBackbone"),
    "WhisperBackbone": functools.partial(_with_sound, "WhisperBackbone"),
    "CLIPBackbone": functools.partial(_pairs, "CLIP"),
    "MetaCLIP2Backbone": functools.partial(_pairs, "MetaCLIP2"),
    "SigLIPBackbone": functools.partial(_pairs, "SigLIP"),
    "VAEBackbone": _vae,
    "DeepLabV3Backbone": _deeplab,
    "SegFormerBackbone": _segformer,
    "DepthAnythingBackbone": _depth_anything,
    "RetinaNetBackbone": _retinanet,
    "BASNetBackbone": _basnet,
    "PARSeqBackbone": _parseq,
    "SAMBackbone": _sam,
    "PaliGemmaBackbone": _pali_gemma,
}
MODELS = {name: functools.partial(make, name) for name in SETTINGS} | COMPOSED
