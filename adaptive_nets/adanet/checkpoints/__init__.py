"""The state of a search on disk: written atomically, read back, compared."""
