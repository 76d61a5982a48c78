"""One network out of an ensemble."""
