"""Files that are written whole or not at all."""

import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from adaptive_nets.files.processes import Process

# A killed process may leave files and folders that begin like this.
PREFIX = ".writing-"

# Whether a process of another machine still runs cannot be seen; nothing is written for so long.
OLD_SECONDS = 24 * 3600.0

_TOKEN = re.compile(r"-[0-9a-f]{16}")


def temporary_name(suffix: str = "") -> str:
    """Returns a new name for what this process has not finished writing, for `sweep` to know.

    Args:
        suffix: End of the name, for writers that go by it.
    """
    return f"{PREFIX}{Process.current().name}-{secrets.token_hex(8)}{suffix}"


@contextmanager
def atomic_write(
    path: Path, suffix: str = "", confirm: Callable[[], None] | None = None
) -> Iterator[str]:
    """Yields a temporary name beside `path` that replaces it, synced, if the block succeeds.

    Args:
        path: The file to write. Missing folders above it are made.
        suffix: End of the temporary name, for writers that go by it.
        confirm: Called when everything is written, before the file is replaced; raises an error
            to leave it as it is. Defaults to `None`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.parent / temporary_name(suffix)
    # Unlike `tempfile`, whose files are their owner's only, this leaves the mode to the umask.
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield str(name)
        with open(name, "rb") as file:
            os.fsync(file.fileno())
        if confirm is not None:
            confirm()
        os.replace(name, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        name.unlink(missing_ok=True)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Yields a new folder that is removed in the end, after those that killed processes have left.

    Args:
        parent: The folder that it is made in. Missing ones are made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    folder = parent / temporary_name()
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Removes what killed processes have left half written in a folder.

    Only what bears a name of `temporary_name` is removed, and only if its process has ended; of
    another machine's, what has not been written to for a day.

    Args:
        folder: The folder, which need not exist.
    """
    try:
        found = [path for path in folder.iterdir() if path.name.startswith(PREFIX)]
    except OSError:
        return
    for path in found:
        if _is_left_over(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_left_over(path):
    name = path.name.removeprefix(PREFIX)
    process = Process.from_name(name)
    if process is None or not _TOKEN.match(name.removeprefix(process.name)):
        return False
    if process.is_here:
        return process.is_gone
    try:
        return time.time() - path.lstat().st_mtime > OLD_SECONDS
    except OSError:
        return False
