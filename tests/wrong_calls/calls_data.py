"""Valid calls of schemas and encodings."""

import pathlib
import tempfile

import call_things as t
import keras
import numpy as np
from call_kinds import (
    THING,
    choice,
    count,
    fixed,
    flag,
    has_rows,
    instance,
    is_none_of,
    lazy,
    listing,
    mapping,
    number,
    rows,
    text,
)
from call_outcomes import Call
from calls_search import PREDICT

import adaptive_nets as an

data = an.data
TABLE = {"n": [1.5, 2.0, 3.5], "t": ["a", "b", "a"], "paid": ["y", "n", "y"]}


def table_schema():
    return data.Schema.infer(TABLE, target="paid")


def csv_file():
    path = pathlib.Path(tempfile.mkdtemp(), "table.csv")
    path.write_text("n,t,paid\n1.5,a,y\n2.0,b,n\n")
    return path


CALLS = [
    Call(
        "data.Feature",
        lambda: data.Feature,
        {
            "name": text("a").but(allow=("",)),
            "key": text("a"),
            "kind": text("number"),
            "dtype": choice("float32"),
            "shape": listing((3,), empty=True).but(
                "soup", (-1,), (1.5,), ("a",), {}, allow=([None],)
            ),
            "missing": flag(False),
            "source": text("array").but(allow=("",)),
            "code": flag(False),
            "style": choice("ymd", none=True),
            "reason": text("numbers").but(allow=("",)),
            "missing_share": number(0.5).but(-0.1, 1.1).where(lambda v: 0 <= v <= 1),
            "distinct": count(3, 0, none=True),
            "place": count(0, 0, none=True),
        },
    ),
    Call(
        "data.Schema",
        lambda: data.Schema,
        {
            "features": listing(lazy(lambda: t.schema().features)).but("soup"),
            "layout": choice("array"),
            "ignored": listing(lazy(lambda: t.schema().features), empty=True).but("soup"),
            "target": text("paid", none=True),
        },
    ),
    Call(
        "data.read_table",
        lambda: data.read_table,
        {
            "source": fixed(lazy(csv_file)).but(3, None, {}, np.ones(3), THING),
            "text": listing(["t"], empty=True).but("t", [3]),
            "encoding": fixed("latin-1").but(3, "soup", "", "base64", b"utf-8", THING),
            "known": listing(["t"], empty=True).but("t", [3]),
        },
    ),
    Call(
        "data.Schema.infer (a table)",
        lambda: data.Schema.infer,
        {
            "x": fixed(TABLE).but("soup", 3, [], {}, np.ones(3), None, THING),
            "target": text("paid", none=True),
            "kinds": mapping({"n": "text"}, none=True, empty=True).but(
                {"n": "soup"}, {"m": "text"}
            ),
        },
    ),
    Call(
        "data.Schema.replace",
        lambda: table_schema().replace,
        {"n": choice("category"), "t": choice("text")},
    ),
    Call(
        "data.encoding.fit_encoding",
        lambda: data.encoding.fit_encoding,
        {
            "schema": instance(lazy(table_schema)).but(lazy(t.schema)()),
            "x": fixed(TABLE).but("soup", 3, [], {}, np.ones(3), {"n": [1.0]}, None, THING),
        },
    ),
    Call(
        "data.encoding.TableEncoding",
        lambda: data.encoding.TableEncoding,
        {
            "schema": fixed(lazy(lambda: table_schema().to_dict())).but(3, "soup", {}, None, []),
            "parts": mapping({"n": ["hour"]}, empty=True).but({"n": 3}, {"n": ["soup"]}),
            "gaps": listing(["n"], empty=True).but("n", ["soup"]),
            "known": count(3, 0),
            "length": count(0, 0),
        },
    ),
    Call(
        "data.Schema.infer",
        lambda: data.Schema.infer,
        {
            "x": rows(t.X, width=False, finite=False, text=True)
            .but({}, np.zeros((24, 0)))
            .where(has_rows)
            .where(is_none_of)
            .where(lambda v: isinstance(v, keras.Variable))
            .where(lambda v: isinstance(v, dict) and all(map(has_rows, v.values()))),
        },
    ),
    Call("data.Schema.read", lambda: t.schema().read, {"x": PREDICT["x"]}),
    Call(
        "data.Schema.from_json",
        lambda: data.Schema.from_json,
        {
            "text": fixed(lazy(lambda: t.schema().to_json())).but(
                "soup",
                3,
                None,
                "{}",
                "[]",
                "3",
                b"\0",
                {},
                object(),
                '{"layout": "array"}',
                '{"layout": "array", "features": [1]}',
            ),
        },
    ),
    Call(
        "data.Schema.from_dict",
        lambda: data.Schema.from_dict,
        {
            "values": fixed(lazy(lambda: t.schema().to_dict())).but(
                "soup",
                3,
                None,
                {},
                [],
                object(),
                {"layout": "array"},
                {"layout": "array", "features": [1]},
                {"layout": "array", "features": [{"name": "a"}]},
                {"layout": "array", "features": [3]},
            ),
        },
    ),
]
