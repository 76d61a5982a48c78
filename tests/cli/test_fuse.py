"""`adaptive-nets fuse` on files: the mean of the sources, and mistakes in one line."""

import keras
import numpy as np
import pytest

from adaptive_nets.cli import app


def save(path, width, seed, activation="relu"):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(width, activation, name="hidden"),
            keras.layers.Dense(2, name="out"),
        ]
    )
    model.save(path)
    return model


def test_two_files_become_one(tmp_path, capsys):
    sources = [save(tmp_path / f"{n}.keras", 3 + n, n) for n in range(2)]
    out = tmp_path / "big.keras"
    status = app.main(
        ["fuse", str(tmp_path / "0.keras"), str(tmp_path / "1.keras"), f"--out={out}"]
    )
    assert status == 0
    printed = capsys.readouterr().out
    assert "hidden" in printed and "3 + 4" in printed and "exact" in printed
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    mean = (np.array(sources[0](x)) + np.array(sources[1](x))) / 2
    np.testing.assert_allclose(np.array(keras.saving.load_model(out)(x)), mean, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["a.keras", "--out=b.keras"], 2, "at least two .keras files"),
        (["a.keras", "b.keras"], 2, "fuse needs --out"),
        (["a.keras", "b.keras", "--out=big.h5"], 2, "--out must end in .keras"),
        (["a.keras", "b.keras", "--out=c.keras"], 1, "File not found: 'a.keras'"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    assert app.main(["fuse", *arguments]) == status
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_sources_that_do_not_match_are_one_line(tmp_path, capsys):
    save(tmp_path / "a.keras", 3, 0)
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "b.keras")
    files = [str(tmp_path / f"{name}.keras") for name in "ab"]
    assert app.main(["fuse", *files, f"--out={tmp_path / 'c.keras'}"]) == 1
    assert "different depth" in capsys.readouterr().err
    assert not (tmp_path / "c.keras").exists()


def test_a_source_is_not_overwritten(tmp_path, capsys):
    for number in range(2):
        save(tmp_path / f"{number}.keras", 3, number)
    (tmp_path / "link.keras").symlink_to(tmp_path / "1.keras")
    files = [tmp_path / f"{number}.keras" for number in range(2)]
    sources, before = [str(file) for file in files], [file.read_bytes() for file in files]
    for out in (sources[0], f"{tmp_path}/./1.keras", tmp_path / "link.keras"):
        assert app.main(["fuse", *sources, f"--out={out}"]) == 1
        error = capsys.readouterr().err
        assert "would overwrite" in error and error.count("\n") == 1
    assert [file.read_bytes() for file in files] == before


def test_a_full_disk_leaves_the_old_file(tmp_path, capsys, monkeypatch):
    for number in range(2):
        save(tmp_path / f"{number}.keras", 3, number)
    (tmp_path / "big.keras").write_bytes(b"old")

    def full(model, path, *args, **kwargs):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", full)
    files = [str(tmp_path / f"{number}.keras") for number in range(2)]
    assert app.main(["fuse", *files, f"--out={tmp_path / 'big.keras'}"]) == 1
    assert "No space left" in capsys.readouterr().err
    assert (tmp_path / "big.keras").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.keras", "1.keras", "big.keras"]
