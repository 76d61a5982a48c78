"""What makes a layer again: its configuration, or the arguments of its constructor."""
