"""What is stored must give again what it gave when it was stored."""

import functools
import json
import shutil
import warnings

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.checkpoints.files.sealed_json import seal
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader


@pytest.fixture(scope="module")
def search(search):
    """Makes a search of two rounds."""
    return functools.partial(search, max_iterations=2)


@pytest.fixture(scope="module")
def written(search, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "search"
    search(folder).fit(*data, verbose=0)
    return folder


@pytest.fixture
def finished(written, tmp_path):
    return shutil.copytree(written, tmp_path / "search")


def rewrite(path, change):
    """Changes a state as a program could that knows how it is sealed."""
    values = json.loads(path.read_text())
    del values["sha256"]
    change(values)
    path.write_bytes(seal(values))


def test_other_outputs_than_those_stored_are_noticed(finished, data):
    def shifted(values):
        values["probe"]["outputs"][0][0] += 1e-3

    older = an.AdaNet.load(finished, state_file="state-000002.json").predict(data[0], "logits")
    for path in sorted(finished.glob("state-*.json"))[-2:]:
        rewrite(path, shifted)
    with pytest.warns(UserWarning, match="does not reproduce .* differs by 0.001; .*falling back"):
        found = an.AdaNet.load(finished)
    np.testing.assert_array_equal(found.predict(data[0], "logits"), older)
    with pytest.raises(ValueError, match="state-000004.json' is not whole.*does not reproduce"):
        an.AdaNet.load(finished, state_file="state-000004.json")


def test_the_probe_holds_no_rows_of_the_user(finished):
    for path in finished.glob("state-*.json"):
        probe = json.loads(path.read_text())["probe"]
        assert set(probe) <= {"outputs", "skipped"}
        assert np.shape(probe.get("outputs", np.zeros((4, 3)))) == (4, 3)


def test_layers_that_refuse_made_up_rows_have_no_probe(search, data, tmp_path):
    class Picky(keras.layers.Layer):
        def call(self, x):
            raise_if_small(x)
            return x

    def raise_if_small(x):
        if x.shape[0] == 4:
            raise ValueError("four rows are too few")

    register = keras.saving.register_keras_serializable("tests")
    search(tmp_path, preprocessing=register(Picky)()).fit(*data, verbose=0)
    newest = json.loads(max(tmp_path.glob("state-*.json")).read_text())
    assert "four rows are too few" in newest["probe"]["skipped"]
    an.AdaNet.load(tmp_path)


def test_weights_that_are_not_finite_are_noticed_without_digests(finished):
    path = finished / "members" / "2_1_layer_dense.keras"
    model = keras.saving.load_model(path)
    model.set_weights([np.full(w.shape, np.nan, w.dtype) for w in model.get_weights()])
    model.save(path)
    for state in finished.glob("state-*.json"):
        values = json.loads(state.read_text())
        values = {**values, "version": 2, "files": list(values["files"])}
        state.write_text(json.dumps({k: v for k, v in values.items() if k != "sha256"}))
    with pytest.warns(UserWarning, match="2_1_layer_dense.keras' holds weights that are not fin"):
        assert an.AdaNet.load(finished).state.iteration == 1


def test_what_a_later_version_has_written_is_kept(finished, search, data):
    def added(values):
        values["later"] = {"a": 1}
        values["record"]["later"] = 2
        values["record"]["entries"][0]["later"] = 3
        values["members"]["1_1_layer_dense"]["later"] = 4

    rewrite(max(finished.glob("state-*.json")), added)
    search(finished, max_iterations=3).fit(*data, verbose=0)
    newest = max(finished.glob("state-*.json"))
    values = json.loads(newest.read_text())
    assert newest.name == "state-000006.json" and values["later"] == {"a": 1}
    assert values["record"]["later"] == 2 and values["record"]["entries"][0]["later"] == 3
    assert values["members"]["1_1_layer_dense"]["later"] == 4


def test_files_that_are_damaged_while_it_runs_are_written_again(search, data, lc, tmp_path):
    class Damage(an.callbacks.SearchCallback):
        def on_round_begin(self, iteration, logs=None):
            for path in [*tmp_path.glob("members/*"), *tmp_path.glob("preprocessing.keras")]:
                path.write_bytes(path.read_bytes()[:-1])

    settings = {"preprocessing": "standardize"}
    whole = search(None, **settings).fit(*data, verbose=0)
    search(tmp_path, **settings).fit(*data, verbose=0, callbacks=[Damage()])
    lc.assert_same(an.AdaNet.load(tmp_path), whole)


def test_a_reader_follows_a_writer_without_a_word(finished, search, data, monkeypatch):
    plain, calls = ModelDirReader.state_names, []

    def listed(self):
        names = plain(self)
        calls.append(None)
        if len(calls) == 2:
            # Two rounds later the states that have just been listed are gone.
            search(finished, max_iterations=5).fit(*data, verbose=0)
        return names

    monkeypatch.setattr(ModelDirReader, "state_names", listed)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = an.AdaNet.load(finished)
    assert found.state.iteration in (2, 5)


def test_versions_are_named_where_a_model_cannot_be_loaded(finished):
    def other(values):
        values["written_by"]["keras"] = "9.9.9"
        values["members"]["1_1_layer_dense"]["file"] = "members/other.keras"
        files = values["files"]
        files["members/other.keras"] = files.pop("members/1_1_layer_dense.keras")

    import hashlib

    text = b"no model at all"
    (finished / "members" / "other.keras").write_bytes(text)
    newest = max(finished.glob("state-*.json"))
    rewrite(newest, other)
    known = {"sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)}
    rewrite(newest, lambda values: values["files"].update({"members/other.keras": known}))
    with pytest.raises(ValueError, match="other.keras' cannot be loaded.*written with .*keras 9.9"):
        an.AdaNet.load(finished)
