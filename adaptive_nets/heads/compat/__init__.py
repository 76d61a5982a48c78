"""Arguments of the heads of tf.estimator."""
