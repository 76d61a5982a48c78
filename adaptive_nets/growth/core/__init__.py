"""The one idea of growth: where every feature of a grown model comes from, and what follows."""
