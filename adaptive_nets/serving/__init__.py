"""Exports a trained model for TF Serving, ONNX and LiteRT."""

from adaptive_nets.serving.class_names import named_outputs, read_class_names
from adaptive_nets.serving.export import export_saved_model
from adaptive_nets.serving.litert import export_litert
from adaptive_nets.serving.onnx import export_onnx
from adaptive_nets.serving.receivers import (
    ServingInputReceiver,
    build_parsing_serving_input_receiver_fn,
    build_raw_serving_input_receiver_fn,
    receiver_of,
)

__all__ = [
    "ServingInputReceiver",
    "build_parsing_serving_input_receiver_fn",
    "build_raw_serving_input_receiver_fn",
    "export_litert",
    "export_onnx",
    "export_saved_model",
    "named_outputs",
    "read_class_names",
    "receiver_of",
]
