"""Training that stops at the right moment: measured on held-out rows, with the best weights kept."""
