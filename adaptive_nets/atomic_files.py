"""Files that are written whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# A killed process may leave files that begin like this; whoever owns the folder sweeps them.
PREFIX = ".writing-"


def temporary_name(path: Path) -> Path:
    """The temporary name of a file that only one process writes: whoever owns it owns both."""
    return path.parent / f"{PREFIX}{path.name}"


@contextmanager
def atomic_write(path: Path, suffix: str = "", temporary: Path | None = None) -> Iterator[str]:
    """Yields a temporary name beside `path` that replaces it, synced, if the block succeeds.

    Args:
        path: The file to write. Missing folders above it are made.
        suffix: End of the temporary name, for writers that go by it.
        temporary: The temporary name, whose file is replaced. Defaults to `None`: a random one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = temporary or path.parent / f"{PREFIX}{secrets.token_hex(8)}{suffix}"
    if temporary is not None:
        name.unlink(missing_ok=True)
    # Unlike `tempfile`, whose files are their owner's only, this leaves the mode to the umask.
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield str(name)
        with open(name, "rb") as file:
            os.fsync(file.fileno())
        os.replace(name, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        name.unlink(missing_ok=True)
