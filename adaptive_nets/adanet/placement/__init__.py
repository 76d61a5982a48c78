"""Who trains a round's candidates: this process, several, or Ray."""
