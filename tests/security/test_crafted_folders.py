"""Crafted folders of searches: through no door does one run code, or read or write elsewhere.

The state is sealed anew after each change, as whoever crafts one would do.
"""

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import warnings
import zipfile

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets import estimator
from adaptive_nets.adanet.checkpoints.files.sealed_json import seal
from adaptive_nets.cli import app

WHOLE = bool(os.environ.get("WHOLE_SECURITY"))
X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def head():
    return an.heads.BinaryClass()


def generator():
    dense = an.generators.Dense(
        4, depths=[1], optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)
        ), kernel_constraint=an.adanet.NormBall(),
    )  # fmt: skip
    return an.generators.Bagging(an.generators.Growth(dense))


def settings():
    """All settings that take an object have one."""
    layers = [keras.Input((3,), name="x"), keras.layers.Rescaling(0.5, name="halved")]
    return {
        "generator": generator(), "max_iterations": 1, "steps_per_iteration": 2, "seed": 0,
        "jit_compile": False, "ensemble_strategies": [an.adanet.Grow(), an.adanet.Solo()],
        "mixture_weights": an.adanet.MixtureEnsembler("scalar", an.adanet.Penalty(0.01)),
        "complexity": an.adanet.SqrtDepth(), "evaluator": an.adanet.Evaluator(metric="loss"),
        "preprocessing": keras.Sequential(layers, name="prepared"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A finished search, its data as a file, and a model of Keras' own."""
    folder = tmp_path_factory.mktemp("stored")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = an.AdaNet(head(), model_dir=folder / "search", **settings())
        search.fit(X, Y, validation_split=0.25, verbose=0)
    np.savez(folder / "data.npz", x=X, y=Y)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    model.save(folder / "model.keras")
    return folder


@pytest.fixture
def copy(stored, traps):
    """A copy of all that in the working folder, where the traps are."""
    for name in ("search", "data.npz", "model.keras"):
        copied = shutil.copytree if (stored / name).is_dir() else shutil.copy
        copied(stored / name, traps.inside / name)
    folder = traps.inside / "search"
    for older in sorted(folder.glob("state-*.json"))[:-1]:
        # A damaged state falls back to these, with a warning.
        older.unlink()
    return folder


def newest(folder):
    return max(folder.glob("state-*.json"))


def state_of(folder):
    state = json.loads(newest(folder).read_text())
    del state["sha256"]
    return state


def write_state(folder, state):
    newest(folder).write_bytes(seal(state))


def seal_files(folder):
    """The state takes the folder's files for its own, as they are now."""
    state = state_of(folder)
    for name in state["files"]:
        content = (folder / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        state["files"][name] = {"sha256": digest, "bytes": len(content)}
    write_state(folder, state)


# Doors -------------------------------------------------------------------------------------------


def _trained(folder, **more):
    config = estimator.RunConfig(model_dir=str(folder), tf_random_seed=0)
    return estimator.Estimator(head(), generator(), 2, max_iterations=1, config=config, **more)


def _input_fn():
    return {"x": X}, Y


def _command(*arguments):
    status = app.main([*arguments])
    if status:
        raise ValueError(f"status {status}")


DOORS = {
    "load": an.AdaNet.load,
    "replay": lambda folder: an.AdaNet.replay(folder, X, Y, verbose=0),
    "fit": lambda folder: an.AdaNet(head(), model_dir=folder, **settings()).fit(
        X, Y, validation_split=0.25, verbose=0
    ),
    "evaluate": lambda folder: _trained(folder).evaluate(_input_fn),
    "predict": lambda folder: list(_trained(folder).predict(_input_fn)),
    "warm start": lambda folder: _trained(
        folder.with_name("warm"), warm_start_from=folder
    ).train(_input_fn, max_steps=2),
    "leaderboard": lambda folder: _command("leaderboard", f"--model_dir={folder}"),
    "export": lambda folder: _command("export", f"--model_dir={folder}", "--path=exported"),
    "command predict": lambda folder: _command(
        "predict", f"--model_dir={folder}", "--data=npz:data.npz"
    ),
    "command evaluate": lambda folder: _command(
        "evaluate", f"--model_dir={folder}", "--data=npz:data.npz"
    ),
    "search": lambda folder: _command(
        "search", f"--model_dir={folder}", "--data=npz:data.npz", "--max_iterations=1"
    ),
}  # fmt: skip


def refused(traps, door, folder, capsys):
    """Whoever opens the folder is told why not, in one line, and nothing has happened."""
    capsys.readouterr()
    with warnings.catch_warnings(), traps.watched():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError) as caught:
            door(folder)
    out, err = capsys.readouterr()
    text = err.strip() if str(caught.value).startswith("status ") else str(caught.value)
    lines = [line for line in text.splitlines() if ": warning: " not in line]
    # The command says first what the data is.
    assert len(lines) == 1 and (not out or out.startswith("npz:data.npz: 24 ")), (out, text)
    assert "two lines" not in text and "Traceback" not in text
    assert not any(kind in text for kind in ("AttributeError", "RecursionError", "NameError"))
    return text


# The state ---------------------------------------------------------------------------------------


def places_of(value, before=()):
    """All places within a JSON value, by their keys."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in entries:
        yield (*before, key)
        if isinstance(entry, dict | list):
            yield from places_of(entry, (*before, key))


def put(state, place, value):
    held = state
    for key in place[:-1]:
        held = held[key]
    held[place[-1]] = value
    return state


def test_the_search_has_an_object_in_every_place(stored):
    described = json.dumps(state_of(stored / "search")["settings"])
    for name in ("BinaryClass", "Bagging", "Growth", "Dense", "Adam", "ExponentialDecay",
                 "NormBall", "Grow", "MixtureEnsembler", "Penalty", "SqrtDepth", "Evaluator",
                 "Sequential", "Rescaling"):  # fmt: skip
        assert f">{name}" in described or f'"{name}"' in described, name


def test_each_place_of_a_state_takes_only_what_belongs_there(copy, traps, capsys):
    state = state_of(copy)
    top = [place for place in places_of(state) if place[0] in ("settings", "adapted_head")]
    hostile = traps.hostile()
    turns = itertools.cycle(hostile)
    tried = 0
    for place in top if WHOLE else top[::2]:
        for name in hostile if WHOLE else (next(turns),):
            write_state(copy, put(state_of(copy), place, hostile[name]))
            refused(traps, an.AdaNet.load, copy, capsys)
            tried += 1
            write_state(copy, state)
    assert tried > 40
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        an.AdaNet.load(copy)


@pytest.mark.parametrize("door", DOORS)
def test_no_door_makes_what_a_state_names(copy, traps, capsys, door):
    state = state_of(copy)
    names = ("generator", "head", "preprocessing", "mixture_weights")
    places = itertools.cycle(("settings", name) for name in names)
    for number, hostile in enumerate(traps.hostile().values()):
        if not WHOLE and number % len(DOORS) not in (0, 5) and number % 4 != len(door) % 4:
            continue
        changed = put(state_of(copy), ("adapted_head",), hostile)
        if door not in ("evaluate", "predict"):
            changed = put(changed, next(places), hostile)
        write_state(copy, changed)
        if door == "warm start":  # It takes weights by their paths alone.
            with traps.watched(), contextlib.suppress(ValueError):
                DOORS[door](copy)
        else:
            refused(traps, DOORS[door], copy, capsys)
        assert not os.path.exists("exported")
        write_state(copy, state)
        shutil.rmtree(copy.with_name("warm"), ignore_errors=True)


@pytest.mark.parametrize("name", ["../outside/secret.keras", "/etc/passwd", "members/../../x.keras",
                                  "members\\x.keras", "", "members", ".", "x\0.keras"])  # fmt: skip
@pytest.mark.parametrize("door", ["load", "fit", "warm start", "leaderboard"])
def test_a_state_names_only_files_of_its_folder(copy, traps, capsys, name, door):
    state = state_of(copy)
    (member,) = state["members"].values()
    state["files"][name] = state["files"].pop(member["file"])
    member["file"] = name
    write_state(copy, state)
    refused(traps, DOORS[door], copy, capsys)


@pytest.mark.parametrize("door", ["load", "fit", "warm start", "export"])
def test_a_link_out_of_the_folder_is_not_followed(copy, traps, capsys, door):
    (name,) = (member["file"] for member in state_of(copy)["members"].values())
    outside = traps.outside / "model.keras"
    shutil.move(copy / name, outside)
    (copy / name).symlink_to(outside)
    refused(traps, DOORS[door], copy, capsys)
    assert outside.exists()


# Models ------------------------------------------------------------------------------------------


def craft(path, change=None, more=()):
    """Changes the configuration in a `.keras` file, and adds parts."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if change is not None:
        config = json.loads(parts["config.json"])
        change(config)
        parts["config.json"] = json.dumps(config)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in [*parts.items(), *more]:
            archive.writestr(name, content)


def layer_of(config):
    return next(each for each in config["config"]["layers"] if each["class_name"] == "Dense")


MODEL_PLACES = {
    "layer": lambda config, hostile: config["config"]["layers"].append(hostile),
    "activation": lambda config, hostile: layer_of(config)["config"].update(activation=hostile),
    "regularizer": lambda config, hostile: layer_of(config)["config"].update(
        kernel_regularizer=hostile
    ),
    "policy": lambda config, hostile: layer_of(config)["config"].update(dtype=hostile),
    "arguments": lambda config, hostile: layer_of(config).update(
        inbound_nodes=[{"args": [hostile], "kwargs": {}}]
    ),
    "build": lambda config, hostile: layer_of(config).update(build_config={"x": hostile}),
    "compilation": lambda config, hostile: config.update(compile_config={"loss": hostile}),
}  # fmt: skip


@pytest.mark.parametrize("place", MODEL_PLACES)
def test_no_model_of_a_folder_holds_code(copy, traps, capsys, place):
    files = [*state_of(copy)["files"]]
    assert len(files) == 2, "a member and the preprocessing"
    doors = itertools.cycle(DOORS)
    whole = {name: (copy / name).read_bytes() for name in files}
    for number, (kind, hostile) in enumerate(traps.hostile().items()):
        if "registered" in hostile or "class" in hostile:
            continue  # Keras does not take these for objects.
        if not WHOLE and number % len(MODEL_PLACES) != [*MODEL_PLACES].index(place):
            continue
        name = next(each for each in files if each.startswith("members"))
        craft(copy / name, lambda config, h=hostile: MODEL_PLACES[place](config, h))
        seal_files(copy)
        for door in DOORS if WHOLE else itertools.islice(doors, 4):
            text = refused(traps, DOORS[door], copy, capsys)
            assert os.path.basename(name) in text, (kind, door, text)
            shutil.rmtree(copy.with_name("warm"), ignore_errors=True)
        (copy / name).write_bytes(whole[name])


def test_no_preprocessing_holds_code(copy, traps, capsys):
    path = copy / "preprocessing.keras"
    hostile = traps.hostile()["lambda layer"]
    craft(path, lambda config: config["config"]["layers"].append(hostile))
    seal_files(copy)
    for door in ("load", "fit", "predict", "command predict"):
        assert "preprocessing.keras" in refused(traps, DOORS[door], copy, capsys)


@pytest.mark.parametrize("part", ["../outside.txt", "trap.py", "assets/../../x"])
def test_no_model_unpacks_elsewhere(copy, traps, capsys, part):
    (name,) = (member["file"] for member in state_of(copy)["members"].values())
    craft(copy / name, more=[(part, traps.code)])
    seal_files(copy)
    refused(traps, an.AdaNet.load, copy, capsys)
    assert sorted(os.listdir(traps.inside)) == ["data.npz", "model.keras", "search", "trap.py"]


def test_trust_is_for_models_alone_and_never_a_default(copy, traps):
    (name,) = (member["file"] for member in state_of(copy)["members"].values())
    craft(copy / name, lambda config: config["config"]["layers"].insert(
        1, traps.hostile()["lambda layer"]))  # fmt: skip
    seal_files(copy)
    with traps.watched(), pytest.raises(ValueError, match="Lambda"):
        an.AdaNet.load(copy)
    # What is trusted is read as Keras reads it, which may still refuse.
    with contextlib.suppress(ValueError):
        an.AdaNet.load(copy, trust=True)
    with pytest.raises(ValueError, match="trust must be"):
        an.AdaNet.load(copy, trust="yes")
    write_state(
        copy, put(state_of(copy), ("settings", "preprocessing"), traps.hostile()["lambda layer"])
    )
    with traps.watched(), pytest.raises(ValueError, match="Lambda"):
        an.AdaNet.load(copy, trust=True)


def test_fuse_takes_no_code_from_a_file(copy, traps, capsys):
    path, other = traps.inside / "model.keras", traps.inside / "other.keras"
    for place, (kind, hostile) in zip(itertools.cycle(MODEL_PLACES), traps.hostile().items()):
        if "registered" in hostile or "class" in hostile:
            continue
        shutil.copy(path, other)
        craft(other, lambda config, h=hostile, p=place: MODEL_PLACES[p](config, h))
        text = refused(traps, lambda _: an.growth.fuse([path, other]), copy, capsys)
        assert "other.keras" in text, kind
        door = lambda _: _command("fuse", "model.keras", "other.keras", "--out=fused.keras")  # noqa: E731
        assert "other.keras" in refused(traps, door, copy, capsys), kind
    assert not os.path.exists("fused.keras")


# Arrays ------------------------------------------------------------------------------------------


class Trap:
    """An object whose pickle runs code."""

    def __reduce__(self):
        return (exec, ("open('sprung', 'w').close()",))


def test_no_arrays_are_unpickled(copy, traps, capsys):
    np.savez("data.npz", x=X, y=np.array([Trap()] * len(Y), dtype=object))
    for command in ("predict", "evaluate", "search"):

        def door(folder, command=command):
            _command(command, f"--model_dir={folder}", "--data=npz:data.npz")

        refused(traps, door, copy, capsys)
    assert not os.path.exists("sprung")


def test_no_checkpoint_is_unpickled(copy, traps):
    objects = np.array([Trap()], dtype=object)
    for name in (
        "checkpoint-000000001.npz",
        "shares/round_002_of_1/share_0/checkpoint-000000001.npz",
    ):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        np.savez(copy / name, header=objects, a00000=objects)
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["sha256"]
    manifest["files"].append("checkpoint-000000001.npz")
    (copy / "manifest.json").write_bytes(seal(manifest))
    with warnings.catch_warnings(), traps.watched():
        warnings.simplefilter("ignore")
        given = {**settings(), "max_iterations": 2}
        an.AdaNet(head(), model_dir=copy, **given).fit(X, Y, validation_split=0.25, verbose=0)
    assert not os.path.exists("sprung")
