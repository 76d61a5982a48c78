"""SHA-256 of the files of a `model_dir`, and the checks before one of them is opened."""

import hashlib
import os
import stat
import time
from pathlib import Path, PurePosixPath
from typing import NamedTuple

# A file that has just changed may change again within the resolution of its time stamp.
_SETTLED_NS = 2_000_000_000

_BLOCK = 1 << 20


class DamagedError(ValueError):
    """A stored file is not as it was written. The message names it and says what is wrong.

    Args:
        path: The file.
        damage: What is wrong with it, as a sentence that begins with a verb: `"is missing"`.
    """

    def __init__(self, path: str | os.PathLike, damage: str):
        super().__init__(f"'{path}' {damage}")
        self.path, self.damage = Path(path), damage


class Digest(NamedTuple):
    """What a file must be.

    Args:
        sha256: SHA-256 of its bytes, in hexadecimal.
        bytes: Number of its bytes.
    """

    sha256: str
    bytes: int


def check_file(folder: Path, name: str) -> os.stat_result:
    """Checks that a name stands for a regular file inside a folder, reached without a link.

    Args:
        folder: The folder. It may itself be reached through a link.
        name: Relative path in it, with `/` between its parts.

    Returns:
        The file's status.

    Raises:
        DamagedError: It is missing, or something else.
    """
    path, status = folder / name, None
    parts = PurePosixPath(name).parts
    if not parts or os.path.isabs(name) or ".." in parts or "\\" in name or "\0" in name:
        raise DamagedError(folder, f"names a file outside of it: {name!r}")
    for count in range(1, len(parts) + 1):
        here = folder.joinpath(*parts[:count])
        try:
            status = os.lstat(here)
        except (FileNotFoundError, NotADirectoryError):
            raise DamagedError(path, "is missing") from None
        except (OSError, ValueError) as error:
            raise DamagedError(path, f"cannot be read ({_reason(error)})") from error
        if stat.S_ISLNK(status.st_mode):
            raise DamagedError(here, "is a link, which is not followed")
        if count < len(parts) and not stat.S_ISDIR(status.st_mode):
            raise DamagedError(here, "is not a folder")
    if stat.S_ISDIR(status.st_mode):
        raise DamagedError(path, "is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise DamagedError(path, "is not a regular file")
    return status


def read_bytes(folder: Path, name: str, most: int) -> bytes:
    """Reads a file of a folder.

    Args:
        folder: The folder.
        name: Relative path in it.
        most: Number of bytes that it may have.

    Raises:
        DamagedError: It cannot be read, or is larger.
    """
    size = check_file(folder, name).st_size
    if size > most:
        raise DamagedError(folder / name, f"has {size} bytes; at most {most} are read")
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        raise DamagedError(folder / name, "is missing") from None
    except OSError as error:
        raise DamagedError(folder / name, f"cannot be read ({_reason(error)})") from error


# Digests by path, with the status of the file that they are of.
_KNOWN: dict[str, tuple[tuple, Digest]] = {}


def digest_of(folder: Path, name: str) -> Digest:
    """Returns the digest of a file of a folder. A file is read once per process.

    Raises:
        DamagedError: It cannot be read.
    """
    status, path = check_file(folder, name), os.path.abspath(folder / name)
    known = _KNOWN.get(path)
    if known is not None and known[0] == _identity(status):
        return known[1]
    digest, size = hashlib.sha256(), 0
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise DamagedError(path, f"cannot be read ({_reason(error)})") from error
    found = Digest(digest.hexdigest(), size)
    if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:
        _KNOWN[path] = (_identity(status), found)
    else:
        _KNOWN.pop(path, None)
    return found


def check_digest(folder: Path, name: str, expected: Digest | None) -> None:
    """Checks that a file is as it was written.

    Args:
        folder: The folder.
        name: Relative path in it.
        expected: Its digest, or `None` if that was not stored.

    Raises:
        DamagedError: It is not. The message says how it differs.
    """
    status = check_file(folder, name)
    if expected is None:
        return
    if status.st_size < expected.bytes:
        what = f"is truncated ({status.st_size} of {expected.bytes} bytes)"
        raise DamagedError(folder / name, what)
    if status.st_size > expected.bytes or digest_of(folder, name) != expected:
        raise DamagedError(folder / name, "has been altered (its SHA-256 is not the stored one)")


def is_intact(folder: Path, name: str, expected: Digest | None) -> bool:
    """Returns whether a file has the given digest."""
    try:
        return expected is not None and digest_of(folder, name) == expected
    except DamagedError:
        return False


def _identity(status):
    return (status.st_ino, status.st_dev, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _reason(error):
    return getattr(error, "strerror", None) or type(error).__name__
