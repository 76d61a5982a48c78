"""Weights that are updated side by side, against a Keras optimizer that updates each on its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets.adanet.rounds.packed import Pack, PackedWeights

RNG = np.random.default_rng(0)
STEPS = 4
ELEMENTWISE = [
    keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    keras.optimizers.Adam(0.01, amsgrad=True, clipvalue=0.5),
    keras.optimizers.AdamW(0.01, weight_decay=0.1, global_clipnorm=1.0),
    keras.optimizers.Adadelta(0.5),
    keras.optimizers.Adagrad(0.1),
    keras.optimizers.Adamax(0.01, weight_decay=0.1),
    keras.optimizers.Nadam(0.01),
    keras.optimizers.Ftrl(0.1, l1_regularization_strength=0.01),
    keras.optimizers.Lion(0.01, weight_decay=0.1),
    keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
]
OF_TENSORS = [
    keras.optimizers.Adam(0.01, clipnorm=0.5),
    keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=2),
    keras.optimizers.Adafactor(0.01),
    keras.optimizers.Lamb(0.01),
    keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01), initial_scale=8.0),
]


def network():
    constraint = keras.constraints.MaxNorm(0.5)
    net = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, name="first"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(5, kernel_constraint=constraint, name="second"),
        ]
    )
    values = np.random.default_rng(1)
    net.set_weights([values.normal(size=w.shape) for w in net.get_weights()])
    return net


def copy_of(optimizer, **excluded):
    made = type(optimizer).from_config(optimizer.get_config())
    made.exclude_from_weight_decay(**excluded)
    return made


def gradients(net, missing):
    return [
        [None if v.path.endswith(missing) else tf.constant(rows.normal(size=v.shape), "float32")
         for v in net.trainable_variables]
        for rows in [np.random.default_rng(step) for step in range(STEPS)]
    ]  # fmt: skip


def updated(optimizer, missing=(), **excluded):
    """A network after some steps, packed and by Keras alone, with the packed weights."""
    packed_net, plain = network(), network()
    packed = PackedWeights(packed_net, copy_of(optimizer, **excluded))
    alone = copy_of(optimizer, **excluded)
    alone.build(plain.trainable_variables)
    packed.begin()
    for each in gradients(plain, missing):
        packed.apply(each)
        alone.apply(each, plain.trainable_variables)
    for one, other, first in zip(
        packed_net.get_weights(), plain.get_weights(), network().get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        assert np.isfinite(one).all() and one.shape == first.shape
    return packed


def kind(optimizer):
    return f"{type(optimizer).__name__}{ELEMENTWISE.index(optimizer)}"


@pytest.mark.parametrize("optimizer", ELEMENTWISE, ids=kind)
def test_weights_side_by_side_get_the_updates_that_keras_gives_each(optimizer):
    packed = updated(optimizer)
    # All but the kernel with a constraint.
    assert sorted(len(pack.variables) for pack in packed.trained) == [1, 5]
    assert len(packed.fixed) == 1


@pytest.mark.parametrize("optimizer", OF_TENSORS, ids=lambda o: type(o).__name__)
def test_optimizers_that_look_at_whole_tensors_update_each_weight_alone(optimizer):
    packed = updated(optimizer)
    assert [len(pack.variables) for pack in packed.trained] == [1] * 6


def test_what_is_excluded_from_weight_decay_does_not_decay():
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    packed = updated(optimizer, var_names=["bias", "gamma", "beta"])
    assert sorted(len(pack.variables) for pack in packed.trained) == [1, 1, 4]


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_what_the_loss_does_not_read_stays_as_it_is():
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    packed = updated(optimizer, missing=("first/kernel", "norm/beta"))
    np.testing.assert_array_equal(packed.model.get_weights()[0], network().get_weights()[0])
    found = [tensor.numpy() for tensor in packed.unpack(packed.values())]
    for one, variable in zip(found, packed.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, variable.numpy())


def test_weights_that_are_looked_up_are_updated_alone():
    net = keras.Sequential([keras.Input((2,)), keras.layers.Embedding(4, 3), keras.layers.Dense(2)])
    packed = PackedWeights(net, keras.optimizers.Adam(0.01))
    assert [[v.name for v in pack.variables] for pack in packed.trained] == [
        ["embeddings"], ["kernel", "bias"],
    ]  # fmt: skip


def test_begin_reads_what_was_assigned_since():
    packed = PackedWeights(network(), keras.optimizers.SGD(0.0))
    packed.model.set_weights([w + 1 for w in packed.model.get_weights()])
    packed.begin()
    found = packed.unpack(packed.values())
    for one, variable in zip(found, packed.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), variable.numpy())


def test_a_pack_splits_what_it_has_joined():
    variables = [keras.Variable(RNG.normal(size=shape)) for shape in [(2, 3), (4,), (), (1, 0, 2)]]
    pack = Pack(variables)
    joined = pack.read()
    assert joined.shape == (11,)
    for part, variable in zip(pack.split(joined), variables, strict=True):
        np.testing.assert_array_equal(part.numpy(), variable.numpy())
    pack.write(2.0 * joined)
    np.testing.assert_array_equal(pack.read().numpy(), 2.0 * joined.numpy())
