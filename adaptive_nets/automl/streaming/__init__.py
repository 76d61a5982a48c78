"""Tables that do not fit into memory: what is drawn from them, and their rows as a stream."""
