"""What a search does once and not again, and what it leaves in memory and on disk."""

import gc
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an


class Counting(keras.layers.Layer):
    """Doubles its input; counts its traces, and the rows that have passed."""

    def __init__(self):
        super().__init__()
        self.traces = 0
        self.seen = self.add_weight(shape=(), dtype="int64", trainable=False, initializer="zeros")

    def call(self, x):
        if not isinstance(x, keras.KerasTensor):
            self.traces += 1
            self.seen.assign_add(tf.shape(x, out_type="int64")[0])
        return 2 * x


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs()


def test_each_row_passes_the_preprocessing_once(lc, data):
    x, y = data
    layer = Counting()
    search = lc.small(preprocessing=layer, max_iterations=3)
    search.fit(x[:200], y[:200], validation_data=(x[200:], y[200:]), verbose=0)
    assert len(search.ensemble.members) == 3
    # Two rows have been tried before, which show the shapes of what it makes.
    assert int(layer.seen) == 2 + len(x)


def test_the_chunks_of_a_stream_pass_one_traced_preprocessing(lc, data):
    def fit(steps):
        layer = Counting()
        stream = tf.data.Dataset.from_tensor_slices(data).batch(30).repeat()
        search = lc.small(preprocessing=layer, max_iterations=1, steps_per_iteration=steps)
        search.fit(stream, verbose=0)
        return layer

    few, many = fit(2), fit(1000)
    assert int(many.seen) > 3 * int(few.seen)
    assert many.traces == few.traces


def graphs():
    """How many TensorFlow graphs are alive."""
    gc.collect()
    return sum(isinstance(each, tf.Graph) for each in gc.get_objects())


@pytest.mark.parametrize("optimizer", ["sgd", "scaled"])
def test_the_graphs_of_a_search_go_with_it(lc, data, optimizer):
    if optimizer == "scaled":
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    generator = an.generators.Dense(4, [1], optimizer=optimizer)
    alive = []
    for _ in range(3):
        lc.small(generator=generator).fit(*data, verbose=0)
        alive.append(graphs())
    assert alive[1] == alive[2]


class Faint(an.adanet.Builder):
    """Its logits depend on its kernel so little that half precision has no number for it."""

    name = "faint"

    def build(self, inputs, units, previous=None):
        hidden = keras.layers.Dense(4, name="kernel")(inputs)
        logits = keras.layers.Dense(units)(hidden * 1e-6)
        return an.adanet.Subnetwork(logits, hidden, depth=1)

    def optimizer(self):
        return keras.optimizers.Adam(0.01)


@keras.saving.register_keras_serializable(package="tests")
class OneBuilder(an.adanet.Generator):
    def generate(self, previous, iteration, reports):
        return [Faint()]

    def get_config(self):
        return {}


def test_in_half_precision_losses_are_scaled(lc, data):
    """Adam takes steps of one size, but of a gradient that is 0 it takes none."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        search = lc.small(generator=OneBuilder(), max_iterations=1, steps_per_iteration=20)
        search.fit(*data, verbose=0)
    finally:
        keras.config.set_dtype_policy(policy)
    (member,) = search.ensemble.members
    layer = member.model.get_layer("kernel")
    # Not one of them has moved where the gradient is below the smallest number of float16.
    assert np.abs(np.asarray(layer.bias)).max() > 1e-3


def test_files_may_be_read_by_whom_the_umask_lets(tmp_path, python):
    code = """
        import os, pathlib, sys
        os.umask(0o027)
        import numpy as np, adaptive_nets as an
        folder = pathlib.Path(sys.argv[1])
        search = an.AdaNet(an.heads.Regression(), an.generators.Dense(2, 1), max_iterations=1,
                           steps_per_iteration=2, model_dir=folder, checkpoint_seconds=0)
        search.fit(np.ones((8, 2)), np.ones(8), verbose=0)
        files = [path for path in folder.rglob("*") if path.suffix in (".json", ".keras", ".npz")]
        assert {path.suffix for path in files} >= {".json", ".keras"}, files
        for path in files:
            assert path.stat().st_mode & 0o777 == 0o640, (path, oct(path.stat().st_mode))
    """
    python.run("-c", textwrap.dedent(code), tmp_path / "search")
