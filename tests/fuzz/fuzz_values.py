"""Values of every kind that a person, or a program gone wrong, may pass for an argument.

Each is made anew for every call: `POOL` has functions by name, and a name says in a report what was
passed. None of the strings is a choice that some argument has.
"""

import collections
import datetime
import decimal
import enum
import fractions
import functools
import io
import itertools
import math
import pathlib
import re
import tempfile
import uuid
import weakref
from unittest import mock

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse
import tensorflow as tf

import adaptive_nets as an

POOL = {}


class Text(str):
    """Text of a class of its own."""


class Numbers(enum.IntEnum):
    """Integers with names."""

    ONE = 1


class Hostile:
    """Whatever is asked of it, it fails."""

    def _fail(self, *_, **__):
        raise RuntimeError("a hostile object")

    __repr__ = __str__ = __eq__ = __bool__ = __len__ = __iter__ = __hash__ = __array__ = _fail
    __int__ = __float__ = __index__ = __getitem__ = __call__ = __fspath__ = __contains__ = _fail


class LongName:
    """Its text is of many lines and long."""

    def __repr__(self):
        return "<\n" + "long " * 10_000 + ">"


def add(**makers):
    """Puts values into the pool."""
    POOL.update(makers)


def values(prefix, *given):
    """Puts constants into the pool, named by their text."""
    for k, value in enumerate(given):
        shown = " ".join(repr(value).split())
        POOL[f"{prefix} {k}: {shown[:40]}"] = lambda value=value: value


def recursive(kind):
    """A list or dict within itself."""
    made = kind()
    if kind is list:
        made.append(made)
    else:
        made["a"] = made
    return made


def deep(levels=2000):
    """Lists within lists."""
    made = []
    for _ in range(levels):
        made = [made]
    return made


def used_up():
    """A generator without elements left."""
    made = (k for k in (1, 2))
    list(made)
    return made


def closed_file():
    """A file that cannot be read any more."""
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.close()
    return file


def table():
    """Three columns of 24 rows."""
    return pd.DataFrame(np.linspace(0, 1, 72).reshape(24, 3), columns=["a", "b", "c"])


values("constant", None, True, False, np.True_, Ellipsis, NotImplemented, pd.NA, pd.NaT)
values("integer", 0, 1, -1, 2, 3, 7, 2**31, 2**63, -(2**63), 2**64, 10**30, -(10**30))
values("NumPy integer", np.int8(1), np.int64(3), np.uint8(255), np.int64(-1), np.array(3))
add(huge_integer=lambda: 10**5000, named_integer=lambda: Numbers.ONE)
values("float", 0.0, -0.0, 0.5, 1.0, 1.5, -1.5, 1e-300, 1e300, math.nan, math.inf, -math.inf)
values("NumPy float", np.float16(0.5), np.float32(0.5), np.float64("nan"), np.longdouble(1))
values("NumPy 0-d", np.array(0.5), np.array(True), np.array("soup"), np.array(None), np.array(1j))
values("number", 1j, np.complex64(1), fractions.Fraction(1, 2), decimal.Decimal("0.5"))
add(huge_fraction=lambda: fractions.Fraction(10**400, 1))
values(
    "text", "", " ", "soup", "\0", "größe 名前", "\ud800", "a/b", "../x", "nan", "1", "{}", "%s{}"
)
values("text of lines", "a\nb", "soup\r\n", "\x1b[2J", "x" * 100_000)
values("bytes", b"", b"soup", bytearray(b"a"), np.bytes_(b"a"))
add(text_of_a_class=lambda: Text("soup"), numpy_text=lambda: np.str_("soup"))
values(
    "list", [], [[]], [None], [math.nan], ["soup"], [1], [-1], [0], [1, "a"], [[1], [1, 2]], [{}]
)
values("tuple", (), (1,), ("soup",), (1, 2, 3), ((), ()), ("a", 1), (None, None))
values("dict", {}, {"a": 1}, {1: 2}, {None: None}, {"soup": "soup"}, {"a": {}}, {(): 1}, {"": 0})
values("dict of", {"a": [1, 2]}, {"a": None}, {"a": math.nan}, {math.nan: 1}, {"a": "b", 1: "c"})
values("collection", set(), {1}, {"a"}, frozenset("a"), range(3), range(0), slice(1), {}.keys())
add(
    ordered=lambda: collections.OrderedDict(a=1),
    deque=lambda: collections.deque([1]),
    counter=lambda: collections.Counter("ab"),
    recursive_list=lambda: recursive(list),
    recursive_dict=lambda: recursive(dict),
    deep_list=deep,
    generator=lambda: (k for k in range(3)),
    used_up_generator=used_up,
    endless_numbers=itertools.count,
    endless_nones=lambda: itertools.repeat(None),
    mapped=lambda: map(int, "12"),
    memory=lambda: memoryview(b"abc"),
)
add(
    no_rows=lambda: np.zeros((0, 3), "float32"),
    no_values=lambda: np.zeros(0),
    no_columns=lambda: np.zeros((24, 0)),
    array=lambda: np.ones((24, 3), "float32"),
    array_64=lambda: np.ones((24, 3)),
    vector=lambda: np.ones(24),
    column=lambda: np.ones((24, 1)),
    short=lambda: np.ones((7, 3)),
    wide=lambda: np.ones((24, 9)),
    cube=lambda: np.ones((2, 2, 2, 2)),
    integers=lambda: np.ones((24, 3), int),
    negative_integers=lambda: -np.ones(24, int),
    booleans=lambda: np.ones((24, 3), bool),
    nans=lambda: np.full((24, 3), np.nan),
    infinities=lambda: np.full((24, 3), np.inf),
    large=lambda: np.full((24, 3), 1e300),
    complexes=lambda: np.ones((24, 3), complex),
    nones=lambda: np.full((24, 3), None),
    mixed=lambda: np.array([1, "a", None] * 8, object),
    texts=lambda: np.full((24, 3), "a"),
    byte_texts=lambda: np.full(24, b"a"),
    dates=lambda: np.full(24, "2020-01-01", "datetime64[D]"),
    spans=lambda: np.full((24, 3), 1, "timedelta64[s]"),
    structured=lambda: np.zeros(24, [("a", "f4"), ("b", "i4")]),
    masked=lambda: np.ma.masked_array(np.ones((24, 3)), np.eye(24, 3)),
    halves=lambda: np.ones((24, 3), "float16"),
    long_doubles=lambda: np.ones((24, 3), np.longdouble),
    strided=lambda: np.ones((48, 6), "float32")[::2, ::-2],
    matrix=lambda: np.asmatrix(np.ones((24, 3))),
    array_of_arrays=lambda: np.array([np.ones(2), np.ones(3)], object),
    sparse=lambda: scipy.sparse.csr_array(np.eye(24, 3)),
)
add(
    frame=table,
    empty_frame=pd.DataFrame,
    text_frame=lambda: table().astype(str),
    twice_named_frame=lambda: table().set_axis(["a", "a", "b"], axis=1),
    number_named_frame=lambda: table().set_axis([0, 1, 2], axis=1),
    nullable_frame=lambda: table().convert_dtypes().mask(table() > 0.5),
    series=lambda: table()["a"],
    text_series=lambda: pd.Series(["a"] * 24),
    categories=lambda: pd.Categorical(["a", "b"] * 12),
    index=lambda: pd.RangeIndex(24),
    timestamp=lambda: pd.Timestamp("2020-01-01"),
    interval=lambda: pd.Interval(0, 1),
    polars=lambda: pl.from_dict({"a": [1.0] * 24}),
    lazy_polars=lambda: pl.from_dict({"a": [1.0] * 24}).lazy(),
    polars_series=lambda: pl.Series([1.0] * 24),
    arrow=lambda: pa.table({"a": [1.0] * 24}),
)
add(
    tensor=lambda: tf.ones((24, 3)),
    tensor_scalar=lambda: tf.constant(3),
    text_tensor=lambda: tf.constant(["a"] * 24),
    ragged=lambda: tf.ragged.constant([[1.0], [1.0, 2.0]]),
    sparse_tensor=lambda: tf.sparse.eye(24, 3),
    variable=lambda: tf.Variable(tf.ones((24, 3))),
    keras_variable=lambda: keras.Variable(np.ones((24, 3))),
    symbolic=lambda: keras.KerasTensor((None, 3)),
    spec=lambda: tf.TensorSpec([None, 3]),
    dtype=lambda: tf.float32,
    dataset=lambda: tf.data.Dataset.from_tensor_slices(np.ones((24, 3), "float32")).batch(8),
    empty_dataset=lambda: tf.data.Dataset.from_tensor_slices(np.ones((0, 3))).batch(8),
    unbatched=lambda: tf.data.Dataset.range(24),
    strategy=tf.distribute.get_strategy,
)
add(
    object=object,
    a_class=lambda: object,
    int_class=lambda: int,
    function=lambda: lambda: None,
    failing_function=lambda: lambda *_, **__: 1 / 0,
    wrong_function=lambda: lambda a, b, c: a,
    builtin=lambda: print,
    partial=lambda: functools.partial(int, base=2),
    module=lambda: math,
    error=lambda: ValueError("soup"),
    error_class=lambda: ValueError,
    hostile=Hostile,
    hostile_class=lambda: Hostile,
    list_of_hostile=lambda: [Hostile()],
    dict_of_hostile=lambda: {"a": Hostile()},
    long_name=LongName,
    mock=mock.MagicMock,
    weak=lambda: weakref.proxy(POOL["a_class"]),
    here=lambda: pathlib.Path("."),
    no_file=lambda: pathlib.Path("no/such/file"),
    folder=lambda: pathlib.Path("folder"),
    file=lambda: "file.txt",
    below_a_file=lambda: "file.txt/x",
    long_path=lambda: "x" * 300,
    closed_file=closed_file,
    stream=lambda: io.BytesIO(b"a"),
    now=lambda: datetime.datetime(2020, 1, 1),
    day=lambda: datetime.date(2020, 1, 1),
    span=lambda: datetime.timedelta(1),
    uuid=lambda: uuid.UUID(int=0),
    pattern=lambda: re.compile("a"),
)
add(
    layer_class=lambda: keras.layers.Dense,
    layer=lambda: keras.layers.Dense(2),
    unbuilt=lambda: keras.Sequential([keras.layers.Dense(2)]),
    no_layers=keras.Sequential,
    other_model=lambda: small_model(),
    model_class=lambda: keras.Model,
    optimizer=lambda: keras.optimizers.SGD(0.1),
    optimizer_class=lambda: keras.optimizers.Adam,
    schedule=lambda: keras.optimizers.schedules.CosineDecay(0.1, 10),
    loss=lambda: keras.losses.MeanSquaredError(),
    metric=lambda: keras.metrics.MeanSquaredError(),
    callback=lambda: keras.callbacks.History(),
    initializer=lambda: keras.initializers.Zeros(),
    head=lambda: an.heads.MultiClass(2),
    head_class=lambda: an.heads.MultiClass,
    dense=lambda: an.generators.Dense(2),
    dense_class=lambda: an.generators.Dense,
    search_class=lambda: an.AdaNet,
    new_search=lambda: an.AdaNet(an.heads.MultiClass(), an.generators.Dense(2)),
    widen=lambda: an.growth.Widen(2.0),
    new_machine=lambda: an.energy.RBM(2),
    new_structure=lambda: an.energy.EnergyNet(),
    penalty=lambda: an.adanet.Penalty(0.1),
    evaluator=lambda: an.adanet.Evaluator(np.ones((24, 3)), np.ones(24)),
    feature=lambda: an.data.Feature("a", "a", "number", "float32", ()),
    run_config=lambda: an.estimator.RunConfig(),
)


@functools.cache
def small_model():
    """A model of other shapes than those of the calls."""
    inputs = keras.Input((5,))
    return keras.Model(inputs, keras.layers.Dense(2, name="other")(inputs), name="small")
