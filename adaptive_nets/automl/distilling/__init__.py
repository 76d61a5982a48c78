"""One small network that predicts what a fitted estimator predicts."""
