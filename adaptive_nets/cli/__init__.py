"""The command `adaptive-nets`: `app` dispatches, with one module per group of subcommands."""
