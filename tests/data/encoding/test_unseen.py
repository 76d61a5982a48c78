"""Categories of which no value is known are warned of, where rows are predicted."""

import warnings

import numpy as np
import pandas as pd
import pytest

from adaptive_nets.data import Schema
from adaptive_nets.data.encoding import fit_encoding
from adaptive_nets.data.encoding.unseen import check_seen

TABLE = pd.DataFrame({
    "size": np.arange(40) / 7,
    "flag": [True, False] * 20,
    "sex": ["Male", "Female"] * 20,
    "kind": [10, 20] * 20,
    "town": ["Oslo", "Rome", None, "Bern"] * 10,
})  # fmt: skip


@pytest.fixture(scope="module")
def encode():
    return fit_encoding(Schema.infer(TABLE, kinds={"kind": "category"}), TABLE)


def warned(encode, table):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        check_seen(encode, table)
    return [str(each.message) for each in found]


def test_what_is_known_or_missing_or_only_partly_new_is_not_warned_of(encode):
    assert not warned(encode, TABLE)
    assert not warned(encode, TABLE.assign(town=None))
    assert not warned(encode, TABLE.assign(sex=["Male"] + ["male"] * 39))
    assert not warned(encode, TABLE.drop(columns="sex"))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"sex": TABLE["sex"].str.lower()}, r"'sex'.*Received: 'male', 'female'\."),
        ({"kind": TABLE["kind"] + 1}, r"'kind'.*Received: 11.*, 21"),
        ({"town": TABLE["town"].str.upper()}, r"'town'.*Received: 'OSLO', 'ROME', 'BERN'\."),
    ],
)
def test_a_category_that_is_written_differently_is_named(encode, changed, named):
    with pytest.warns(UserWarning, match=f"Feature {named}"):
        check_seen(encode, TABLE.assign(**changed))
    assert len(warned(encode, TABLE.assign(**changed))) == 1


def test_a_few_rows_may_all_be_new(encode):
    rows = TABLE.assign(sex="male", town="Paris")
    assert not warned(encode, rows[:9])
    assert len(warned(encode, rows[:10])) == 2
    assert len(warned(encode, rows)) == 2
