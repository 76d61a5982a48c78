"""Losses of classes that users pass: right values, whole searches, and refusals by name."""

import keras
import numpy as np
import pytest
from head_losses import loss64

from adaptive_nets import heads

pytestmark = pytest.mark.backend_agnostic

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(6, 3))


@keras.saving.register_keras_serializable(package="tests_of_losses")
def hinge(labels, logits):
    """Squared hinge of one logit, or the mean of several: [n, k]."""
    signs = 2.0 * labels - 1.0
    return keras.ops.square(keras.ops.relu(1.0 - signs * logits))


@keras.saving.register_keras_serializable(package="tests_of_losses")
def margin(labels, logits):
    """How far each other class comes up to the right one, [n]."""
    right = keras.ops.take_along_axis(logits, labels, axis=-1)
    return keras.ops.sum(keras.ops.relu(1.0 + logits - right), axis=-1) - 1.0


def averaged(labels, logits):
    return keras.ops.mean(hinge(labels, logits))


def test_the_values_are_those_of_the_function():
    y = np.array([0, 1, 1, 0, 1, 0])
    expected = np.maximum(0, 1 - (2 * y - 1) * LOGITS[:, 0]) ** 2
    binary = heads.BinaryClass(loss_fn=hinge)
    np.testing.assert_allclose(loss64(binary, y, LOGITS[:, :1]), expected, rtol=1e-12)
    assert loss64(binary, y, LOGITS[:, :1]).dtype == "float64"
    classes = np.array([0, 2, 1, 1, 0, 2])
    right = LOGITS[range(6), classes][:, None]
    expected = np.maximum(0, 1 + LOGITS - right).sum(1) - 1
    np.testing.assert_allclose(
        loss64(heads.MultiClass(3, loss_fn=margin), classes, LOGITS), expected, rtol=1e-12
    )
    several = RNG.integers(0, 2, (6, 3))
    expected = (np.maximum(0, 1 - (2 * several - 1) * LOGITS) ** 2).mean(1)
    np.testing.assert_allclose(
        loss64(heads.MultiLabel(3, loss_fn=hinge), several, LOGITS), expected, rtol=1e-12
    )


@pytest.mark.parametrize(
    "head",
    [
        heads.BinaryClass(loss_fn=hinge), heads.MultiClass(3, loss_fn=margin),
        heads.MultiLabel(3, loss_fn=hinge), heads.BinaryClass(loss_fn=keras.losses.Huber(0.5)),
    ],
    ids=lambda head: head.name,
)  # fmt: skip
def test_it_is_saved_by_name_and_members_are_averaged_by_their_logits(head):
    again = type(head).from_config(head.get_config())
    assert again == head and type(again.loss_function) is type(head.loss_function)
    outputs = keras.ops.convert_to_tensor(RNG.normal(size=(4, 2, head.units)))
    found = keras.ops.convert_to_numpy(head.mean_of(outputs))
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(outputs).mean(1), rtol=1e-6)


def test_what_cannot_be_used_is_refused_by_name():
    with pytest.raises(ValueError, match="surrogate is a setting of the cross-entropy"):
        heads.BinaryClass(surrogate="logistic", loss_fn=hinge)
    for kind in (heads.BinaryClass, heads.MultiClass, heads.MultiLabel):
        assert "loss_fn" not in kind().get_config()
        with pytest.raises(ValueError, match="label_smoothing is a setting of the cross-entropy"):
            kind(label_smoothing=0.1, loss_fn=hinge)
        for wrong in (abs, 3, lambda logits, labels: logits, lambda labels, logits, features: 0):
            with pytest.raises(ValueError, match="loss_fn must be a function of labels and logits"):
                kind(loss_fn=wrong)
    with pytest.raises(ValueError, match="one value per example.*do not average over the batch"):
        loss64(heads.BinaryClass(loss_fn=averaged), [0, 1], LOGITS[:2, :1])
    with pytest.raises(ValueError, match=r"shape \[n\] or \[n, 1\]"):
        loss64(heads.MultiClass(3, loss_fn=lambda labels, logits: logits), [0, 1], LOGITS[:2])
    with pytest.raises(ValueError, match="a lambda cannot be saved"):
        heads.BinaryClass(loss_fn=lambda labels, logits: logits).get_config()
    config = heads.BinaryClass(loss_fn=averaged).get_config()
    with pytest.raises(ValueError, match="its loss is not registered"):
        heads.BinaryClass.from_config(config)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="searches need TensorFlow")
def test_a_search_by_a_function_is_the_search_by_the_loss_that_it_computes():
    import adaptive_nets as an

    x = RNG.normal(size=(60, 3)).astype("float32")
    y = (x[:, 0] + 0.5 * RNG.normal(size=60) > 0).astype(int)

    def logistic(labels, logits):
        up, down = keras.ops.softplus(1.0 - logits), keras.ops.softplus(1.0 + logits)
        return labels * up + (1.0 - labels) * down

    found = []
    for head in (heads.BinaryClass(surrogate="logistic"), heads.BinaryClass(loss_fn=logistic)):
        search = an.AdaNet(
            head, an.generators.Dense(4, 1, optimizer="sgd"), max_iterations=2, force_grow=True,
            steps_per_iteration=5, seed=0, jit_compile=False,
        )  # fmt: skip
        search.fit(x, y, verbose=0)
        found.append(search.predict(x, "logits"))
    np.testing.assert_allclose(*found, atol=1e-5)
