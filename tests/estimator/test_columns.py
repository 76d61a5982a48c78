"""Columns of one number a row, which `dict(frame)` and CSV readers give, at every door."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import tensorflow as tf

from adaptive_nets import estimator as est
from adaptive_nets import generators, heads

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({
    "age": RNG.normal(size=60).astype("float32"), "hours": RNG.integers(0, 50, 60),
})  # fmt: skip
Y = (FRAME["age"] > 0).to_numpy().astype(int)


def input_fn(frame=FRAME, labels=True):
    def given():
        columns = dict(frame)
        return tf.data.Dataset.from_tensor_slices((columns, Y) if labels else columns).batch(20)

    return given


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    ensemble = est.Estimator(
        heads.BinaryClass(), generators.Dense(2, [1]), max_iteration_steps=6, max_iterations=1,
        config=est.RunConfig(str(tmp_path_factory.mktemp("ensemble")), tf_random_seed=0),
    )  # fmt: skip
    return ensemble.train(input_fn(), max_steps=3)


def test_evaluation_and_prediction_read_them_by_name(trained):
    found = trained.evaluate(input_fn())
    backwards = FRAME.assign(more=1.0)[["more", "hours", "age"]]
    with pytest.warns(UserWarning, match="ignored: more"):
        assert trained.evaluate(input_fn(backwards)) == found
    rows = list(trained.predict(input_fn(labels=False), "logits"))
    with pytest.warns(UserWarning, match="ignored: more"):
        others = list(trained.predict(input_fn(backwards, labels=False), "logits"))
    assert len(rows) == 60 and rows == others


@pytest.mark.parametrize("frame", [FRAME[["age"]], FRAME.rename(columns={"hours": "hrs"})])
def test_a_missing_column_is_refused(trained, frame):
    for door in (trained.evaluate, lambda f: list(trained.predict(f))):
        with pytest.raises(ValueError, match="input_fn must return the features.*'hours'"):
            door(input_fn(frame))


def test_receivers_take_them(trained, tmp_path):
    raw = est.export.build_raw_serving_input_receiver_fn(
        {"age": tf.zeros([1]), "hours": tf.zeros([1], tf.int64)}
    )
    parsing = est.export.build_parsing_serving_input_receiver_fn({
        "age": tf.io.FixedLenFeature([], tf.float32),
        "hours": tf.io.FixedLenFeature([], tf.int64), "more": tf.io.VarLenFeature(tf.string),
    })  # fmt: skip
    logits = np.array([row["logits"] for row in trained.predict(input_fn(labels=False))])
    given = {name: tf.constant(FRAME[name].to_numpy()) for name in FRAME}
    served = tf.saved_model.load(trained.export_saved_model(str(tmp_path / "raw"), raw))
    found = served.signatures["predict"](**given)
    np.testing.assert_allclose(found["logits"], logits, rtol=1e-5, atol=1e-6)
    served = tf.saved_model.load(trained.export_saved_model(str(tmp_path / "parsed"), parsing))
    examples = [
        tf.train.Example(features=tf.train.Features(feature={
            "age": tf.train.Feature(float_list=tf.train.FloatList(value=[age])),
            "hours": tf.train.Feature(int64_list=tf.train.Int64List(value=[hours])),
        })).SerializeToString()
        for age, hours in FRAME.itertuples(index=False)
    ]  # fmt: skip
    found = served.signatures["predict"](examples=tf.constant(examples))
    np.testing.assert_allclose(found["logits"], logits, rtol=1e-5, atol=1e-6)


def tables(frame=FRAME, make=lambda f: f, labels=True):
    y = pd.Series(Y, index=frame.index)
    return lambda: (make(frame), y) if labels else make(frame)


TABLES = {
    "pandas": lambda f: f,
    "polars": lambda f: pl.from_dict(f.to_dict("list")),
    "dict": dict,
    "row dicts": lambda f: f.to_dict("records"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_an_input_fn_keep_their_names(trained, kind):
    found, make = trained.evaluate(input_fn()), TABLES[kind]
    backwards = FRAME[["hours", "age"]]
    assert trained.evaluate(tables(backwards, make)) == found
    rows = list(trained.predict(input_fn(labels=False), "logits"))
    assert list(trained.predict(tables(backwards, make), "logits")) == rows
    assert list(trained.predict(tables(backwards, make, labels=False), "logits")) == rows
    with pytest.raises(ValueError, match=r"\Ainput_fn must return the features.*'hours'[^\n]*\Z"):
        trained.evaluate(tables(FRAME[["age"]], make))
    with pytest.raises(ValueError, match=r"\A'age' must be finite[^\n]*\Z"):
        list(trained.predict(tables(FRAME.assign(age=np.nan), make, labels=False)))


def test_rows_of_an_input_fn_that_are_paired_wrongly_are_refused(trained):
    y = pd.Series(Y, index=FRAME.index[::-1])
    with pytest.raises(ValueError, match="same labels in another order"):
        trained.evaluate(lambda: (FRAME, y))
