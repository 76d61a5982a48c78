"""What the operating system tells: how much time has passed, and which process wrote a file."""
