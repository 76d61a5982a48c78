"""What a search knows, on disk: written whole, read back, compared."""
