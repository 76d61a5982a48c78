"""Members, mixtures, and the solver that weighs them."""
