"""A search that encodes a raw table: at fit, predict, in its folder and in what it exports."""

import keras
import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an

ROWS = 400


def make_table(rows=ROWS, seed=0):
    """A table of numbers with holes, strings, a boolean and a date; and labels that need them."""
    draw = np.random.default_rng(seed)
    town = draw.choice(["Oslo", "Bergen", "Tromsø"], rows)
    age = np.where(draw.random(rows) < 0.2, np.nan, draw.normal(40, 10, rows))
    member = draw.random(rows) < 0.5
    days = draw.integers(0, 3000, rows)
    table = pd.DataFrame({
        "age": age, "town": np.where(draw.random(rows) < 0.1, None, town), "member": member,
        "since": (pd.Timestamp("1968-01-01") + pd.to_timedelta(days, "D")).strftime("%d.%m.%Y"),
    })  # fmt: skip
    return table.assign(paid=np.where((town == "Oslo") ^ member, "yes", "no"))


class Flat(an.adanet.Builder):
    """One hidden layer over everything that is encoded."""

    name = "flat"

    def build(self, inputs, units, previous=None):
        parts = [inputs["numbers"], inputs["missing"]]
        codes = keras.layers.Embedding(16, 3)(inputs["categories"])
        parts.append(keras.layers.Flatten()(codes))
        hidden = keras.layers.Dense(16, "relu")(keras.layers.Concatenate()(parts))
        return an.adanet.Subnetwork(keras.layers.Dense(units)(hidden), hidden, depth=1)

    def optimizer(self):
        return keras.optimizers.Adam(0.02)


@keras.saving.register_keras_serializable(package="test_search_on_a_table")
class OneFlat(an.adanet.Generator):
    def generate(self, previous, iteration, reports):
        return [Flat()]


@pytest.fixture(scope="module")
def table():
    return make_table()


@pytest.fixture(scope="module")
def search(table, tmp_path_factory):
    schema = an.data.Schema.infer(table, target="paid")
    encode = an.data.encoding.fit_encoding(schema, table)
    folder = tmp_path_factory.mktemp("search")
    found = an.AdaNet(
        an.heads.BinaryClass(), OneFlat(), 1, 200, preprocessing=encode, model_dir=folder, seed=0
    )
    return found.fit(table, table["paid"], batch_size=64, verbose=0)


def probabilities(search, table):
    return search.predict(table, output="probabilities")[:, 1]


def test_the_search_learns_the_columns_and_reads_through_their_schema(search, table):
    assert search.evaluate(table, table["paid"])["accuracy"] > 0.95
    assert search.schema.names == ["age", "town", "member", "since"]
    assert search.schema.target == "paid"


def test_columns_in_any_order_with_more_holes_and_unseen_values_are_predicted(search, table):
    few = table.iloc[:6].drop(columns="paid")
    expected = probabilities(search, few)
    np.testing.assert_allclose(probabilities(search, few[few.columns[::-1]]), expected, atol=1e-6)
    # Missing at predict only, and never seen.
    odd = few.astype(object)
    odd.loc[0, "since"], odd.loc[1, "member"], odd.loc[2, "town"] = None, None, "Bodø"
    found = probabilities(search, odd)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[3:], expected[3:], atol=1e-6)
    with pytest.raises(ValueError, match=r"missing: 'town' \(is it 'towns'\?\)"):
        probabilities(search, few.rename(columns={"town": "towns"}))
    with pytest.raises(ValueError, match="'age' must be finite. .* first in row 2"):
        probabilities(search, few.assign(age=[1, 2, np.inf, 4, 5, 6]))
    with pytest.raises(ValueError, match="'age' must be numbers.* Received: 'old', first in row 1"):
        probabilities(search, few.assign(age=["1", "old", "", "4", "5", "6"]))


def test_a_loaded_search_predicts_the_same(search, table):
    loaded = an.AdaNet.load(search.model_dir)
    expected = probabilities(search, table)
    np.testing.assert_allclose(probabilities(loaded, table), expected, atol=1e-6)


SERVE = """
import sys
import numpy as np
import tensorflow as tf

saved = tf.saved_model.load(sys.argv[1])
rows = dict(np.load(sys.argv[2], allow_pickle=False))
serve = saved.signatures["serving_default"]
served = serve(**{name: tf.constant(array) for name, array in rows.items() if name != "expected"})
error = np.abs(served["probabilities"].numpy()[:, 1] - rows["expected"]).max()
assert error < 1e-6, error
one = serve(**{name: tf.constant(array[:1]) for name, array in rows.items() if name != "expected"})
assert one["probabilities"].shape == (1, 2)
none = serve(**{name: tf.constant(array[:0]) for name, array in rows.items() if name != "expected"})
assert none["probabilities"].shape == (0, 2)
features = {
    "age": tf.train.Feature(float_list=tf.train.FloatList(value=[30.0])),
    "town": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"Oslo"])),
    "member": tf.train.Feature(float_list=tf.train.FloatList(value=[1.0])),
}
example = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
scores = saved.signatures["classify"](tf.constant([example]))["scores"]
assert np.isfinite(scores).all()
"""


def test_the_served_model_takes_raw_columns_without_this_package(search, table, tmp_path, python):
    search.export(tmp_path / "served")
    plain = table.drop(columns="paid")
    text = {n: plain[n].fillna("").to_numpy(str) for n in ("town", "since")}
    rows = {n: np.char.encode(a, "utf-8") for n, a in text.items()}
    rows |= {n: plain[n].to_numpy("float64") for n in ("age", "member")}
    np.savez(tmp_path / "rows.npz", **rows, expected=probabilities(search, plain))
    done = python.run("-c", SERVE, tmp_path / "served", tmp_path / "rows.npz", package=False)
    assert done.returncode == 0, done.stderr[-2000:]
