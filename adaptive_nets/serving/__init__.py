"""From a trained model to a folder that TF Serving loads."""

from adaptive_nets.serving.export import export_saved_model

__all__ = ["export_saved_model"]
