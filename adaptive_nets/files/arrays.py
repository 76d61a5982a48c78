"""Zip archives and `.npz` files that others may have written: measured before they are unpacked."""

import math
import os
import stat
import zipfile
import zlib
from typing import IO, Any

import numpy as np

from adaptive_nets._checks import check_path

# Larger than any model or table that one machine trains.
MAX_BYTES = 64 << 30
MAX_PARTS = 100_000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


def load_arrays(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """Loads all arrays of an `.npz` file.

    Args:
        path: The file.
        max_bytes: The most bytes that the arrays may have.

    Returns:
        The arrays by name.

    Raises:
        ValueError: It is not an `.npz` file, is damaged, holds pickled objects, or grows more than
            a hundredfold, and beyond 256 MiB, when it is unpacked. Nothing is unpacked then.
        OSError: It cannot be read.
    """
    path = check_path("path", path)
    if os.path.exists(path) and not os.path.isfile(path):
        # Opening a pipe would wait for ever.
        raise ValueError("it is not a file")
    with open(path, "rb") as file:
        with open_archive(file, max_bytes, expansion=100, floor=256 << 20) as archive:
            for info in archive.infolist():
                _check_array(archive, info)
        file.seek(0)
        try:
            # Pickled objects run code when they are loaded, so they are never allowed.
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays}
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError) as error:
            raise ValueError(f"it is damaged ({error})") from error


def open_archive(file: IO[bytes], max_bytes: int, expansion: int, floor: int) -> zipfile.ZipFile:
    """Opens a zip archive whose names and sizes are harmless.

    Args:
        file: The file.
        max_bytes: The most bytes that it may hold when it is unpacked.
        expansion: How much larger than the file these may be.
        floor: Bytes that are allowed in any case.

    Raises:
        ValueError: It is damaged or no archive, a part's name leads out of it, or it is too large.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file.read(6) == np.lib.format.MAGIC_PREFIX:
        raise ValueError("it holds a single array instead of named arrays")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise ValueError("it is damaged, or not a zip archive") from error
    parts = archive.infolist()
    if len(parts) > MAX_PARTS:
        raise ValueError(f"it holds {len(parts)} parts")
    if len({info.filename for info in parts}) < len(parts):
        raise ValueError("two of its parts have the same name")
    for info in parts:
        _check_part(info)
    total, stored = (sum(getattr(i, s) for i in parts) for s in ("file_size", "compress_size"))
    if stored > size:
        raise ValueError("its parts overlap")
    if total > min(max_bytes, max(floor, expansion * size)):
        raise ValueError(
            f"it would grow from {size} to {total} bytes when it is unpacked, which is no "
            "plausible size"
        )
    return archive


def _check_part(info: zipfile.ZipInfo) -> None:
    name, mode = info.filename, info.external_attr >> 16
    pieces = name.removesuffix("/").split("/")
    if "\\" in name or ":" in pieces[0] or any(piece in ("", ".", "..") for piece in pieces):
        raise ValueError(f"the name {name!r} of one of its parts leads out of it")
    if mode and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode) and stat.S_IFMT(mode):
        raise ValueError(f"its part {name!r} is not a file but a link or a device")
    if info.compress_type not in _METHODS or info.flag_bits & _ENCRYPTED:
        raise ValueError(f"its part {name!r} is encrypted or packed in an unusual way")


def _check_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Refuses an array that does not have the size that its header declares."""
    if not info.filename.endswith(".npy"):
        raise ValueError(f"its part {info.filename!r} is not an array")
    try:
        with archive.open(info) as part:
            shape, dtype, begun = _header(part)
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ValueError(f"its array {info.filename!r} is damaged ({error})") from error
    if dtype.hasobject:
        raise ValueError(
            f"its array {info.filename[:-4]!r} holds Python objects, which could run code. "
            "Expected numbers or text, of a dtype such as float32 or str"
        )
    if begun + math.prod(shape) * dtype.itemsize != info.file_size:
        raise ValueError(f"its array {info.filename!r} has another size than it declares")


def _header(part: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, int]:
    version = np.lib.format.read_magic(part)
    read: Any = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"unknown version {version} of the format")
    shape, _, dtype = read(part)
    return shape, dtype, part.tell()
