"""Members, mixtures, and the solver of the mixture weights."""
