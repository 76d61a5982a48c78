"""What users put into a `Pool` is served as it was found: saved, loaded elsewhere, and exported."""

import importlib.util
import json
import pathlib
import sys

import keras
import numpy as np
import pytest

import adaptive_nets as an

FOLDER = pathlib.Path(__file__).parent


def _load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


habits = _load("pool_habits")
_load("pool_model_habits")
LABELS = np.arange(habits.ROWS) % 3
# Relative to the largest logit. Half precision rounds in an order that depends on the program.
TOLERANCE = {"mixed_precision": 1e-3}

# Run where adaptive_nets is missing, once for all habits.
ELSEWHERE = """
import json, os, sys, traceback
sys.path.insert(0, sys.argv[2])
import keras, numpy as np, tensorflow as tf
import pool_model_habits

def tensors(x):
    return keras.tree.map_structure(
        lambda a: tf.constant(a.astype(str)) if a.dtype.kind in "OU" else tf.constant(a), x)

found = {}
for name in sorted(os.listdir(sys.argv[1])):
    folder = os.path.join(sys.argv[1], name)
    try:
        with np.load(os.path.join(folder, "x.npz"), allow_pickle=True) as archive:
            x = tensors({key: archive[key] for key in archive.files})
        plain = x["features"] if list(x) == ["features"] else x
        model = keras.saving.load_model(
            os.path.join(folder, "model.keras"), safe_mode=name != "lambdas")
        loaded = model(plain, training=False).numpy()
        served = tf.saved_model.load(os.path.join(folder, "export")).signatures["predict"](**x)
        found[name] = [loaded.tolist(), served["logits"].numpy().tolist()]
    except Exception:
        found[name] = traceback.format_exc(limit=-1)
with open(sys.argv[3], "w") as file:
    json.dump(found, file)
"""


def fit(name, **settings):
    """A short search, whose members are all served."""
    given = habits.HABITS[name]()
    pool = an.generators.Pool(given["models"], majority=given.get("majority", 1))
    return given["x"], an.AdaNet(
        an.heads.MultiClass(3), pool, max_iterations=given.get("rounds", 1), steps_per_iteration=2,
        seed=0, preprocessing=given.get("preprocessing"), mixture_weights="uniform",
        jit_compile=False, ensemble_strategies="all", force_grow=True, **settings,
    ).fit(given["x"], LABELS, verbose=0, batch_size=8)  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory, python):
    """For each habit the logits here, those of the loaded model and those of the export."""
    folder = tmp_path_factory.mktemp("habits")
    here = {}
    for name in habits.HABITS:
        x, search = fit(name)
        (folder / name).mkdir()
        here[name] = search.predict(x, "logits")
        search.model.save(folder / name / "model.keras")
        search.export(folder / name / "export")
        read = search.schema.read(x)
        named = read if isinstance(read, dict) else {"features": read}
        np.savez(folder / name / "x.npz", **named)
        keras.utils.clear_session(free_memory=False)
    told = tmp_path_factory.mktemp("told") / "found.json"
    python.run("-c", ELSEWHERE, str(folder), str(FOLDER), str(told), package=False)
    found = json.loads(told.read_text("utf-8"))
    return {name: (here[name], found[name]) for name in here}


@pytest.mark.parametrize("name", habits.HABITS)
def test_saved_loaded_and_exported_it_predicts_the_same(name, served):
    expected, found = served[name]
    assert not isinstance(found, str), found
    assert expected.shape == (habits.ROWS, 3)
    assert np.ptp(expected, axis=0).max() > 0, "the same for all rows"
    bound = TOLERANCE.get(name, 1e-6) * max(1.0, np.abs(expected).max())
    for logits in found:
        np.testing.assert_allclose(np.array(logits), expected, rtol=0, atol=bound)


@pytest.mark.parametrize(
    "name", ["shared_frozen_base", "shared_everything_twice", "tied_weights", "subclassed"]
)
def test_a_search_is_loaded_from_its_folder(name, tmp_path):
    x, search = fit(name, model_dir=tmp_path)
    pool = an.generators.Pool(habits.HABITS[name]()["models"])
    loaded = an.AdaNet.load(tmp_path, generator=pool)
    np.testing.assert_allclose(
        loaded.predict(x, "logits"), search.predict(x, "logits"), rtol=1e-6, atol=1e-6
    )
