"""Training that stops at the right moment, by held-out rows, with the best weights kept."""
