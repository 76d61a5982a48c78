"""The distillation loss against its closed form in float64, and in training."""

import keras
import numpy as np
import pytest
import scipy.special

from adaptive_nets import growth

pytestmark = pytest.mark.backend_agnostic


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_loss_is_the_closed_form(weight, temperature):
    rng = np.random.default_rng(0)
    z, t, y = rng.normal(size=(7, 4)), rng.normal(size=(7, 4)), rng.integers(0, 4, 7)
    hard = -scipy.special.log_softmax(z, 1)[np.arange(7), y]
    soft = scipy.special.softmax(t / temperature, 1)
    towards = -(soft * scipy.special.log_softmax(z / temperature, 1)).sum(1) * temperature**2
    expected = ((1 - weight) * hard + weight * towards).mean()
    loss = growth.DistillationLoss(weight=weight, temperature=temperature)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    targets = np.concatenate([y[:, None], t], axis=1).astype("float32")
    for each in (loss, again):
        assert float(each(targets, z.astype("float32"))) == pytest.approx(expected, rel=1e-5)


def test_a_fused_model_begins_at_the_minimum_of_the_sources_term(gc):
    def small(seed):
        layers = [keras.layers.Dense(6, "relu"), keras.layers.Dense(3)]
        return gc.randomise(keras.Sequential([keras.Input((5,)), *layers]), seed)

    sources = [small(1), small(2)]
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 5)).astype("float32"), rng.integers(0, 3, 64)
    fused = growth.fuse(sources, seed=0)
    targets = growth.distillation_targets(sources, x, y)
    assert targets.shape == (64, 4)
    mean = (gc.outputs(sources[0], x)[0] + gc.outputs(sources[1], x)[0]) / 2
    np.testing.assert_allclose(targets[:, 1:], mean, atol=1e-5)
    loss = growth.DistillationLoss(weight=1.0)
    fused.compile(keras.optimizers.SGD(1e-3), loss)
    before = [np.array(w) for w in fused.get_weights()]
    fused.fit(x, targets, verbose=0)
    # The fused logits are the teacher's, so nothing pulls at the weights.
    for old, new in zip(before, fused.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-5)
    fused.compile(keras.optimizers.SGD(0.05), growth.DistillationLoss(weight=0.5))
    first = fused.evaluate(x, targets, verbose=0)
    fused.fit(x, targets, epochs=20, verbose=0)
    assert fused.evaluate(x, targets, verbose=0) < first


def test_labels_are_not_rounded_to_half_precision():
    layer = keras.layers.Dense(3, dtype="bfloat16")
    source = keras.Sequential([keras.Input((5,)), layer])
    y = np.array([0, 2, 999])
    targets = growth.distillation_targets([source], np.ones((3, 5), "float32"), y)
    np.testing.assert_array_equal(targets[:, 0], y)
    with pytest.raises(ValueError, match="holds exactly"):
        growth.distillation_targets([source], np.ones((3, 5), "float32"), y + 2**24)


@pytest.mark.parametrize("wrong", [{"weight": 1.5}, {"temperature": 0}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="Received"):
        growth.DistillationLoss(**wrong)


def test_rows_must_match(gc):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="as many labels as rows"):
        growth.distillation_targets([model], np.zeros((4, 5), "float32"), np.zeros(3))
