"""The checkpoints within a round: arrays with a header, sealed together."""

import hashlib
import json
from collections.abc import Callable
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
from adaptive_nets.files.arrays import load_arrays
from adaptive_nets.files.atomic import atomic_write

_VERSION = 3

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
    {
        "data": text,
        "search": text,
        "rows": text,
        "stopped": listed(integer()),
        "held_out": listed(floats),
    },
)


def write_checkpoint(
    path: Path,
    header: dict[str, Any],
    arrays: list[np.ndarray],
    confirm: Callable[[], None] | None = None,
) -> None:
    """Writes a checkpoint.

    Args:
        path: The file.
        header: JSON values.
        arrays: Any arrays of numbers.
        confirm: As for `atomic_write`. Defaults to `None`.
    """
    encoded = json.dumps({**header, "version": _VERSION}).encode()
    arrays = [np.asarray(array) for array in arrays]
    named = {f"a{place:05d}": array for place, array in enumerate(arrays)}
    parts = {"header": np.frombuffer(encoded, "uint8"), **named}
    parts["seal"] = np.frombuffer(_digest(encoded, arrays), "uint8")
    with atomic_write(path, ".npz", confirm) as name, open(name, "wb") as file:
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
    check_file(folder, name)
    path = folder / name
    try:
        header, arrays = _opened(load_arrays(path))
        _check_header(header, arrays)
    except NotWholeError as error:
        raise DamagedError(path, str(error)) from None
    except FileNotFoundError:
        raise DamagedError(path, "is missing") from None
    except (OSError, ValueError, RecursionError, NotImplementedError) as error:
        what = f"is truncated or has been altered ({' '.join(str(error).split())})"
        raise DamagedError(path, what) from error
    return header, arrays


def _opened(parts):
    """Returns header and arrays, which must be those that were sealed."""
    encoded, seal = parts.pop("header", None), parts.pop("seal", None)
    arrays = [parts.pop(name) for name in sorted(parts)]
    if encoded is None:
        raise NotWholeError("is not a checkpoint")
    encoded = encoded.tobytes()
    header = json.loads(encoded.decode())
    if not isinstance(header, dict):
        raise NotWholeError("has no header")
    # Versions before the seal have none.
    if "version" in header or seal is not None:
        if header.get("version") != _VERSION:
            raise NotWholeError(f"is of another version ({header.get('version')})")
        if seal is None or seal.tobytes() != _digest(encoded, arrays):
            raise NotWholeError("has been altered (its SHA-256 is not that of its content)")
    return header, arrays


def _check_header(header, arrays):
    _HEADER(header, "")
    count = len(header["names"])
    for name in ("losses", "diverged", "partial", "stopped"):
        if name in header and len(header[name]) != count:
            raise NotWholeError(f"holds no valid '{name}': expected {count} numbers")
    if any(len(row) != count for row in header["curve"]):
        raise NotWholeError(f"holds no valid 'curve': expected rows of {count} numbers")
    if any(len(row) != 1 + count for row in header.get("held_out", ())):
        raise NotWholeError(f"holds no valid 'held_out': expected rows of {1 + count} numbers")
    if any(array.dtype.kind not in "biufV" for array in arrays):
        raise NotWholeError("holds arrays that are not numbers")


def _digest(encoded, arrays):
    digest = hashlib.sha256(encoded)
    for array in arrays:
        # A bfloat16 comes back as two bytes.
        digest.update(f"{array.dtype.kind}{array.dtype.itemsize}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view("uint8"))
    return digest.digest()
