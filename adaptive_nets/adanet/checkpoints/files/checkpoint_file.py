"""The checkpoints within a round: arrays with a header, sealed together."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from adaptive_nets.adanet.checkpoints.files.json_schema import (
    fields,
    floats,
    integer,
    listed,
    number,
    text,
)
from adaptive_nets.adanet.checkpoints.files.sealed_json import NotWholeError
from adaptive_nets.adanet.checkpoints.files.sealing import DamagedError, check_file
from adaptive_nets.atomic_files import atomic_write, temporary_name

_VERSION = 3
_MOST_HEADER = 256 << 20

_HEADER = fields(
    {
        "round": integer(1),
        "names": listed(text),
        "step": integer(),
        "seconds": number(low=0),
        "losses": floats,
        "diverged": listed(integer()),
        "window": integer(1),
        "curve": listed(floats),
        "partial": floats,
    },
    {"data": text, "search": text},
)


def write_checkpoint(path: Path, header: dict[str, Any], arrays: list[np.ndarray]) -> None:
    """Writes a checkpoint.

    Args:
        path: The file.
        header: JSON values.
        arrays: Any arrays of numbers.
    """
    encoded = json.dumps({**header, "version": _VERSION}).encode()
    arrays = [np.asarray(array) for array in arrays]
    named = {f"a{place:05d}": array for place, array in enumerate(arrays)}
    parts = {"header": np.frombuffer(encoded, "uint8"), **named}
    parts["seal"] = np.frombuffer(_digest(encoded, arrays), "uint8")
    with atomic_write(path, temporary=temporary_name(path)) as name, open(name, "wb") as file:
        np.savez(file, **parts)


def read_checkpoint(folder: Path, name: str) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Reads a checkpoint.

    Args:
        folder: Its folder.
        name: Its name.

    Returns:
        The header and the arrays.

    Raises:
        DamagedError: It is not as it was written.
    """
    size, path = check_file(folder, name).st_size, folder / name
    try:
        with zipfile.ZipFile(path) as archive:
            header, arrays = _read(archive, size)
        _check_header(header, arrays)
    except NotWholeError as error:
        raise DamagedError(path, str(error)) from None
    except FileNotFoundError:
        raise DamagedError(path, "is missing") from None
    except (OSError, ValueError, KeyError, EOFError, RecursionError, NotImplementedError,
            zipfile.BadZipFile) as error:  # fmt: skip
        what = f"is truncated or has been altered ({type(error).__name__}: {_line(error)})"
        raise DamagedError(path, what) from error
    return header, arrays


def _read(archive, size):
    """Returns header and arrays. Nothing is unpacked that is larger than the file itself."""
    parts = {}
    for info in archive.infolist():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > size:
            raise NotWholeError("holds compressed arrays, which a search does not write")
        if info.filename in parts:
            raise NotWholeError(f"holds '{info.filename}' twice")
        parts[info.filename] = info
    count = sum(name.startswith("a") for name in parts)
    names = [f"a{place:05d}.npy" for place in range(count)]
    if set(parts) - {"seal.npy"} != {"header.npy", *names}:
        raise NotWholeError("does not hold the arrays of a checkpoint")
    encoded = _array(archive, parts["header.npy"]).tobytes()
    if len(encoded) > _MOST_HEADER:
        raise NotWholeError("has too large a header")
    header = json.loads(encoded.decode())
    arrays = [_array(archive, parts[name]) for name in names]
    if not isinstance(header, dict):
        raise NotWholeError("has no header")
    if header.get("version", 0) != 0 or "seal.npy" in parts:
        # Versions before the seal have none.
        if header.get("version") != _VERSION:
            raise NotWholeError(f"is of another version ({header.get('version')})")
        found = _array(archive, parts["seal.npy"]).tobytes()
        if found != _digest(encoded, arrays):
            raise NotWholeError("has been altered (its SHA-256 is not that of its content)")
    return header, arrays


def _array(archive, info):
    """Reads one array, whose announced size must be that of its bytes."""
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise NotWholeError(f"holds '{info.filename}' in a form that a search does not write")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        content = file.read()
    if dtype.hasobject or np.prod(shape, dtype=object) * dtype.itemsize != len(content):
        raise NotWholeError(f"holds '{info.filename}', which is not an array of its shape")
    order = "F" if fortran else "C"
    return np.frombuffer(content, dtype).reshape(shape, order=order).copy(order=order)


def _check_header(header, arrays):
    _HEADER(header, "")
    count = len(header["names"])
    for name in ("losses", "diverged", "partial"):
        if len(header[name]) != count:
            raise NotWholeError(f"holds no valid '{name}': expected {count} numbers")
    if any(len(row) != count for row in header["curve"]):
        raise NotWholeError(f"holds no valid 'curve': expected rows of {count} numbers")
    if any(array.dtype.kind not in "biufV" for array in arrays):
        raise NotWholeError("holds arrays that are not numbers")


def _digest(encoded, arrays):
    digest = hashlib.sha256(encoded)
    for array in arrays:
        # A bfloat16 comes back as two bytes.
        digest.update(f"{array.dtype.kind}{array.dtype.itemsize}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view("uint8"))
    return digest.digest()


def _line(error):
    return (str(error).strip().splitlines() or [""])[0]
