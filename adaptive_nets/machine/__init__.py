"""What the operating system tells a process: how much time has passed, and that it is to end."""
