"""Objects of `tf.feature_column` as Keras layers, so that a script's columns stay."""

from adaptive_nets.estimator.columns.layers import DenseColumns, LinearColumns, columns_spec

__all__ = ["DenseColumns", "LinearColumns", "columns_spec"]
