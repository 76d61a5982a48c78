"""Features through the doors that train, and through exports; `test_every_door` has the table."""

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.data import Schema

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    RNG.normal(size=(60, 4)).astype("float32"), columns=["age", "b c", "größe", "self"]
)
Y = (FRAME["age"] > FRAME["self"]).to_numpy().astype(int)
SMALL = {"max_iterations": 1, "steps_per_iteration": 4, "seed": 0, "complexity": "rademacher"}
BACKWARDS = list(FRAME.columns)[::-1]


def new(**settings):
    return an.AdaNet(an.heads.BinaryClass(), an.generators.Dense(2, [1]), **{**SMALL, **settings})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def search(folder):
    return new(model_dir=folder).fit(FRAME, Y, verbose=0)


@pytest.fixture(scope="module")
def served(search, tmp_path_factory):
    return search.export(tmp_path_factory.mktemp("export") / "model")


class Own(an.adanet.Builder):
    """A builder whose training data is a table of its own."""

    name = "own"

    def __init__(self, frame):
        self.frame = frame

    def build(self, features, units, previous):
        return an.adanet.Subnetwork(keras.layers.Dense(units)(features), depth=1)

    def training_data(self, rows, seed):
        return an.adanet.TrainingData(x=self.frame, y=Y)


class Owning(an.adanet.Generator):
    """Proposes a builder with data of its own."""

    def __init__(self, frame):
        self.frame = frame

    def generate(self, previous, iteration, reports):
        return [Own(self.frame)]


def fitted_own(frame):
    search = an.AdaNet(
        an.heads.BinaryClass(), Owning(frame), **{**SMALL, "complexity": "sqrt_depth"}
    )
    return search.fit(FRAME, Y, verbose=0)


DOORS = {
    "fit again": lambda s, f, d: new(model_dir=d).fit(f, Y, verbose=0).state.iteration,
    "own data": lambda s, f, d: fitted_own(f).predict(FRAME, "logits"),
    "generalization_bound": lambda s, f, d: str(an.adanet.generalization_bound(s, x=f, y=Y)),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_every_door_reads_columns_by_name(door, search, folder):
    enter = DOORS[door]
    straight = enter(search, FRAME, folder)
    with pytest.warns(UserWarning, match="ignored: more"):
        crooked = enter(search, FRAME.assign(more="x")[["more", *BACKWARDS]], folder)
    np.testing.assert_array_equal(straight, crooked)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.rename(columns={"age": "aged"}), r"missing: 'age' \(is it 'aged'\?\)"),
        (lambda f: f.assign(age=f["age"].where(f["age"] < 1)), "'age' must be finite.* row "),
        (lambda f: f.assign(age="old"), "'age' must be numbers.* Received: strings"),
    ],
)
def test_every_door_refuses_what_does_not_fit_by_name(door, change, message, search, folder):
    before = sorted(folder.iterdir())
    with pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z"):
        DOORS[door](search, change(FRAME), folder)
    assert sorted(folder.iterdir()) == before


def test_no_rows_and_one_row(search):
    assert search.predict(FRAME[:0]).shape == (0,)
    assert search.predict(FRAME[:0], "probabilities").shape == (0, 2)
    assert search.predict(FRAME[:1]).shape == (1,)


def test_the_schema_is_public_stored_and_exported(search, folder, served):
    assert search.schema.names == list(FRAME.columns)
    assert an.AdaNet.load(folder).schema == search.schema
    text = Path(served, "assets.extra", "schema.json").read_text(encoding="utf-8")
    assert Schema.from_json(text) == search.schema
    state = json.loads(max(folder.glob("state-*.json")).read_text())
    assert Schema.from_dict(state["schema"]) == search.schema


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
@pytest.mark.parametrize("signature", ["serving_default", "predict"])
def test_a_table_is_served_by_the_names_of_its_columns(search, served, shape, signature):
    serve = tf.saved_model.load(served).signatures[signature]
    keys = {"age": "age", "b c": "b_c", "größe": "grosse", "self": "self_"}
    assert set(serve.structured_input_signature[1]) == set(keys.values())
    given = {keys[n]: tf.reshape(tf.constant(FRAME[n].to_numpy()), shape) for n in BACKWARDS}
    np.testing.assert_allclose(
        serve(**given)["logits"], search.predict(FRAME, "logits"), rtol=1e-5, atol=1e-6
    )


def test_examples_hold_one_feature_per_column(search, served):
    classify = tf.saved_model.load(served).signatures["classify"]
    keys = [feature.key for feature in search.schema.features]
    examples = [
        tf.train.Example(features=tf.train.Features(feature={
            key: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
            for key, value in zip(keys, row, strict=True)
        })).SerializeToString()
        for row in FRAME.to_numpy()
    ]  # fmt: skip
    np.testing.assert_allclose(
        classify(tf.constant(examples))["scores"], search.predict(FRAME, "probabilities"),
        rtol=1e-5,
    )  # fmt: skip


# Batches --------------------------------------------------------------------------------------

BATCHES = [(FRAME[k : k + 20], Y[k : k + 20]) for k in range(0, 60, 20)]


class Sequence(keras.utils.PyDataset):
    """Three batches of arrays."""

    def __len__(self):
        return 3

    def __getitem__(self, k):
        return BATCHES[k][0].to_numpy(), BATCHES[k][1]


KINDS = {
    "dataset": lambda: tf.data.Dataset.from_tensor_slices((FRAME.to_numpy(), Y)).batch(20),
    "iterator of a dataset": lambda: iter(KINDS["dataset"]()),
    "PyDataset": Sequence,
}


@pytest.fixture(scope="module")
def whole():
    return new().fit(FRAME.to_numpy(), Y, batch_size=20, verbose=0)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_any_kind_are_the_rows_they_hold(kind, whole):
    search = new().fit(KINDS[kind](), verbose=0)
    logits = whole.predict(FRAME.to_numpy(), "logits")
    np.testing.assert_array_equal(search.predict(KINDS[kind](), "logits"), logits)
    np.testing.assert_array_equal(search.predict(FRAME.to_numpy(), "logits"), logits)
    assert search.evaluate(KINDS[kind]()) == whole.evaluate(FRAME.to_numpy(), Y)


def test_batches_of_tables_have_names():
    search = new().fit(iter(BATCHES), verbose=0)
    backwards = [(x[BACKWARDS], y) for x, y in BATCHES]
    assert search.evaluate(iter(backwards)) == search.evaluate(iter(BATCHES))


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (iter([FRAME.to_numpy()]), r"must be \(features, labels\).*Received: ndarray"),
        (iter([(FRAME.to_numpy(), None)]), "must not hold None"),
        (iter([]), "The data is empty"),
    ],
)
def test_batches_without_labels_are_refused(batches, message):
    with pytest.raises(ValueError, match=message):
        new().fit(batches, verbose=0)


def test_two_inputs_as_keras_takes_them(tmp_path):
    x = [FRAME.to_numpy()[:, :1], FRAME.to_numpy()[:, 1:]]
    search = new().fit(x, Y, verbose=0)
    pairs = tf.data.Dataset.from_tensor_slices((tuple(x), Y)).batch(20)
    logits = search.predict(x, "logits")
    np.testing.assert_array_equal(search.predict(pairs, "logits"), logits)
    np.testing.assert_array_equal(search.predict(pairs.map(lambda x, y: x), "logits"), logits)
    serve = tf.saved_model.load(search.export(tmp_path / "model")).signatures["predict"]
    np.testing.assert_allclose(
        serve(input_1=tf.constant(x[0]), input_2=tf.constant(x[1]))["logits"], logits, rtol=1e-5,
        atol=1e-6,
    )  # fmt: skip


# Columns of one number a row ------------------------------------------------------------------


def test_scalar_columns_of_a_dataset_go_through_every_door(tmp_path):
    columns = {"age": FRAME["age"].to_numpy(), "height": FRAME["b c"].to_numpy()}
    dataset = tf.data.Dataset.from_tensor_slices((columns, Y)).batch(20)
    search = new().fit(dataset, verbose=0)
    logits = search.predict(columns, "logits")
    assert search.schema.features[0].shape == ()
    np.testing.assert_array_equal(search.predict(dataset, "logits"), logits)
    assert search.evaluate(dataset) == search.evaluate(columns, Y)
    serve = tf.saved_model.load(search.export(tmp_path / "model")).signatures["predict"]
    given = {name: tf.constant(values) for name, values in columns.items()}
    np.testing.assert_allclose(serve(**given)["logits"], logits, rtol=1e-5, atol=1e-6)


def test_a_feature_space_takes_a_table_and_leaves_out_other_columns(tmp_path):
    frame = pd.DataFrame({"n o": np.arange(60) % 7, "x": FRAME["age"], "unused": "text"})
    space = keras.utils.FeatureSpace(
        {"n o": keras.utils.FeatureSpace.integer_categorical(num_oov_indices=0), "x": "float"},
        output_mode="concat",
    )
    space.adapt(tf.data.Dataset.from_tensor_slices(dict(frame[["n o", "x"]])))
    search = new(preprocessing=space).fit(frame[["x", "unused", "n o"]], Y, verbose=0)
    assert sorted(search.schema.names) == ["n o", "x"]
    logits = search.predict(frame, "logits")
    serve = tf.saved_model.load(search.export(tmp_path / "model")).signatures["predict"]
    given = {"n_o": tf.constant(frame["n o"].to_numpy()), "x": tf.constant(frame["x"].to_numpy())}
    assert given["n_o"].dtype == tf.int64
    np.testing.assert_allclose(serve(**given)["logits"], logits, rtol=1e-5, atol=1e-6)
