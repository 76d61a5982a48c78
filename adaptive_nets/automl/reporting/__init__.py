"""What `fit` keeps for a report, and what a report of a fitted estimator says."""
