"""The command `adaptive-nets`: `app` dispatches, one module a group of subcommands."""
