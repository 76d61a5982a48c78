"""Tables in whatever form they come; with the linear model, which takes no time."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import adaptive_nets as an
from adaptive_nets._values import is_shallow
from adaptive_nets.automl.inputs import opened
from adaptive_nets.data.columns.alignment import check_aligned

RNG = np.random.default_rng(0)
ROWS = 60
NUMBERS = RNG.normal(size=ROWS)
WORDS = RNG.choice(["u", "v"], ROWS)
LABELS = np.where(NUMBERS > 0, "high", "low")
TABLE = pd.DataFrame({"a": NUMBERS, "b": WORDS})


def quick(kind=an.AutoClassifier, **settings):
    return kind(**{"time_limit": 0.01, "seed": 0, "verbose": 0, **settings})


@pytest.fixture(scope="module")
def fitted():
    return quick().fit(TABLE, LABELS)


FORMS = {
    "structured": lambda t: t.to_records(index=False).view(np.ndarray),
    "records": lambda t: t.to_records(index=False),
    "rows": lambda t: t.to_dict("records"),
    "columns": lambda t: t.to_dict("list"),
    "polars": pl.from_pandas,
    "arrow": lambda t: pl.from_pandas(t).to_arrow(),
    "categorical": lambda t: t.astype({"b": pd.CategoricalDtype(["w", "v", "u"], ordered=True)}),
    "nullable": lambda t: t.convert_dtypes(),
    "sparse": lambda t: t.astype({"a": pd.SparseDtype("float64")}),
    "text": lambda t: t.astype({"a": str}),
    "index": lambda t: t.set_index(pd.MultiIndex.from_product([range(30), ["x", "y"]])),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_table_in_another_form_is_learnt_and_read_alike(fitted, form):
    given = FORMS[form](TABLE)
    expected = fitted.predict_proba(TABLE)
    np.testing.assert_allclose(fitted.predict_proba(given), expected, atol=1e-6)
    if form != "text":
        found = quick().fit(given, LABELS)
        np.testing.assert_allclose(found.predict_proba(TABLE), expected, atol=1e-6)
        assert found.feature_names_in_.tolist() == ["a", "b"]


def test_rows_that_pandas_would_pair_otherwise_are_refused():
    y = pd.Series(LABELS, index=range(ROWS))
    with pytest.raises(ValueError, match="same labels in another order"):
        quick().fit(TABLE[::-1], y)
    with pytest.raises(ValueError, match="same labels in another order"):
        quick().fit(TABLE, y, sample_weight=y[::-1].eq("high") + 1.0)


def test_columns_may_be_lists_of_any_length_but_no_dict_holds_itself():
    long = {"a": [1.0] * 1_100_000}
    assert is_shallow(long) and opened(long) is long
    around = {}
    around["a"] = around
    with pytest.raises(ValueError, match="X must not hold itself"):
        opened(around)
    for name in ("y", "sample_weight", "groups"):
        with pytest.raises(ValueError, match=f"{name} must not hold itself"):
            check_aligned({"a": [1.0]}, **{name: around})
