"""Widths and depth: they rise with what there is to learn, and are nothing without it."""

import json
import random

import keras
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

import adaptive_nets as an
from adaptive_nets.energy import machines
from adaptive_nets.energy.layer_files import read_layer, write_layer
from adaptive_nets.energy.machines import linear_gain

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
FAST = {"max_units": 64, "steps": 400, "gibbs_steps": 2}


@pytest.fixture(scope="module")
def learnt():
    net = an.energy.EnergyNet(2, **FAST)
    net.fit(X)
    return net


def test_structure_grows_with_complexity_and_shuffled_features_have_none(learnt):
    few = an.energy.EnergyNet(1, **FAST).fit(X[Y == 0])
    shuffled = np.random.default_rng(0).permuted(X, axis=0)
    control = an.energy.EnergyNet(1, **FAST).fit(shuffled)
    assert control.widths == () and "no more than independent features" in control.why
    assert learnt.widths[0] > (few.widths or (0,))[0]
    assert learnt.report.layers[0].gain > 1 > control.layers[0].gain
    assert learnt.widths[0] <= learnt.report.layers[0].raw <= 64
    assert str(learnt.widths[0]) in str(learnt.report)


def test_the_control_stands_in_the_report():
    report = an.energy.EnergyNet(1, control=True, **FAST).fit(X[:600])
    (layer,) = report.layers
    assert layer.control_width == 0 and layer.control_gain < layer.gain


@pytest.mark.parametrize("init", ["energy", "random"])
def test_the_network_is_plain_and_learns(init, learnt, tmp_path, python):
    keras.utils.set_random_seed(0)
    model = learnt.build(an.heads.MultiClass(10), init=init)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    # A second layer that is narrower than the logits is left out.
    wide = [width for width in learnt.widths if width >= 10]
    assert [layer.units for layer in dense] == [*wide, 10]
    if init == "energy":
        kernel, bias = learnt.layers[0]
        np.testing.assert_array_equal(dense[0].kernel, kernel.T)
        hidden = keras.Model(model.input, dense[0].output)(X[:5])
        expected = np.maximum(X[:5] @ kernel.T + bias, 0)
        np.testing.assert_allclose(hidden, expected, atol=1e-5)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    model.fit(X[:1200], Y[:1200], 32, 15, verbose=0)
    # Seeds end between .90 and .92.
    assert model.evaluate(X[1200:], Y[1200:], verbose=0)[1] > 0.85
    model.save(tmp_path / "a.keras")
    np.save(tmp_path / "x.npy", X[:3])
    script = (
        "import json, sys\nsys.modules['adaptive_nets'] = None\nimport keras, numpy as np\n"
        "found = keras.saving.load_model(sys.argv[1])(np.load(sys.argv[2]))\n"
        "print(json.dumps(np.asarray(found).tolist()))\n"
    )
    given = [str(tmp_path / name) for name in ("a.keras", "x.npy")]
    done = python.run("-c", script, *given, package=False)
    np.testing.assert_allclose(json.loads(done.stdout.splitlines()[-1]), model(X[:3]), atol=1e-5)


def test_tables_and_images_are_taken():
    x, y = load_breast_cancer(return_X_y=True)
    net = an.energy.EnergyNet(1, **FAST)
    net.fit(x)
    model = net.build(1)
    assert model.input_shape == (None, 30) and np.isfinite(model(x[:5])).all()
    squashed = keras.Model(model.input, model.layers[2].output)(x)
    expected = 1 / (1 + np.exp(-1.7 * (x - x.mean(0)) / x.std(0)))
    np.testing.assert_allclose(squashed, expected, atol=1e-3)
    images = an.energy.EnergyNet(1, **FAST)
    images.fit(X.reshape(-1, 8, 8))
    assert images.build(10).input_shape == (None, 8, 8)


def test_features_of_two_values_stay_two_values_and_their_ties_are_learnt():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 4, 800)
    table = np.stack([rng.normal(50, 9, 800), *(np.eye(4)[kind].T * 3), kind % 2], axis=1)
    net = an.energy.EnergyNet(1, max_units=32, steps=600)
    report = net.fit(table)
    assert report.widths and report.layers[0].gain > 0.3
    inputs = keras.Input((6,))
    found = keras.Model(inputs, net.hidden(inputs, depth=0)[0])(table.astype("float32"))
    np.testing.assert_allclose(found[:, 1:5], np.eye(4)[kind], atol=1e-3)
    np.testing.assert_allclose(found[:, 5], kind % 2, atol=1e-3)


def test_finished_layers_are_not_learnt_again(tmp_path, monkeypatch):
    first = an.energy.EnergyNet(2, model_dir=tmp_path, **FAST)
    report = first.fit(X[:300])
    calls = []
    monkeypatch.setattr(an.energy.EnergyNet, "_layer", lambda *a: calls.append(a))
    again = an.energy.EnergyNet(2, model_dir=tmp_path, **FAST)
    assert again.fit(X[:300]) == report and not calls
    for one, other in zip(first.layers, again.layers, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    assert all(path.name.startswith("layer_") for path in tmp_path.iterdir())


def test_a_file_that_cannot_be_used_is_learnt_again(tmp_path):
    path, weights = tmp_path / "layer.npz", (np.ones((2, 3), "f4"), np.ones(2, "f4"))
    write_layer(path, {"width": 2}, weights)
    whole = path.read_bytes()
    assert read_layer(path, 3, ["width"])[0] == {"width": 2}
    assert read_layer(tmp_path / "absent.npz", 3, ["width"]) is None
    with pytest.warns(UserWarning, match="shapes"):
        assert read_layer(path, 4, ["width"]) is None
    for damaged in (b"", whole[:50], bytes(len(whole))):
        path.write_bytes(damaged)
        with pytest.warns(UserWarning, match=r"cannot be used .*learned again"):
            assert read_layer(path, 3, ["width"]) is None
    write_layer(path, {"width": 2}, (weights[0] * np.nan, weights[1]))
    with pytest.warns(UserWarning, match="not finite"):
        assert read_layer(path, 3, ["width"]) is None


def test_the_same_seed_gives_the_same_structure():
    widths = [an.energy.EnergyNet(1, **FAST).fit(X[:300]) for _ in range(2)]
    assert widths[0].layers[0].gain == widths[1].layers[0].gain
    assert widths[0].widths == widths[1].widths


def test_the_callers_random_state_is_left_alone():
    def drawn(between):
        keras.utils.set_random_seed(3)
        between()
        return random.random(), np.random.random(), float(keras.random.uniform(()))

    net = an.energy.EnergyNet(1, **FAST | {"steps": 20})
    assert drawn(lambda: net.fit(X[:300])) == drawn(lambda: None)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_layers": 0}, "max_layers must be an integer >= 1"),
        ({"max_units": -1}, "max_units must be an integer >= 1"),
        ({"beta": 1.0}, "beta must be a finite number > 1"),
        ({"tolerance": 1.0}, "tolerance must be a finite number >= 0 and < 1"),
        ({"validation_split": 0.0}, "validation_split must be > 0"),
        ({"min_gain": -1}, "min_gain must be a finite number >= 0"),
    ],
)
def test_wrong_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        an.energy.EnergyNet(**settings)


def test_wrong_data_and_order_are_refused():
    net = an.energy.EnergyNet()
    with pytest.raises(ValueError, match=r"Call fit\(x\) first"):
        net.build(3)
    with pytest.raises(ValueError, match="at least two axes"):
        net.fit(np.ones(5))
    with pytest.raises(ValueError, match="finite numbers"):
        net.fit(np.array([[0.0, np.nan], [1.0, 2.0]]))
    with pytest.raises(ValueError, match="only constant columns"):
        net.fit(np.ones((20, 3)))


def test_linear_predictors_know_what_they_know():
    rng = np.random.default_rng(0)
    bits = (rng.random((3000, 3)) < 0.5).astype("float32")
    # The third feature is the first, except for a tenth of the rows; the second is alone.
    bits[:, 2] = np.where(rng.random(3000) < 0.9, bits[:, 0], 1 - bits[:, 0])
    known = np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1)
    assert abs(linear_gain(bits[:2000], bits[2000:], seed=0) - 2 * known) < 0.06
    alone = rng.random((3000, 4)).astype("float32")
    assert abs(linear_gain(alone[:2000], alone[2000:], seed=0)) < 0.02


def test_a_machine_that_falls_short_is_not_taken_for_empty_rows():
    z = np.random.default_rng(0).normal(size=(400, 1))
    x = np.concatenate([z, z + 0.3 * np.random.default_rng(1).normal(size=(400, 2))], axis=1)
    # Learned in full it knows as much as they do, from few units.
    known = an.energy.EnergyNet(max_layers=1, steps=400)
    (layer,) = known.fit(x).layers
    assert layer.method == "pl" and layer.linear_gain == known.linear_gain
    assert 0 < layer.width <= layer.raw <= 64 and layer.gain > known.linear_gain - 0.1
    net = an.energy.EnergyNet(max_layers=1, max_units=4, steps=1)
    report = net.fit(x)
    assert net.linear_gain > 0.3
    assert "linear predictors" in report.why and "it is the machine that falls short" in str(report)


def test_hidden_layers_are_relu_unless_another_activation_is_asked_for(learnt):
    inputs = keras.Input((64,))
    kernel, bias = learnt.layers[0]
    found = keras.Model(inputs, learnt.hidden(inputs, activation="sigmoid", depth=1)[-1])(X[:5])
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-(X[:5] @ kernel.T + bias))), atol=1e-5)
    (one, *_) = [x for x in learnt.build(10, init="random").layers if hasattr(x, "units")]
    assert one.activation is keras.activations.relu


def test_a_later_layer_is_judged_beside_linear_predictors_too(monkeypatch):
    rng = np.random.default_rng(0)
    rows = rng.random((400, 6)).astype("float32")
    net = an.energy.EnergyNet(max_layers=1, steps=20, max_units=8)
    asked = []
    monkeypatch.setattr(machines, "knowledge", lambda model, *_: (0, 0.0))
    monkeypatch.setattr(machines, "linear_gain", lambda *a: asked.append(a) or 1.0)
    found = machines.best_machine(net, rows[:300], rows[300:], 0, None)
    assert found.width == 0 and found.linear == 1.0 and len(asked) == 1
    # Both ways were tried before the verdict.
    assert {found.method} <= {"pl", "pcd"} and found.is_behind
