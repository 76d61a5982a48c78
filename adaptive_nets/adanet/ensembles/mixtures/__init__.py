"""Mixture weights: their kinds, and the convex problem that determines them."""
