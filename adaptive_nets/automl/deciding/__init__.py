"""Which class is predicted, given the probabilities of all: thresholds, factors and costs."""
