"""Learning: likelihoods rise, units come and go, and a model lives on after it is saved."""

import itertools
import json

import keras
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.neural_network import BernoulliRBM

import adaptive_nets as an
from adaptive_nets.energy.learning.widening import give_up_zeros, make_room

pytestmark = pytest.mark.backend_agnostic


def bars_and_stripes(size):
    """All images of full rows or full columns, each once."""
    lines = np.array(list(itertools.product((0.0, 1.0), repeat=size)), "float32")
    rows = np.repeat(lines[:, :, None], size, axis=2)
    both = np.concatenate([rows, rows.transpose(0, 2, 1)]).reshape(-1, size * size)
    return np.unique(both, axis=0)


BARS = bars_and_stripes(2)
DIGITS = (load_digits().data / 16).astype("float32")
MODELS = {
    "plain": lambda **s: an.energy.RBM(8, gibbs_steps=5, seed=0, **s),
    "ordered": lambda **s: an.energy.OrderedRBM(12, gibbs_steps=5, seed=0, **s),
    "infinite": lambda **s: an.energy.InfiniteRBM(1.1, capacity=16, gibbs_steps=5, seed=0, **s),
    "regrouped": lambda **s: an.energy.InfiniteRBM(
        1.1, regroup=True, max_units=16, capacity=16, gibbs_steps=5, seed=0, **s
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_likelihood_comes_near_the_datas_entropy(name):
    """Six patterns: the best mean log-likelihood is -ln 6; of independent pixels -4 ln 2."""
    settings = {"max_units": 16} if name == "infinite" else {}
    model = MODELS[name](chains=256, **settings)
    rate = keras.optimizers.schedules.CosineDecay(0.05, 1500)
    model.compile(keras.optimizers.Adam(rate), jit_compile=name in ("plain", "regrouped"))
    x = np.random.default_rng(0).permutation(np.tile(BARS, (500, 1)))
    model.fit(x, batch_size=100, epochs=50, verbose=0)
    partition = likelihood_of(model)
    mean = float(np.mean(-keras.ops.convert_to_numpy(model.free_energy(BARS)) - partition))
    # The first of ordered units settle first, and slowly.
    slack = 0.7 if name == "ordered" else 0.45
    assert -np.log(6) - slack < mean <= -np.log(6) + 1e-4
    drawn = model.sample(500, 100, seed=0)
    known = {tuple(row) for row in BARS}
    assert np.mean([tuple(row) in known for row in drawn]) > 0.6


def likelihood_of(model):
    """Of all 16 states of four pixels."""
    states = np.array(list(itertools.product((0.0, 1.0), repeat=4)), "float32")
    energies = -keras.ops.convert_to_numpy(model.free_energy(states)).astype("float64")
    partition = np.logaddexp.reduce(energies)
    assert model.log_likelihood(BARS).log_partition == pytest.approx(partition, abs=1e-4)
    return partition


def test_it_learns_digits_as_well_as_scikit_learns_machine():
    """PCD-1, the same rate, batches and epochs: the pseudo-likelihood of held-out rows."""
    train, test = DIGITS[:1200], DIGITS[1200:]
    theirs = BernoulliRBM(64, learning_rate=0.05, batch_size=50, n_iter=15, random_state=0)
    theirs.fit(train)
    ours = an.energy.RBM(64, chains=50, seed=0)
    ours.compile(keras.optimizers.SGD(0.05))
    ours.fit(train, batch_size=50, epochs=15, verbose=0)
    other = an.energy.RBM(64, seed=0)
    other.build((None, 64))
    other.kernel_variable.assign(theirs.components_.T)
    other.bias_variable.assign(theirs.intercept_hidden_)
    other.visible_variable.assign(theirs.intercept_visible_)
    found = [model.pseudo_likelihood(test).mean() for model in (ours, other)]
    assert found[0] > found[1] - 0.5


def test_units_come_as_data_want_them_and_room_is_made():
    model = an.energy.InfiniteRBM(1.1, capacity=4, gibbs_steps=2, seed=0)
    history = model.fit(DIGITS[:512], epochs=4, verbose=0).history
    units = history["units"]
    assert units[0] > 1 and units == sorted(units) and units[-1] == model.n_units
    assert model.n_units < model.capacity or model.capacity % 4 == 0
    assert model.kernel.shape == (model.n_units, 64)
    assert not np.asarray(model.kernel_variable)[:, model.n_units :].any()
    assert len(history["loss"]) == 4 and np.isfinite(history["loss"]).all()
    bounded = an.energy.InfiniteRBM(1.1, capacity=4, max_units=10, gibbs_steps=2, seed=0)
    bounded.fit(DIGITS[:512], epochs=6, verbose=0)
    assert bounded.n_units <= bounded.capacity <= 10


def test_more_room_changes_nothing():
    """Energies, slots and what they belong to stay."""
    model = an.energy.InfiniteRBM(1.1, capacity=8, max_units=32, gibbs_steps=2, seed=0)
    model.fit(DIGITS[:256], epochs=2, verbose=0)
    before = keras.ops.convert_to_numpy(model.free_energy(DIGITS[:9]))
    capacity, steps = model.capacity, int(model.optimizer.iterations)
    slots = [np.asarray(keras.ops.convert_to_numpy(v)) for v in model.optimizer.variables]
    make_room(model, 2 * capacity)
    assert model.capacity == 2 * capacity == model.kernel_variable.shape[1]
    after = keras.ops.convert_to_numpy(model.free_energy(DIGITS[:9]))
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert int(model.optimizer.iterations) == steps
    for old, new in zip(slots, model.optimizer.variables, strict=True):
        value = keras.ops.convert_to_numpy(new)
        np.testing.assert_array_equal(value[tuple(slice(0, size) for size in old.shape)], old)
    model.fit(DIGITS[:256], epochs=1, verbose=0)
    assert int(model.optimizer.iterations) == steps + 4


def test_functions_are_traced_anew_only_for_more_room():
    traces = []

    class Counted(an.energy.InfiniteRBM):
        def contrast(self, v):
            traces.append(self.capacity)
            return super().contrast(v)

    model = Counted(1.05, capacity=4, gibbs_steps=1, seed=0)
    model.fit(DIGITS, batch_size=32, epochs=4, verbose=0)
    assert model.capacity >= 32
    assert set(traces) == {4 << i for i in range(len(set(traces)))}
    # Keras traces a step once or twice.
    assert max(traces.count(size) for size in set(traces)) <= 2


def test_a_threshold_takes_weights_and_units_away():
    free, thresholded = (
        an.energy.InfiniteRBM(1.1, l1=l1, capacity=64, gibbs_steps=2, seed=0) for l1 in (0.0, 0.4)
    )
    for model in (free, thresholded):
        model.fit(DIGITS[:512], epochs=4, verbose=0)
    zeros = [(model.kernel == 0).mean() for model in (free, thresholded)]
    assert zeros[0] < 0.2 < 0.3 < zeros[1]
    assert thresholded.n_units < free.n_units
    units = free.n_units
    kernel = np.array(keras.ops.convert_to_numpy(free.kernel_variable))
    kernel[:, units - 3 : units] = 0
    free.kernel_variable.assign(kernel)
    give_up_zeros(free)
    assert free.n_units == units - 3
    assert not np.asarray(free.bias_variable)[units - 3 :].any()


@pytest.mark.parametrize("name", ["plain", "infinite"])
def test_it_is_saved_loaded_elsewhere_and_fitted_on(name, tmp_path, python):
    model = MODELS[name]()
    model.fit(DIGITS[:256], epochs=2, verbose=0)
    expected = keras.ops.convert_to_numpy(model.free_energy(DIGITS[:5]))
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", DIGITS[:256])
    script = (
        "import json, sys, numpy as np, keras\n"
        "import adaptive_nets.energy\n"
        "model, x = keras.saving.load_model(sys.argv[1]), np.load(sys.argv[2])\n"
        "found = keras.ops.convert_to_numpy(model.free_energy(x[:5])).tolist()\n"
        "units, step = model.n_units, int(model.optimizer.iterations)\n"
        "model.fit(x, epochs=1, verbose=0)\n"
        "print(json.dumps([found, units, step, int(model.optimizer.iterations)]))\n"
    )
    given = [str(tmp_path / file) for file in ("model.keras", "x.npy")]
    done = python.run("-c", script, *given)
    found, units, step, later = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert units == model.n_units and step == 8 and later == 12


def test_the_same_seed_gives_the_same_model():
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        model = MODELS["infinite"]()
        model.fit(DIGITS[:256], epochs=2, verbose=0)
        weights.append(model.kernel)
    np.testing.assert_array_equal(*weights)


def test_held_out_rows_and_weights_of_rows():
    model = an.energy.RBM(8, method="cd", seed=0)
    weight = np.r_[np.ones(128), np.zeros(128)].astype("float32")
    history = model.fit(
        DIGITS[:256], epochs=2, verbose=0, sample_weight=weight, validation_data=(DIGITS[256:300],)
    ).history
    assert np.isfinite(history["val_loss"]).all()


@pytest.mark.parametrize(
    ("x", "settings", "words"),
    [
        (np.full((9, 3), 2.0), {}, r"values in \[0, 1\]. Received: values from 2 to 2"),
        (np.r_[[[np.nan, 0.0]], np.ones((3, 2))], {}, "finite numbers. Received: NaN"),
        (np.ones((1, 4)), {}, "at least two rows"),
        (np.ones((4, 2, 2)), {}, "two axes"),
        (np.ones((9, 3)), {}, "only constant columns"),
        (np.array([["a"], ["b"]]), {}, "Received: dtype"),
        (DIGITS[:9], {"batch_size": 10}, "batch_size must not exceed the number of rows, 9"),
        (DIGITS[:9], {"y": np.ones(9)}, "learns without labels"),
    ],
)
def test_wrong_data_are_refused(x, settings, words):
    with pytest.raises(ValueError, match=words):
        an.energy.InfiniteRBM(seed=0).fit(x, verbose=0, **settings)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: an.energy.RBM(-3), "units must be an integer >= 1"),
        (lambda: an.energy.RBM(3, gibbs_steps=0), "gibbs_steps must be an integer >= 1"),
        (lambda: an.energy.RBM(3, chains=2.5), "chains must be an integer >= 1"),
        (
            lambda: an.energy.RBM(3, visible="ternary"),
            "visible must be one of 'binary', 'gaussian'",
        ),
        (lambda: an.energy.RBM(3, method="sgd"), "method must be one of 'pcd', 'cd', 'pl'"),
        (lambda: an.energy.InfiniteRBM(1.1, max_units=0), "max_units must be an integer >= 1"),
        (lambda: an.energy.InfiniteRBM(1.1, l1=-1), "l1 must be a finite number >= 0"),
    ],
)
def test_wrong_options_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_constant_column_is_warned_of():
    with pytest.warns(UserWarning, match="1 of 3 columns are constant"):
        x = np.random.default_rng(0).random((20, 3))
        x[:, 1] = 0.5
        an.energy.RBM(2, seed=0).fit(x, verbose=0)


def test_sparse_rows_are_made_dense_batch_by_batch():
    """They give what dense ones do."""
    x = (DIGITS[:256] > 0.9).astype("float32")
    kernels = []
    for rows in (x, sparse.csr_matrix(x)):
        model = an.energy.RBM(8, seed=0)
        model.fit(rows, epochs=2, verbose=0, shuffle=False)
        kernels.append(model.kernel)
    np.testing.assert_allclose(*kernels, atol=1e-6)
    with pytest.raises(
        ValueError, match=r"values from 0 to 2\. Scale them, for example with x\.sign"
    ):
        an.energy.RBM(8, seed=0).fit(sparse.csr_matrix(2 * x), verbose=0)
    with pytest.raises(ValueError, match="that are not all zero"):
        an.energy.RBM(8, seed=0).fit(sparse.csr_matrix(0 * x), verbose=0)


def test_divergence_is_noticed_and_the_last_good_weights_stay():
    model = an.energy.RBM(16, seed=0)
    model.compile(keras.optimizers.SGD(0.01))
    model.fit(DIGITS[:256], epochs=2, verbose=0)
    good = model.kernel
    model.optimizer.learning_rate = 1e6
    with pytest.warns(UserWarning, match=r"diverged at step \d+: .*Lower the learning rate"):
        history = model.fit(DIGITS[:256], epochs=5, verbose=0).history
    assert len(history["loss"]) == 1
    np.testing.assert_array_equal(model.kernel, good)


def test_pseudo_likelihood_is_learned_without_samples():
    rng = np.random.default_rng(0)
    z = rng.random((300, 1)).astype("float32")
    x = np.concatenate([z, z, rng.random((300, 3)).astype("float32")], axis=1)
    model = an.energy.InfiniteRBM(1.1, method="pl", capacity=8, seed=0)
    model.adapt(x)
    chains, before = np.array(model.chain_variable), model.pseudo_likelihood(x).mean()
    model.compile(keras.optimizers.Adam(0.03))
    model.fit(x, epochs=24, verbose=0)
    after = model.pseudo_likelihood(x).mean()
    # The first two features are equal: each says all of the other. Any order gains .39 or more.
    assert after > before + 0.3
    np.testing.assert_array_equal(np.array(model.chain_variable), chains)
    values = model.contrast(keras.ops.convert_to_tensor(x))
    np.testing.assert_allclose(np.mean(values), -after, rtol=1e-4)
    np.testing.assert_allclose(model.evaluate(x, batch_size=300, verbose=0), -after, rtol=1e-4)
    with pytest.raises(ValueError, match="method='pl' needs binary visible units"):
        an.energy.RBM(3, "gaussian", method="pl")


def test_of_many_features_some_are_read_and_stand_for_all():
    rng = np.random.default_rng(0)
    model = an.energy.RBM(3, method="pl", seed=0)
    model.build((None, 80))
    model.kernel_variable.assign(rng.normal(size=(80, 3)) / 4)
    x = rng.random((2, 80)).astype("float32")
    drawn = np.mean([np.array(model.contrast(x)) for _ in range(200)], axis=0)
    np.testing.assert_allclose(drawn, -model.pseudo_likelihood(x), rtol=0.02)


def test_units_for_real_values_are_bounded_unless_a_bound_is_given():
    x = np.random.default_rng(0).random((50, 40)).astype("float32")
    cases = [(x, "binary", 80), (x[:, :3], "binary", 64), (x, "gaussian", 80)]
    for given, kind, expected in (*cases, (x.round(), "binary", None)):
        model = an.energy.InfiniteRBM(visible=kind, seed=0)
        model.adapt(given)
        assert model.max_units == expected == model.get_config()["max_units"]
    model = an.energy.InfiniteRBM(max_units=100, seed=0)
    model.adapt(x)
    assert model.max_units == 100
