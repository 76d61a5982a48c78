"""In whatever order the columns of a table stand, each is encoded as it is alone."""

import hypothesis
import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

from adaptive_nets.data import Schema
from adaptive_nets.data.encoding import fit_encoding

ROWS = 48
COLUMNS = {
    "flag": np.arange(ROWS) % 3 == 0,
    "town": np.array(["Oslo", "Rome", "Oslo", "Bern"] * 12, object),
    "grade": np.array(["b", "a", "b"] * 16, object),
    "kind": np.array([10, 20, 20, 30] * 12),
    "far": np.array([2**53 + 1, 2**53 + 3] * 24),
    "floor": np.array([0, 1, 1, 2, 2, 2] * 8),
    "rooms": np.array(["1.5", "2.5", "2.5"] * 16, object),
    "size": np.arange(ROWS) / 7,
    "holes": np.where(np.arange(ROWS) % 5, np.arange(ROWS) + 0.5, np.nan),
    "price": np.array(["1,200.50 kg", "7.25 kg", "", "3,100.00 kg"] * 12, object),
    "many": np.array([2**53 + 1, 2**53 + 3, 2**60] * 16),
    "day": np.array(["2024-01-05", "2024-03-09", "2025-03-09"] * 16, object),
    "back": np.array(["25/01/2024", "", "13/03/2025"] * 16, object),
    "time": np.datetime64("2024-01-05T01:00") + np.arange(ROWS) * np.timedelta64(999, "m"),
    "compact": np.array([20141013, 20150228, 20160229] * 16),
    "words": np.array([f"the {k} of {k % 7} rather long texts, said {k % 3}" for k in range(ROWS)]),
}
KINDS = {
    "kind": "category", "far": "category", "town": "category", "grade": "category",
    "rooms": "number", "floor": "number", "many": "number", "price": "number", "words": "text",
    "day": "date", "back": "date", "compact": "date",
}  # fmt: skip


def encoded(names):
    """Columns of the encoded tensors, by the name of the tensor and of the column."""
    table = {name: COLUMNS[name] for name in names}
    schema = Schema.infer(table, kinds={n: k for n, k in KINDS.items() if n in names})
    encode = fit_encoding(schema, table)
    found = encode({key: tf.convert_to_tensor(a) for key, a in schema.read(table).items()})
    listed = encode.layers[-1].plan.names()
    return {
        (kind, name): np.asarray(found[kind])[:, place]
        for kind in listed
        for place, name in enumerate(listed[kind])
    }


ALONE = {}


@hypothesis.settings(max_examples=20, deadline=None, database=None, derandomize=True)
@hypothesis.given(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=2, unique=True))
def test_a_column_is_encoded_as_it_is_alone(names):
    for name in set(names) - set(ALONE):
        ALONE[name] = encoded([name])
    expected = {key: column for name in names for key, column in ALONE[name].items()}
    found = encoded(names)
    assert found.keys() == expected.keys()
    for key, column in found.items():
        np.testing.assert_array_equal(column, expected[key], err_msg=str((key, names)))


def test_values_of_categories_of_every_kind_are_known():
    # Booleans and numbers stand before text.
    found = encoded(["flag", "kind", "town", "far", "grade"])
    for (kind, name), codes in found.items():
        assert kind == "categories" and codes.min() >= 3, name
    counts = {"Oslo": 3, "Rome": 5, "Bern": 4}
    assert found["categories", "town"].tolist() == [counts[t] for t in COLUMNS["town"]]
