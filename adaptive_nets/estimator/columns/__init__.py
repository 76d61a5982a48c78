"""Objects of `tf.feature_column` as Keras layers, so that a script's columns stay."""

from adaptive_nets.estimator.columns.layers import DenseColumns, LinearColumns
from adaptive_nets.estimator.columns.shared import shared_embeddings

__all__ = ["DenseColumns", "LinearColumns", "shared_embeddings"]
