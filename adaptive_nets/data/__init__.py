"""Rows of features, labels and weights, checked and prepared for training."""
