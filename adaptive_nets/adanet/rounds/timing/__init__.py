"""How a call of `fit` uses its time: limits, measurements, shares of rounds."""
