"""The masks of a graph's tensors."""
