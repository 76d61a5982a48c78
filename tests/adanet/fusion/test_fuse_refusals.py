"""What `fuse_ensemble` refuses, and what it says then."""

import keras
import pytest
from keras import layers

import adaptive_nets as an
from adaptive_nets.adanet import UniformEnsembler
from adaptive_nets.adanet.fusion.fuse_ensemble import fuse_ensemble

UNITS = 3


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"activation": "tanh"}, "ends in the activation 'tanh'"),
        ({"activation": "sigmoid"}, "ends in the activation 'sigmoid'"),
        ({"activation": "softmax"}, "ends in the activation 'softmax'"),
        ({"norm": "layer"}, "is made of Dense, LayerNormalization, Activation"),
    ],
)
def test_layers_that_cannot_pass_on_are_refused_with_what_to_do(fz, settings, reason):
    with pytest.raises(ValueError, match="subnetwork '1_1_layer_dense' has 1 hidden") as caught:
        fuse_ensemble(*fz.ensemble_of(fz.dense([1, 2], **settings), fz.TABLE))
    message = str(caught.value)
    assert f"'2_2_layer_dense' has 2, and hidden layer 2 of the latter {reason}" in message
    assert "depths=[2]" in message and "search.model" in message


def test_pool_models_of_different_topology_are_refused(fz):
    def nested():
        inside = keras.Sequential([layers.Dense(5, "tanh"), layers.BatchNormalization()])
        return keras.Sequential([inside, layers.Dropout(0.1), layers.Dense(UNITS)])

    def wide():
        return keras.Sequential([layers.Dense(5, "relu"), layers.Dense(4), layers.Dense(UNITS)])

    with pytest.raises(
        ValueError,
        match=r"subnetworks '1_m' and '2_m' differ in topology.* Received: Dense, "
        r"BatchNormalization, Dropout, Dense; and Dense, Dense, Dense\. .*search\.model",
    ):
        fuse_ensemble(*fz.ensemble_of([*fz.pooled(nested, 1), *fz.pooled(wide, 1)], fz.TABLE))


def test_layers_that_growth_does_not_know_are_kept_once_a_member(fz):
    @keras.saving.register_keras_serializable("test_fuse")
    class Twice(keras.Layer):
        def call(self, x):
            return 2 * x

    def model():
        return keras.Sequential([layers.Dense(4), Twice(), layers.Dense(UNITS)])

    fz.assert_equal(*fz.ensemble_of(fz.pooled(model), fz.TABLE), fz.TABLE)
    fz.assert_equal(*fz.ensemble_of(fz.pooled(model, 1), fz.TABLE), fz.TABLE)


class Reader(an.adanet.Builder):
    """Reads the first layer of the first member in its own way."""

    name = "reader"

    def __init__(self, how):
        self.how = how

    def build(self, inputs, units, previous=None):
        first = layers.Dense(4, "relu")(inputs)
        second = last = layers.Dense(4, "relu")(first)
        if previous is not None:
            last = self.how(second, previous.hidden[0])
        return an.adanet.Subnetwork(layers.Dense(units)(last), last, [first, second], 2)


def test_the_logits_may_read_what_they_like_of_the_layer_below(fz):
    class Ahead(Reader):
        def build(self, inputs, units, previous=None):
            first = layers.Dense(4, "relu")(inputs)
            parts = [first] if previous is None else [previous.hidden[0][0], first]
            joined = layers.Concatenate()(parts) if previous is not None else first
            return an.adanet.Subnetwork(layers.Dense(units)(joined), None, [first], 1)

    fz.assert_equal(*fz.ensemble_of([Ahead(None), Ahead(None)], fz.TABLE), fz.TABLE)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda x, frozen: layers.Add()([x, frozen[1]]), r"its layer 'add.*' \(Add\), which reads"),
        (
            lambda x, frozen: layers.Concatenate()([x, layers.Dense(2)(frozen[1])]),
            r"its layer 'dense.*' \(Dense\), which reads '1_reader\.hidden_2'",
        ),
    ],
)
def test_what_is_read_outside_of_a_joint_kernel_is_refused(fz, how, reason):
    with pytest.raises(ValueError, match=f"subnetwork '2_reader' reads hidden.* {reason}"):
        fuse_ensemble(*fz.ensemble_of([Reader(how), Reader(how)], fz.TABLE))


def test_a_layer_that_is_read_at_another_height_is_refused(fz):
    class Low(Reader):
        def build(self, inputs, units, previous=None):
            first = layers.Dense(4, "relu")(inputs)
            read = first
            if previous is not None:
                read = layers.Concatenate()([first, previous.hidden[0][1]])
            second = layers.Dense(4, "relu")(read)
            return an.adanet.Subnetwork(layers.Dense(units)(second), second, [first, second], 2)

    with pytest.raises(ValueError, match="'2_reader' reads hidden layer 2 of '1_reader', but"):
        fuse_ensemble(*fz.ensemble_of([Low(None), Low(None)], fz.TABLE))


def test_an_ensembler_of_ones_own_is_refused(fz):
    class Own(UniformEnsembler):
        pass

    ensemble, _, spec = fz.ensemble_of(fz.dense([1]), fz.TABLE)
    with pytest.raises(
        ValueError, match=r"the formula of its mixture is unknown.* Received: .*Own\. Use"
    ):
        fuse_ensemble(ensemble, Own(), spec)
