"""Machines on two replicas."""

import textwrap

CODE = """
    import tensorflow as tf
    cpus = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    import keras, numpy as np, adaptive_nets as an
    from sklearn.datasets import load_digits
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    x = (load_digits().data[:640] > 8).astype("float32")

    # Chains draw alike, so they are one set, and steps are those of one device.
    def made():
        model = an.energy.RBM(12, gibbs_steps=2, kernel_regularizer="l2", seed=0)
        model.adapt(x)
        model.compile(keras.optimizers.Adagrad(0.03))
        return model

    alone = made()
    with strategy.scope():
        shared = made()
    losses = [
        model.fit(x, batch_size=64, epochs=3, shuffle=False, verbose=0).history["loss"]
        for model in (alone, shared)
    ]
    np.testing.assert_allclose(*losses, atol=1e-4)
    for name in ("kernel", "hidden_bias", "visible_bias"):
        one, other = getattr(alone, name), getattr(shared, name)
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert np.abs(alone.kernel - made().kernel).max() > 0.01
    one, other = (keras.ops.convert_to_numpy(m.chain_variable) for m in (alone, shared))
    assert (one == other).mean() > 0.999

    # Units come, room is made, and not compiled it trains too.
    with strategy.scope():
        model = an.energy.InfiniteRBM(1.05, capacity=4, regroup=True, gibbs_steps=2, seed=0)
        model.fit(x, epochs=20, verbose=0)
    assert model.capacity > 4 and 4 < model.n_units <= model.capacity
    counts = {int(each.numpy()) for each in model.count.value.values}
    assert len(counts) == 1, counts
    for each in model.kernel_variable.value.values[1:]:
        np.testing.assert_array_equal(each, model.kernel_variable.value.values[0])
    before = an.energy.InfiniteRBM(1.05, seed=0)
    before.adapt(x)
    gained = model.pseudo_likelihood(x).mean() - before.pseudo_likelihood(x).mean()
    assert gained > 0.2, gained
"""


def test_replicas_train_as_one_device_does_and_units_come(python):
    python.run("-c", textwrap.dedent(CODE))
