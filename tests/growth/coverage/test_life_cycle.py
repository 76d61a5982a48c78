"""Tasks of keras-hub from training over growth inside it to a new process, and on."""

import os

import keras
import numpy as np
import pytest
from coverage_models import groups
from trying import drawn, largest_gap, outputs

import adaptive_nets as an

keras_hub = pytest.importorskip("keras_hub", reason="keras-hub (extra hub) is not installed")

TASKS = ["LlamaCausalLM", "BertTextClassifier"]
if "WHOLE_CONTRACT" in os.environ:
    TASKS += ["GemmaCausalLM", "QwenCausalLM", "GPT2CausalLM", "ViTImageClassifier", "T5Seq2SeqLM"]

AGAIN = """
import sys
import keras, keras_hub, numpy as np
task = keras.models.load_model(sys.argv[1], compile=False)
with np.load(sys.argv[2]) as stored:
    x = {name[2:]: stored[name] for name in stored if name.startswith("x_")}
    y, expected = stored["y"], stored["expected"]
x = x if "" not in x else x[""]
got = keras.ops.convert_to_numpy(task(x, training=False))
assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max()
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
task.compile(optimizer="adam", loss=loss)
assert np.isfinite(task.fit(x, y, verbose=0).history["loss"][-1])
task.export(sys.argv[3], verbose=False)
print("went on")
"""


def rows(task):
    x = drawn(task)
    logits = task.outputs[0].shape
    shape = (3,) if len(logits) == 2 else (3, 6)
    return x, np.random.default_rng(0).integers(0, logits[-1], shape)


def compiled(task):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    task.compile(optimizer="adam", loss=loss)
    return task


@pytest.mark.parametrize("name", TASKS)
def test_a_task_grows_inside_fit_and_goes_on(name, tmp_path, python):
    task = compiled(groups()["hub/tasks"][name]())
    x, y = rows(task)
    before = task.backbone.count_params()
    growth = {1: an.growth.Widen(2.0), 2: an.growth.Deepen(1)}
    schedule = an.callbacks.GrowthSchedule(growth, unit="epoch")
    losses = task.fit(x, y, epochs=4, verbose=0, callbacks=[schedule]).history["loss"]
    assert np.isfinite(losses).all()
    assert type(task).__name__ == name
    assert task.backbone.count_params() > 1.2 * before
    assert task.backbone.num_layers == 3
    # What generates and what predicts is one graph.
    held = {id(weight) for weight in task.backbone.weights}
    assert held <= {id(weight) for weight in task.weights}
    expected = outputs(task, x)
    if hasattr(task, "generate"):
        # Of an encoder and a decoder it is the decoder that goes on.
        begins = "decoder_" if "decoder_token_ids" in x else ""
        prompt = {key: np.array(value)[:1] for key, value in x.items()}
        prompt[f"{begins}padding_mask"] = np.array([[1, 1, 1, 0, 0, 0]])
        generated = task.generate(prompt, stop_token_ids=None)[f"{begins}token_ids"]
        np.testing.assert_array_equal(generated[0, :3], prompt[f"{begins}token_ids"][0, :3])
    path, sample, folder = (str(tmp_path / each) for each in ("task.keras", "x.npz", "export"))
    task.save(path)
    named = x if isinstance(x, dict) else {"": x}
    stored = {f"x_{key}": value for key, value in named.items()}
    np.savez(sample, **stored, y=y, expected=expected[0])
    assert "went on" in python.run("-c", AGAIN, path, sample, folder).stdout


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_expanded_trained_and_collapsed(name, tmp_path):
    task = groups()["hub/tasks"][name]()
    x, y = rows(task)
    expanded = an.majority.expand(task, factor=3, seed=0)
    assert largest_gap(outputs(task, x), outputs(expanded, x)) <= 1e-5
    compiled(expanded).fit(x, y, verbose=0)
    collapsed, _ = an.majority.collapse(expanded)
    expected = outputs(expanded, x)
    assert largest_gap(expected, outputs(collapsed, x)) <= 1e-5
    assert collapsed.count_params() == task.count_params()
    # It is a task again, which can be saved, and trains on where it is loaded.
    assert type(collapsed) is type(task)
    assert {id(w) for w in collapsed.backbone.weights} <= {id(w) for w in collapsed.weights}
    collapsed.save(tmp_path / "task.keras")
    loaded = keras.models.load_model(tmp_path / "task.keras", compile=False)
    assert largest_gap(expected, outputs(loaded, x)) <= 1e-5
    assert np.isfinite(compiled(loaded).fit(x, y, verbose=0).history["loss"]).all()
