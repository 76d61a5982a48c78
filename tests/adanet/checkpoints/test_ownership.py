"""The folder belongs to a search by name: nothing else in it is read, swept or deleted."""

import json
import os
import shutil

import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.checkpoints.files.manifest import Manifest
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.adanet.placement.leases import WorkLeases
from adaptive_nets.adanet.placement.ray_worker import pack, unpack


@pytest.fixture(scope="module")
def written(search, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "search"
    search(folder, preprocessing="standardize").fit(*data, verbose=0)
    return folder


@pytest.fixture
def finished(written, tmp_path):
    return shutil.copytree(written, tmp_path / "search")


def times(folder):
    """When each file and folder was last changed."""
    return {p: p.lstat().st_mtime_ns for p in [folder, *folder.rglob("*")]}


def test_files_of_the_user_stay_as_they_are(search, data, lc, tmp_path):
    mine = [
        "state-notes.json", "state-1.json", "state-000004.json", "checkpoint-best.npz",
        "members/mine.keras", "members/1_2_layer_dense.keras", ".writing-x", ".writing-x.keras",
        "members/.writing-y.keras", "shares/mine.txt", "tensorboard/mine.txt", "generator/mine.npz",
        "probe.npz", "best.json",
    ]  # fmt: skip
    for name in mine:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    # Nothing tells these from a damaged state.
    with pytest.raises(ValueError, match="state-000004.json' .*Nothing was changed"):
        search(tmp_path).fit(*data, verbose=0)
    (tmp_path / "state-000004.json").unlink()
    search(tmp_path).fit(*data, verbose=0)
    (tmp_path / "state-000004.json").write_text("state-000004.json")
    search(tmp_path, max_iterations=4).fit(*data, verbose=0)
    assert {name: (tmp_path / name).read_text() for name in mine} == {n: n for n in mine}
    # The number that is taken is left out.
    states = sorted(p.name for p in tmp_path.glob("state-0*.json"))
    assert states == [f"state-00000{n}.json" for n in (4, 5, 6, 7, 8)]
    assert an.AdaNet.load(tmp_path).state.iteration == 4


@pytest.mark.parametrize(
    "name, said",
    [
        ("preprocessing.keras", "'preprocessing.keras' is of another origin"),
        ("manifest.json", "'manifest.json' is of another origin"),
        ("checkpoint-000000003.npz", "'checkpoint-000000003.npz' is of another origin"),
        ("members", "'members' is not a folder"),
        ("members/1_1_layer_dense.keras", "members/1_1_layer_dense.keras' has not been written"),
    ],
)
def test_a_name_that_is_taken_is_refused_before_training(name, said, search, data, lc, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    before = lc.contents(tmp_path)
    with pytest.raises(ValueError, match=said) as caught:
        search(tmp_path, preprocessing="standardize").fit(*data, verbose=0)
    assert "\n" not in str(caught.value)
    assert lc.contents(tmp_path) == before


@pytest.mark.parametrize("name", ["members", "state-000003.json", "members/1_1_layer_dense.keras"])
def test_links_are_not_followed(name, finished, search, data, lc, tmp_path):
    outside = tmp_path / "outside"
    shutil.move(finished / name, outside)
    (finished / name).symlink_to(outside)
    before = lc.contents(tmp_path)
    for attempt in (
        lambda: an.AdaNet.load(finished),
        lambda: search(finished, preprocessing="standardize", max_iterations=2).fit(*data),
    ):
        # The state before the last has the same round.
        with pytest.warns() if name.startswith("state") else pytest.raises(ValueError) as caught:
            attempt()
        told = str(caught[0].message if name.startswith("state") else caught.value)
        assert "link" in told and "\n" not in told
        if not name.startswith("state"):
            assert lc.contents(tmp_path) == before
    assert (
        lc.contents(tmp_path).items() >= {k: v for k, v in before.items() if k == "outside"}.items()
    )


@pytest.mark.parametrize("name", ["tensorboard", "generator", "shares"])
def test_folders_that_are_links_are_refused(name, search, data, lc, tmp_path):
    outside = tmp_path / "outside"
    (outside / "round_001_of_2").mkdir(parents=True)
    folder = tmp_path / "search"
    folder.mkdir()
    (folder / name).symlink_to(outside)
    before = lc.contents(tmp_path)
    with pytest.raises(ValueError, match=f"'{name}' is a link"):
        search(folder).fit(*data, verbose=0)
    assert lc.contents(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["shares", "shares/round_001_of_2", "shares/round_001_of_2/share_1"]
)
def test_shares_are_not_written_through_links(name, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tmp_path / "search" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(ValueError, match="is a link, which is not followed"):
        WorkLeases.of_round(tmp_path / "search", 1, 2, 0)


@pytest.mark.parametrize("file", ["../other.keras", "/etc/passwd", "members/../../x.keras"])
def test_paths_lead_nowhere_else(file, finished, lc):
    path = max(finished.glob("state-*.json"))
    stored = json.loads(path.read_text())
    stored["members"]["1_1_layer_dense"]["file"] = file
    del stored["sha256"]
    path.write_text(json.dumps({**stored, "version": 2, "files": [file, "preprocessing.keras"]}))
    with pytest.raises(ValueError, match=r"state-000003.json' is not whole.*file'"):
        an.AdaNet.load(finished, state_file=path)


def test_of_a_finished_search_nothing_is_written(finished, search, data, tmp_path):
    before = times(finished)
    search(finished, preprocessing="standardize").fit(*data, verbose=0)
    loaded = an.AdaNet.load(finished)
    loaded.fit(*data, verbose=0)
    loaded.predict(data[0])
    loaded.export(tmp_path / "export")
    an.AdaNet.replay(finished, *data, verbose=0)
    assert times(finished) == before


def test_a_folder_that_cannot_be_written_to_is_read(finished, search, data, monkeypatch):
    plain = os.open

    def refusing(path, flags, *more, **named):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(path).startswith(str(finished)):
            raise PermissionError(13, "Permission denied", path)
        return plain(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refusing)
    monkeypatch.setattr(os, "access", lambda path, mode, **_: not mode & os.W_OK)
    assert an.AdaNet.load(finished).predict(data[0]).shape == (60,)
    search(finished, preprocessing="standardize").fit(*data, verbose=0)
    an.AdaNet.replay(finished, *data, verbose=0)
    with pytest.raises(OSError, match="model_dir must be a folder that can be written to"):
        search(finished, preprocessing="standardize", max_iterations=2).fit(*data, verbose=0)


def test_a_manifest_that_is_lost_is_made_again(finished, search, data, lc):
    whole = search(None, preprocessing="standardize", max_iterations=2).fit(*data, verbose=0)
    (finished / "manifest.json").unlink()
    again = search(finished, preprocessing="standardize", max_iterations=2).fit(*data, verbose=0)
    lc.assert_same(again, whole)
    names = Manifest.read(finished).files
    assert names >= {"preprocessing.keras", "members/1_1_layer_dense.keras"}
    assert {name for name in names if name.startswith("state")} == {
        p.name for p in finished.glob("state-*.json")
    }


def test_warm_start_copies_what_is_whole_and_nothing_else(finished, tmp_path, data):
    newest = an.AdaNet.load(finished).predict(data[0], "logits")
    (finished / "members" / "mine.keras").write_text("mine")
    ModelDir(tmp_path / "other").begin_from(finished)
    names = {p.relative_to(tmp_path / "other").as_posix() for p in (tmp_path / "other").rglob("*")}
    assert names == {
        "manifest.json", "members", "members/1_1_layer_dense.keras", "preprocessing.keras",
        "state-000001.json",
    }  # fmt: skip
    found = an.AdaNet.load(tmp_path / "other").predict(data[0], "logits")
    np.testing.assert_array_equal(found, newest)
    with (finished / "members" / "1_1_layer_dense.keras").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ValueError, match="1_1_layer_dense.keras' has been altered"):
        ModelDir(tmp_path / "third").begin_from(finished)
    assert not (tmp_path / "third").exists()


def test_a_worker_of_another_machine_gets_what_is_whole(finished, tmp_path, data):
    newest = max(finished.glob("state-*.json"))
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="falling back"):
        files = pack(ModelDirReader(finished))
    assert "state-000002.json" in files and newest.name not in files
    unpack(files, tmp_path / "worker")
    assert ModelDirReader(tmp_path / "worker").read_state()["number"] == 2
    for name in ("../x.keras", str(tmp_path / "x.keras"), "members/../../x.keras"):
        with pytest.raises(ValueError, match="not the name of a search's file"):
            unpack({name: b"x"}, tmp_path / "worker")
    assert not list(tmp_path.rglob("x.keras"))
