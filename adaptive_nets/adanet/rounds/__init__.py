"""One round: set up, train, score, select."""
