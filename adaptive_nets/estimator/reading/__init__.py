"""What is asked of the state in a `model_dir`: metrics, predictions, exports, variables."""
