"""Model files that others may have written: what is in them is checked before any of it is used."""

import contextlib
import contextvars
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

import h5py
import keras

from adaptive_nets._checks import check_bool, check_dict, check_path, or_none
from adaptive_nets.contracts import check_names, custom_scope
from adaptive_nets.files.arrays import MAX_BYTES, open_archive

# Keras stores without compression, and what others have compressed is weights, not zeros.
_EXPANSION = 20
_FLOOR = 64 << 20
_MAX_CONFIG = 64 << 20
_MAX_OBJECTS = 1_000_000

_WEIGHTS = "model.weights.h5"
_CONFIG = "config.json"
_NAMES = ("metadata.json", _CONFIG, _WEIGHTS)
# Deflate, shuffle, checksum and LZF. Others are looked for in folders of plug-ins.
_FILTERS = frozenset((1, 2, 3, 32000))


_trusting = contextvars.ContextVar("trusting", default=False)


@contextlib.contextmanager
def reading(custom_objects: Mapping[str, Any] | None, trust: bool) -> Iterator[None]:
    """Within it, names lead to what the caller has passed, and `load_model` has its trust.

    Args:
        custom_objects: As for `load_model`.
        trust: As for `load_model`.
    """
    token = _trusting.set(check_bool("trust", trust))
    try:
        with custom_scope(_checked(custom_objects)):
            yield
    finally:
        _trusting.reset(token)


def _checked(custom_objects: Mapping[str, Any] | None) -> dict[str, Any]:
    words = "a dict of classes and functions by name, or None"
    return or_none(check_dict, "custom_objects", custom_objects, Callable, words) or {}


def load_model(
    path: str | os.PathLike,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    trust: bool = False,
    max_bytes: int = MAX_BYTES,
) -> keras.Model:
    """Loads a `.keras` or `.h5` file, of which nothing is believed before it is checked.

    Refused are archives that grow when they are unpacked or hold what Keras does not write, weights
    that lie in other files, settings that name files, and classes and functions that are neither
    Keras' own nor registered nor passed. Lambda layers of Python lambdas and layers that run
    other programs (`TFSMLayer`) are refused too. No module is imported because the file names it.

    Args:
        path: The file.
        custom_objects: Classes and functions by name, as for `keras.saving.load_model`. Defaults to
            `None`: those that are registered.
        trust: Whether the file may name and run code, as with `safe_mode=False` in Keras. Use it
            only for files that you, or people you trust, have written: they can do anything
            that this process can do. Defaults to `False`.
        max_bytes: The most bytes that the file may hold when it is unpacked.

    Returns:
        The model, not compiled.

    Raises:
        ValueError: There is no such file, or it cannot be read, or it is refused. The message is
            one line that names the file.
    """
    path, custom_objects = check_path("path", path), _checked(custom_objects)
    trust = check_bool("trust", trust) or _trusting.get()
    try:
        declared = _check_file(path, custom_objects, trust, max_bytes)
        with _bounded(max(_FLOOR, 4 * declared)):
            model = keras.saving.load_model(
                path, custom_objects, compile=False, safe_mode=not trust
            )
        if not isinstance(model, keras.Layer):
            raise ValueError(f"it holds a {type(model).__name__}, not a model")
        return model
    except MemoryError:
        raise
    except Exception as error:
        # Keras raises whatever its layers do.
        raise ValueError(_refusal(path, error)) from error


def _refusal(path: Any, error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    text = text if len(text) <= 400 else f"{text[:400]}..."
    message = f"The model file '{path}' cannot be loaded: {text.removesuffix('.')}."
    if "registered" in text or "custom_objects" in text:
        message += (
            " Import the module that registers it, pass custom_objects={name: class}, or, if you "
            "trust whoever wrote the file, trust=True."
        )
    return message


@contextlib.contextmanager
def _bounded(most: int) -> Iterator[None]:
    """Refuses more bytes of variables, before they are made. It needs TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    left = most

    def create(next_creator: Callable[..., Any], **settings: Any) -> Any:
        nonlocal left
        value = settings.get("initial_value")
        if callable(value):
            # The shape alone: in a graph nothing is computed. What cannot be done there is small.
            with tf.Graph().as_default(), contextlib.suppress(Exception):
                value = value()
        shape = getattr(value, "shape", None)
        if shape is not None:
            dtype = tf.as_dtype(settings.get("dtype") or value.dtype)
            left -= math.prod(tuple(shape)) * dtype.size
        if left < 0:
            raise ValueError("its layers ask for more weights than it holds")
        return next_creator(**settings)

    with tf.variable_creator_scope(create):
        yield


def _check_file(path: Any, custom_objects: Any, trust: bool, max_bytes: int) -> int:
    """Refuses a file. Returns the bytes of the weights in it."""
    text = os.fspath(path)
    if not os.path.lexists(text):
        raise ValueError("there is no such file")
    if not os.path.isfile(text):
        raise ValueError("it is not a file")
    with open(text, "rb") as file:
        if text.endswith((".h5", ".hdf5")):
            declared, configs = _check_hdf5(file, os.path.getsize(text), max_bytes)
            if "model_config" not in configs:
                raise ValueError("it is damaged, or holds no model")
        elif text.endswith(".keras"):
            declared, configs = _check_keras(file, max_bytes)
        else:
            raise ValueError("a name that ends in .keras or .h5 was expected")
    for name, config in configs.items():
        described = _parsed(name, config)
        if not trust:
            check_names(described, custom_objects, of_model=True)
    return declared


def _parsed(name: str, config: bytes | str) -> Any:
    if len(config) > _MAX_CONFIG:
        raise ValueError(f"its {name} has {len(config)} bytes")
    try:
        described = json.loads(config)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its {name} is damaged ({type(error).__name__})") from error
    if not isinstance(described, dict):
        raise ValueError(f"its {name} describes no model")
    return described


def _check_keras(file: IO[bytes], max_bytes: int) -> tuple[int, dict[str, bytes]]:
    """Refuses an archive that Keras has not written. Returns as `_check_hdf5` does."""
    with open_archive(file, max_bytes, _EXPANSION, _FLOOR) as archive:
        for info in archive.infolist():
            name = info.filename
            if name not in _NAMES and not name.startswith("assets/"):
                raise ValueError(f"it holds {name!r}, which Keras does not write")
        missing = {_CONFIG, _WEIGHTS} - set(archive.namelist())
        if missing:
            raise ValueError(f"it is damaged: it holds no {min(missing)}")
        if archive.getinfo(_CONFIG).file_size > _MAX_CONFIG:
            raise ValueError(f"its {_CONFIG} has {archive.getinfo(_CONFIG).file_size} bytes")
        # All is read to its end, where checksums are compared; Keras would go on without them.
        damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"it is damaged: the checksum of its {damaged} is wrong")
        with archive.open(_WEIGHTS) as packed, tempfile.SpooledTemporaryFile(_FLOOR) as unpacked:
            shutil.copyfileobj(packed, unpacked)
            declared, _ = _check_hdf5(unpacked, archive.getinfo(_WEIGHTS).file_size, max_bytes)
        return declared, {_CONFIG: archive.read(_CONFIG)}


def _check_hdf5(file: IO[bytes], size: int, max_bytes: int) -> tuple[int, dict[str, str]]:
    """Refuses an HDF5 file that refers to others or declares what it does not hold.

    Returns:
        The bytes of all arrays, and the configurations in it, which older files have.
    """
    try:
        with h5py.File(file, "r") as opened:
            declared = _declared(opened)
            # With compression, zeros take next to no place.
            if declared > min(max_bytes, max(_FLOOR, _EXPANSION * size)):
                raise ValueError(
                    f"its weights declare {declared} bytes, and the file has {size}, which is no "
                    "plausible size"
                )
            names = [name for name in ("model_config", "training_config") if name in opened.attrs]
            return declared, {name: _text(opened.attrs[name]) for name in names}
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"its weights are damaged ({' '.join(str(error).split())})") from error


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _declared(opened: h5py.File) -> int:
    """Bytes of all arrays of an HDF5 file, which is walked without following any link out of it."""
    total, left, seen = 0, [opened["/"]], set()
    while left:
        group = left.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ValueError(f"its weights refer to another place ({type(link).__name__})")
            part = group[name]
            place = h5py.h5o.get_info(part.id).addr
            if place in seen:
                continue
            seen.add(place)
            if len(seen) > _MAX_OBJECTS:
                raise ValueError(f"it holds more than {_MAX_OBJECTS} arrays")
            if isinstance(part, h5py.Group):
                left.append(part)
            elif isinstance(part, h5py.Dataset):
                total += _bytes_of(part)
            else:
                raise ValueError(f"its weights hold a {type(part).__name__}")
    return total


def _bytes_of(array: h5py.Dataset) -> int:
    name = array.name
    if array.external or array.is_virtual:
        raise ValueError(f"its weights {name!r} lie in another file")
    if array.dtype.kind == "O" and h5py.check_string_dtype(array.dtype) is None:
        raise ValueError(f"its weights {name!r} are not numbers")
    made = array.id.get_create_plist()
    filters = {made.get_filter(index)[0] for index in range(made.get_nfilters())}
    if not filters <= _FILTERS:
        raise ValueError(f"its weights {name!r} are packed in an unusual way")
    return math.prod(array.shape or (0,)) * array.dtype.itemsize
