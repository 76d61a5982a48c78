"""What scripts of tf.estimator and adanet pass and name, and what becomes of it here."""
