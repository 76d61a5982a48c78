"""Fuses an ensemble into one network."""
