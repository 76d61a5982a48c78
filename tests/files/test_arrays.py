"""`.npz` files: measured before they are unpacked, and never pickled."""

import io
import os
import zipfile

import numpy as np
import pytest

from adaptive_nets.files.arrays import load_arrays


def test_plain_arrays_come_back(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {
        "x": np.arange(6.0).reshape(2, 3), "y": np.array(["a", "bc"]), "z": np.int64(3),
        "f": np.asfortranarray(np.eye(3)), "e": np.zeros((0, 4), "f2"), "b": np.array([True]),
    }  # fmt: skip
    for save in (np.savez, np.savez_compressed):
        save(path, **arrays)
        found = load_arrays(path)
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array, strict=True)


def npy(header, content=b""):
    """An array file whose header says what it likes."""
    text = header.encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def archive(path, parts):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return path


HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 8), }"
CODE = "{'descr': '<f8', 'fortran_order': False, 'shape': __import__('os').getcwd(), }"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"x.npy": npy(HUGE, b"12345678")}, "another size than it declares"),
        ({"x.npy": npy(CODE)}, "is damaged"),
        ({"x.npy": b"no array"}, "is damaged"),
        ({"../x.npy": npy(HUGE)}, "leads out of it"),
        ({"x.txt": b""}, "is not an array"),
    ],
)
def test_what_declares_more_than_it_holds_is_refused(tmp_path, parts, words):
    with pytest.raises(ValueError, match=words):
        load_arrays(archive(tmp_path / "a.npz", parts))


def test_a_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "a.npz"
    header = npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({300 << 20},), }}")
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        file.open("x.npy", "w", force_zip64=True) as part,
    ):
        part.write(header)
        for _ in range(300):
            part.write(bytes(1 << 20))
    with pytest.raises(ValueError, match="plausible size"):
        load_arrays(path)


def test_the_bound_is_the_callers(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones(1000))
    with pytest.raises(ValueError, match="plausible size"):
        load_arrays(tmp_path / "a.npz", max_bytes=1000)


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.savez(tmp_path / "a.npz", x=np.array([Trap()], dtype=object))
    with pytest.raises(ValueError, match="'x' holds Python objects"):
        load_arrays(tmp_path / "a.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damage_is_a_value_error(tmp_path, save):
    held = io.BytesIO()
    save(held, x=np.arange(50.0))
    whole, path = held.getvalue(), tmp_path / "a.npz"
    for damaged in (b"", whole[:-40], whole[:100], bytes(len(whole))):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            load_arrays(path)
    for place in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        path.write_bytes(flipped)
        try:
            found = load_arrays(path)
        except ValueError:
            continue
        # What is left are names, times and attributes of the archive.
        assert [len(array) for array in found.values()] == [50]
        np.testing.assert_array_equal(next(iter(found.values())), np.arange(50.0))
    with pytest.raises(FileNotFoundError):
        load_arrays(tmp_path / "absent.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    for other in (tmp_path, tmp_path / "pipe.npz", "/dev/zero"):
        with pytest.raises(ValueError, match="not a file"):
            load_arrays(other)
