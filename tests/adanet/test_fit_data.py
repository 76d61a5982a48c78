"""What `fit` is given, from arguments to rows and feeds."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets import heads
from adaptive_nets.adanet import fit_data
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.data.batches import Batches
from adaptive_nets.data.datasets import ReadLimits
from adaptive_nets.data.feeds import StreamFeed, chunk_steps, finite_feed
from adaptive_nets.data.preprocessing import Preprocessor
from adaptive_nets.data.rows import make_rows

RNG = np.random.default_rng(0)
X = np.arange(40.0).reshape(20, 2)
NAMES = np.array(["ant", "bee", "cat"])[RNG.integers(0, 3, 20)]


def refused(message):
    return pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z")


def read(x=X, y=NAMES, head=None, **given):
    own = {"evaluator": given.pop("evaluator", None), "seed": given.pop("seed", 0)}
    arguments = fit_data.FitArguments(x, y, **{"batch_size": 8, **given})
    return fit_data.read_fit_data(head or heads.MultiClass(), arguments, **own)


def dataset(*parts, batch=6):
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch)


def test_arrays_become_rows_and_the_head_learns_the_labels():
    head = heads.MultiClass()
    found = read(head=head)
    assert head.units == 3 and found.batch_size == 8
    np.testing.assert_array_equal(found.train.x, X.astype("float32"))
    assert np.array_equal(NAMES, np.array(["ant", "bee", "cat"])[found.train.y])
    assert found.valid is None and found.judged is None and found.stream is None
    assert read(batch_size=500).batch_size == 20


def test_a_dataset_brings_its_batch_size_and_weights():
    w = np.arange(1.0, 21)
    found = read(dataset(X, NAMES, w), None)
    assert found.batch_size == 6
    np.testing.assert_allclose(found.train.w, w / w.mean(), rtol=1e-6)
    static = dataset(X, NAMES).unbatch().batch(5, drop_remainder=True)
    assert read(static, None).batch_size == 5
    # Weights given beside the dataset stand before its own.
    np.testing.assert_allclose(
        read(dataset(X, NAMES, w), None, sample_weight=w[::-1]).train.w, w[::-1] / w.mean(), 1e-6
    )


@pytest.mark.parametrize("make", [heads.MultiClass, heads.BinaryClass])
def test_class_weights_go_by_the_classes_own_names(make):
    names = NAMES if make is heads.MultiClass else np.where(NAMES == "ant", "ant", "bee")
    found = read(y=names, head=make(), class_weight={"bee": 3.0})
    expected = np.where(names == "bee", 3.0, 1.0)
    np.testing.assert_allclose(found.train.w, expected / expected.mean(), rtol=1e-6)


def test_class_weights_in_other_forms_and_unknown_classes():
    counts = np.array([(name == NAMES).sum() for name in ("ant", "bee", "cat")])
    code = np.searchsorted(["ant", "bee", "cat"], NAMES)
    for given, each in (("balanced", 1 / counts), ([1, 2, 4.0], np.array([1, 2, 4.0]))):
        expected = each[code]
        found = read(class_weight=given).train.w
        np.testing.assert_allclose(found, expected / expected.mean(), rtol=1e-6)
    with refused("class_weight names an unknown class 'dog'"):
        read(class_weight={"dog": 2.0})


def test_weights_of_rows_and_classes_are_multiplied_and_balance_takes_both():
    rows = np.arange(1.0, 21)
    found = read(class_weight="balanced", sample_weight=rows).train.w
    totals = [found[name == NAMES].sum() for name in ("ant", "bee", "cat")]
    np.testing.assert_allclose(totals, totals[0], rtol=1e-5)
    first = NAMES == "ant"
    np.testing.assert_allclose(found[first] / found[first][0], rows[first] / rows[first][0], 1e-5)


def test_an_endless_dataset_takes_class_weights_by_name_but_counts_none():
    endless = dataset(X, NAMES).repeat()
    assert read(endless, None, class_weight={"bee": 3.0}).class_weight == {1: 3.0}
    with refused("class_weight='balanced' requires finite data"):
        read(endless, None, class_weight="balanced")


def test_weights_by_head_have_mean_1_on_both_sides_of_a_split():
    y, known = {"a": NAMES, "b": X[:, 0]}, np.arange(20.0)
    head = heads.Multi({"a": heads.MultiClass(), "b": heads.Regression()})
    given = {"sample_weight": {"b": known}, "class_weight": {"a": "balanced"}}
    found = read(X, y, head, validation_split=0.3, **given)
    for side in (found.train, found.valid):
        np.testing.assert_allclose(side.y[:, -2:].mean(axis=0), 1.0, rtol=1e-5)
        rows = side.x[:, 0] / 2
        np.testing.assert_allclose(side.y[:, -1], rows / rows.mean(), rtol=1e-5)
        assert side.w is None


# Validation -----------------------------------------------------------------------------------


def test_a_validation_split_is_seeded_disjoint_and_covers_all_rows():
    found, again, other = (read(validation_split=0.3, seed=s) for s in (1, 1, 2))
    assert (len(found.train), len(found.valid)) == (14, 6)
    ids = np.concatenate([found.train.x, found.valid.x])
    np.testing.assert_array_equal(ids[np.argsort(ids[:, 0])], X)
    for side in (found.train, found.valid):
        rows = (side.x[:, 0] / 2).astype(int)
        assert np.array_equal(np.array(["ant", "bee", "cat"])[side.y], NAMES[rows])
    assert np.array_equal(found.valid.x, again.valid.x)
    assert not np.array_equal(found.valid.x, other.valid.x)


def test_validation_data_in_all_its_forms():
    w = np.arange(1.0, 6)
    for given in (
        (X[:5], NAMES[:5]),
        [X[:5], NAMES[:5]],
        dataset(X[:5], NAMES[:5], batch=2),
    ):
        valid = read(validation_data=given).valid
        np.testing.assert_array_equal(valid.x, X[:5])
        assert valid.w is None
    for given in ((X[:5], NAMES[:5], w), dataset(X[:5], NAMES[:5], w, batch=2)):
        np.testing.assert_allclose(read(validation_data=given).valid.w, w / 3, rtol=1e-6)
    # Named validation data stands before a split.
    both = read(validation_data=(X[:5], NAMES[:5]), validation_split=0.5)
    assert len(both.train) == 20 and len(both.valid) == 5


def test_an_evaluator_judges_on_its_own_data_or_the_validation_data():
    own = Evaluator(X[:4], NAMES[:4], sample_weight=[1, 2, 3, 4], metric="accuracy")
    found = read(evaluator=own)
    np.testing.assert_array_equal(found.judged.x, X[:4])
    np.testing.assert_allclose(found.judged.w, np.array([1, 2, 3, 4]) / 2.5, rtol=1e-6)
    assert found.valid is None
    found = read(evaluator=Evaluator(dataset(X[:4], NAMES[:4])))
    assert len(found.judged) == 4
    found = read(evaluator=Evaluator(), validation_split=0.5)
    assert found.judged is None and len(found.valid) == 10


@pytest.mark.parametrize(
    "given, message",
    [
        ({"y": None}, "Labels are missing"),
        ({"x": X[:0], "y": NAMES[:0]}, "The data is empty"),
        ({"x": X[:4]}, "same number of rows.*4 rows, labels with 20"),
        ({"x": dataset(X, NAMES)}, "y must not be passed with a dataset"),
        ({"x": dataset(X, NAMES).unbatch(), "y": None}, "The dataset must be batched"),
        ({"x": dataset(X, NAMES).take(0), "y": None}, "The data is empty"),
        (
            {"x": dataset(X, NAMES).repeat(), "y": None, "validation_split": 0.1},
            "validation_split requires finite data. Pass validation_data",
        ),
        ({"validation_split": 1.5}, "validation_split must be .* < 1"),
        ({"validation_data": X}, r"validation_data must be \(x, y\).*Received: ndarray"),
        ({"validation_data": (X,)}, "validation_data must be"),
        ({"validation_data": (X[:3], NAMES[:4])}, "same number of rows"),
        ({"validation_data": (X[:2], ["ant", "dog"])}, "dog"),
        (
            {"validation_data": dataset(X, NAMES).repeat()},
            r"validation_data: the dataset must be finite. Add .take\(n\)",
        ),
        (
            {"validation_data": (X[:, :1], NAMES)},
            r"Validation data must have the same features as the training data: float32\[2\]. "
            r"Received: float32\[1\]",
        ),
        (
            {"evaluator": Evaluator({"a": X}, NAMES)},
            r"Evaluator data must have.*float32\[2\]. Received: \{a: float32\[2\]\}",
        ),
        ({"evaluator": Evaluator()}, "The Evaluator has no data"),
        ({"evaluator": Evaluator(metric="f7")}, "Unknown metric for head.*metric='f7'"),
    ],
)
def test_bad_arguments_are_refused(given, message):
    with refused(message):
        read(**given)


# Streams --------------------------------------------------------------------------------------


def test_an_endless_dataset_gives_a_sample_and_a_stream(monkeypatch):
    monkeypatch.setattr(fit_data, "SAMPLE_ROWS", 15)
    endless = dataset(X, NAMES, batch=4).repeat()
    found = read(endless, None)
    assert found.stream is endless and found.batch_size == 4
    np.testing.assert_array_equal(found.train.x, X[:16])


def test_a_stream_feed_goes_through_the_data_in_order():
    head = heads.MultiClass().adapt(NAMES)
    made = dataset(X, NAMES, np.arange(1.0, 21), batch=4).repeat()
    rescaling = keras.Model(i := keras.Input((2,)), keras.layers.Rescaling(10.0)(i))
    feed = StreamFeed(made, head, 4, 3, Preprocessor(rescaling), class_weight={0: 5.0})
    feed.frozen = lambda x: {"base": 2 * x[:, :1]}
    for step in range(4):
        (source,), (indices,) = feed.get(3 * step)
        rows = np.arange(12 * step, 12 * step + 12) % 20
        np.testing.assert_array_equal(indices, np.arange(12).reshape(3, 4))
        np.testing.assert_allclose(source["x"], 10 * X[rows])
        np.testing.assert_allclose(source["base"], 20 * X[rows][:, :1])
        assert np.array_equal(source["y"], head.encode(NAMES[rows]))
        w = (rows + 1.0) * np.where(NAMES[rows] == "ant", 5.0, 1.0)
        np.testing.assert_allclose(source["w"], w / w.mean(), rtol=1e-6)
    assert feed.used == 4
    later = StreamFeed(made, head, 4, 3, Preprocessor(rescaling), skip=2)
    np.testing.assert_allclose(later.rows().x, 10 * X[np.arange(24, 36) % 20])
    assert later.used == 3


def test_class_weights_reach_a_stream():
    found = read(dataset(X, NAMES).repeat(), None, class_weight={"cat": 2.0})
    assert found.class_weight == {2: 2.0}


def test_a_stream_is_checked_as_it_comes():
    bad = X.copy()
    bad[18] = np.nan
    head = heads.MultiClass().adapt(NAMES)
    feed = StreamFeed(dataset(bad, NAMES, batch=5).repeat(), head, 5, 2, Preprocessor())
    feed.get(0)
    with refused("must be finite.*row 8"):
        feed.get(2)


# Feeds ----------------------------------------------------------------------------------------


def test_a_chunk_of_steps_is_bounded_by_bytes_and_steps():
    rows = make_rows(np.zeros((10, 1000), "float32"), np.zeros(10, int), heads.MultiClass(2))
    assert chunk_steps(rows, 10, 1000) == 256
    assert chunk_steps(rows, 10, 7) == 7
    row = 4 * 1000 + 4
    assert chunk_steps(rows, 1000, 1000) == (64 << 20) // (row * 1000)
    assert chunk_steps(rows, 10**6, 1000) == 1


def test_a_finite_feed_follows_the_seed():
    rows = make_rows(X, np.zeros(20, int), heads.MultiClass(2))
    feed = finite_feed(rows, 4, 6, None, 9)
    (source,), (indices,) = feed.get(0)
    assert feed.chunk == 6 and set(source) == {"x", "y"}
    np.testing.assert_array_equal(indices, Batches(20, 4, 9).indices(0, 6))


def test_datasets_are_read_within_their_limits(caplog):
    def slow():
        for k in range(20):
            time.sleep(0.03)
            yield X[k : k + 1], NAMES[k : k + 1]

    arguments = fit_data.FitArguments(slow(), None, validation_data=slow())
    head = heads.MultiClass(class_names=["ant", "bee", "cat"])
    limits = ReadLimits(batches=15, seconds=0.2)
    found = fit_data.read_fit_data(head, arguments, None, 0, limits=limits)
    assert 1 <= len(found.train) <= 8 and 1 <= len(found.valid) <= 4
    assert "The dataset passed as x was not read to its end" in caplog.text
    assert "The dataset passed as validation_data was not read to its end" in caplog.text
    arguments = fit_data.FitArguments(dataset(X, NAMES, batch=1), None, validation_data=(X, NAMES))
    found = fit_data.read_fit_data(head, arguments, None, 0, limits=ReadLimits(batches=15))
    assert (len(found.train), len(found.valid)) == (15, 20)


@pytest.mark.parametrize("seed", range(4))
def test_validation_rows_have_their_share_of_every_class(seed):
    labels = np.array([0] * 90 + [1] * 8 + [2] * 2)
    x = np.arange(100.0)[:, None]
    found = read(x, labels, validation_split=0.25, seed=seed)
    assert np.bincount(found.valid.y, minlength=3).tolist() in ([22, 2, 1], [23, 1, 1])
    assert np.bincount(found.train.y, minlength=3).min() == 1
