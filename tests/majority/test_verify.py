"""Outputs before and after conversion: what differs is refused, and what it cost is said."""

import keras
import numpy as np
import pytest

from adaptive_nets.majority import collapse, convert, expand

layers = keras.layers


@pytest.fixture
def model():
    hidden = [layers.Dense(4, "relu", name="a"), layers.Dense(4, "relu", name="b")]
    return keras.Sequential([keras.Input((5,)), *hidden, layers.Dense(2, name="head")])


def test_what_computes_something_else_is_refused_at_the_first_layer_that_differs(
    model, monkeypatch
):
    big = expand(model, 2, seed=0, verify=True)
    moved = convert.mean
    monkeypatch.setattr(convert, "mean", lambda kernels: moved(kernels) + 0.1)
    words = r"Cannot collapse .* should compute the same, .* first at 'a'.*verify=False"
    for given in ({"verify": True}, {"sample": np.ones((3, 5), "float32")}):
        with pytest.raises(ValueError, match=words):
            collapse(big, **given)
    assert "not verified: verify=False" in str(collapse(big, verify=False)[1])
    monkeypatch.setattr(convert, "_around", lambda middle, shape, *_: np.ones(shape))
    with pytest.raises(ValueError, match=r"Cannot expand .* first at 'a'"):
        expand(model, 2, verify=True)
    expand(model, 2, verify=False)


def test_the_report_says_what_verification_found(model):
    big = expand(model, 2, seed=0)
    small, report = collapse(big, verify=True)
    assert report.verified.gap < 1e-6 and "verified to" in str(report)
    _, measured = collapse(big, sample=np.ones((3, 5), "float32"))
    assert measured.verified is None and measured.gap < 1e-6
    for verb, given in ((expand, model), (collapse, big)):
        with pytest.raises(ValueError, match="verify must be 'auto', True or False"):
            verb(given, verify="soup")
    assert len(small.layers) == 3


def test_weights_go_back_into_the_model_that_was_expanded():
    models = pytest.importorskip("keras_hub").models
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 4, "intermediate_dim": 6}
    backbone = models.GPT2Backbone(vocabulary_size=7, max_sequence_length=6, **sizes)
    task = models.GPT2CausalLM(backbone, preprocessor=None)
    x = {"token_ids": np.ones((2, 6), "int32"), "padding_mask": np.ones((2, 6), "int32")}
    big = expand(task, 2, seed=0)
    rng = np.random.default_rng(0)
    for kernel in (w for w in big.weights if w.name == "kernel"):
        kernel.assign(kernel + rng.normal(size=kernel.shape))
    wanted, before = np.asarray(big(x)), np.asarray(task(x))
    with pytest.raises(ValueError, match=r"Cannot collapse into 'other': its layers are others"):
        inputs = keras.Input((5,))
        collapse(big, into=keras.Model(inputs, layers.Dense(2)(inputs), name="other"))
    found, report = collapse(big, into=task, verify=True)
    assert found is task and report.verified.gap < 1e-6 and found.backbone is backbone
    assert np.abs(wanted - before).max() > 1e-3
    np.testing.assert_allclose(np.asarray(task(x)), wanted, atol=1e-5)
    assert task.generate({k: v[:1] for k, v in x.items()}, stop_token_ids=None) is not None


class Block(layers.Layer):
    """A layer around a Dense that does not say all that makes it."""

    def __init__(self, units, activation):
        super().__init__(name="block")
        self.inner = layers.Dense(units, activation)

    def call(self, x):
        return self.inner(x)


class Silent(Block):
    def get_config(self):
        raise NotImplementedError("no configuration")


class Wrong(Block):
    def get_config(self):
        return {"name": self.name, "size": 3}


@pytest.mark.parametrize("kind", [Silent, Wrong])
@pytest.mark.parametrize("include", [None, "head"])
def test_layers_that_their_configuration_does_not_make_again_are_made_of_their_arguments(
    kind, include
):
    inputs = keras.Input((5,))
    x = kind(4, "relu")(inputs)
    given = keras.Model(inputs, layers.Dense(2, name="head")(x))
    bigger = expand(given, 2, include=include)
    assert bigger.count_params() > given.count_params()
    x = np.random.default_rng(0).normal(size=(7, 5)).astype("float32")
    np.testing.assert_allclose(bigger(x), given(x), atol=1e-6)
