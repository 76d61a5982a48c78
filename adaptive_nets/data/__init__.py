"""What a row is: features, labels and weights, checked and laid out for training."""
