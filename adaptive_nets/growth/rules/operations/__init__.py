"""Operations of `keras.ops`; what has no rule here is carried as it is."""

from adaptive_nets.growth.rules.operations import functions, moves, products, shapes

__all__ = ["functions", "moves", "products", "shapes"]
