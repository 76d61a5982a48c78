"""Main of the Bazel tests: a test file run as a script would do nothing, and pass."""

import sys

import pytest

sys.exit(pytest.main(["-p", "no:cacheprovider", *sys.argv[1:]]))
