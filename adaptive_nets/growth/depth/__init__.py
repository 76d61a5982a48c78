"""Where a model can become deeper, and by which layers."""
