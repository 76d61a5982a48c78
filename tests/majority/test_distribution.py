"""One draw for all replicas of a strategy."""

import textwrap

CODE = """
    import tensorflow as tf
    cpus = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    import keras, numpy as np, adaptive_nets as an
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2

    def made():
        keras.utils.set_random_seed(0)
        hidden = [keras.layers.Dense(6, "relu", name="a"), keras.layers.Dense(1)]
        model = an.majority.expand(
            keras.Sequential([keras.Input((4,)), *hidden]), 3, kernel_spread=0.5, seed=0)
        model.compile(keras.optimizers.SGD(0.1, 0.9), "mse")
        return model

    # Kernels of 0 and 1 on an input of 1: the output is the second weight of the draw.
    with strategy.scope():
        layer = an.layers.MajorityDense(1, use_bias=False, factor=2, mixing_seed=3)
        layer.build((None, 1))
        layer.kernels["kernel"].assign([[[0.0]], [[1.0]]])

    @tf.function
    def step():
        return layer(tf.ones((1, 1)), training=True)

    drawn = []
    for _ in range(4):
        one, other = (float(y[0, 0]) for y in strategy.run(step).values)
        assert one == other and 0 < one < 1, (one, other)
        drawn.append(one)
    assert len(set(drawn)) == 4, drawn

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x.sum(1, keepdims=True)
    alone = made()
    with strategy.scope():
        shared = made()
    for model in (alone, shared):
        model.fit(x, y, 16, 5, shuffle=False, verbose=0)
    for a, b in zip(alone.get_weights(), shared.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    moved = alone.layers[0].kernels["kernel"] - made().layers[0].kernels["kernel"]
    assert np.abs(moved).max() > 0.01

    end = an.callbacks.CollapseOnEnd(sample=x)
    shared.fit(x, y, 16, 1, shuffle=False, verbose=0, callbacks=[end])
    assert end.report.gap <= 1e-6 and type(shared.layers[0]) is keras.layers.Dense
    history = shared.fit(x, y, 16, 5, verbose=0).history["loss"]
    assert history[-1] < history[0]
"""


def test_replicas_share_a_draw_and_train_as_one_device_does(python):
    python.run("-c", textwrap.dedent(CODE))
