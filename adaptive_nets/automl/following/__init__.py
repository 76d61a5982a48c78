"""What follows a `fit` of `AutoClassifier` and `AutoRegressor`."""
