"""Real tables with their faults left in: each column is taken for what it is, and encoded."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from adaptive_nets.data import Schema
from adaptive_nets.data.encoding import fit_encoding

# Columns that are no plain number or category, by table: kind, dtype, and a part of the reason.
TRAPS = {
    "telco_churn": {
        "customerID": ("ignore", "string", "an id"),
        "SeniorCitizen": ("number", "float64", "whole"),
        "Partner": ("category", "string", "two values"),
        "TotalCharges": ("number", "string", "' ' read as missing"),
    },
    "titanic": {
        "PassengerId": ("ignore", "float64", "an id"),
        "Name": ("text", "string", "891 different texts"),
        "Ticket": ("category", "string", ""),
        "Cabin": ("category", "string", ""),
        "Age": ("number", "float64", "fractions"),
    },
    "online_shoppers": {
        "OperatingSystems": ("number", "float64", "may be codes"),
        "TrafficType": ("number", "float64", "may be codes"),
        "Weekend": ("boolean", "float64", "true or false"),
        "Administrative": ("number", "float64", "may be codes"),
    },
    "bike_hour": {"dteday": ("date", "string", "day, month, year")},
    "kc_housing": {
        "id": ("ignore", "float64", "its name says so"),
        "date": ("date", "string", "year, month, day"),
        "zipcode": ("number", "float64", "may be codes"),
    },
    "sms_spam": {"text": ("text", "string", "words on average")},
    "car_evaluation": {
        "doors": ("category", "string", ""), "persons": ("category", "string", ""),
    },
    "credit_g": {"checking_balance": ("category", "string", "")},
    "kc1": {"e": ("number", "float64", "fractions")},
    "insurance": {
        "children": ("number", "float64", "may be codes"),
        "smoker": ("category", "string", "two values"),
    },
    "ames": {
        "Overall_Cond": ("category", "string", "few words"),
        "Year_Built": ("number", "float64", "may be codes"),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", TRAPS)
def test_the_traps_of_a_table_are_seen_and_it_is_encoded(name, data_dir):
    folder = data_dir / "tables"
    table = pd.read_csv(folder / f"{name}.csv.gz").iloc[:3000]
    target = json.loads((folder / "tables.json").read_text("utf-8"))[name]["target"]
    schema = Schema.infer(table, target=target)
    columns = {f.name: f for f in (*schema.features, *schema.ignored)}
    for column, (kind, dtype, reason) in TRAPS[name].items():
        found = columns[column]
        assert (found.kind, found.dtype) == (kind, dtype), found
        assert reason in found.reason
    encode = fit_encoding(schema, table)
    given = {key: tf.convert_to_tensor(array) for key, array in schema.read(table).items()}
    found = {key: tensor.numpy() for key, tensor in encode(given).items()}
    assert all(np.isfinite(array).all() for array in found.values())
    listed = encode.layers[-1].plan.names()
    assert {key: array.shape[1] for key, array in found.items()} == {
        key: len(names) for key, names in listed.items()
    }
    # Rows that training has seen hold no unseen values, and missing ones only where they are.
    for key in ("categories", "codes"):
        for place, column in enumerate(listed.get(key, [])):
            codes = found[key][:, place]
            (feature,) = [f for f in schema.features if f.key == column]
            assert not (codes == 1).any()
            assert (codes == 0).mean() == pytest.approx(feature.missing_share)


def test_each_of_ordered_categories_is_a_value_of_its_own(data_dir):
    table = pd.read_csv(data_dir / "tables" / "diamonds_50k.csv.gz")[["cut", "color", "clarity"]]
    table = table[:10_000]
    schema = Schema.infer(table, kinds={})
    assert [(f.kind, f.distinct) for f in schema.features] == [("category", n) for n in (5, 7, 8)]
    # As text, and as what pandas has for categories with an order.
    order = ["Fair", "Good", "Very Good", "Premium", "Ideal"]
    ordered = table.assign(cut=pd.Categorical(table["cut"], order, ordered=True))
    encode = fit_encoding(schema, table)
    codes = [encode(schema.read(each))["categories"].numpy() for each in (table, ordered)]
    np.testing.assert_array_equal(*codes)
    for place, name in enumerate(table):
        pairs = {*zip(table[name], codes[0][:, place].tolist(), strict=True)}
        assert sorted(code for _, code in pairs) == [*range(3, 3 + table[name].nunique())]
