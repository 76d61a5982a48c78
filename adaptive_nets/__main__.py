"""`python -m adaptive_nets` is the command `adaptive-nets`."""

import sys

from adaptive_nets.cli.app import main

if __name__ == "__main__":
    # The help and error lines name the program by its first argument.
    sys.argv[0] = "adaptive-nets"
    sys.exit(main())
