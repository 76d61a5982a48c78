"""Rows to predict with a SavedModel: columns by name, without loss, or one line that says why."""

import io

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from adaptive_nets.cli import app, data, predict, sources
from adaptive_nets.cli.tables import inputs_of, schema_of, text_columns
from adaptive_nets.data import Schema

FRAME = pd.DataFrame({"age": [31, 52, 18], "hours per week": [40.5, 20.0, 0.25]})


class Served(tf.Module):
    """A SavedModel of two columns, made without Keras."""

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, 1], tf.float32)]
    )
    def add(self, age, hours_per_week):
        return {"predictions": tf.cast(age, tf.float32) + hours_per_week[:, 0]}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="rows")])
    def total(self, rows):
        return {"predictions": tf.reduce_sum(rows, axis=1)}


def saved(folder, function, schema=None):
    served = Served()
    tf.saved_model.save(served, str(folder), signatures={"serving_default": function(served)})
    if schema is not None:
        (folder / "assets.extra").mkdir()
        (folder / "assets.extra" / "schema.json").write_text(schema.to_json())
    return str(folder)


@pytest.fixture(scope="module")
def schema():
    return Schema.infer(FRAME, separate=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory, schema):
    return saved(tmp_path_factory.mktemp("named"), lambda s: s.add, schema)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("foreign"), lambda s: s.add)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("single"), lambda s: s.total)


def run(capsys, model, name):
    status = app.main(["predict", f"--saved_model={model}", f"--data={name}"])
    captured = capsys.readouterr()
    assert status or not captured.out.startswith("adaptive-nets: error")
    return captured.out, captured.err


def write(tmp_path, frame, kind):
    if kind == "csv":
        frame.to_csv(tmp_path / "rows.csv", index=False)
    else:
        arrays = {n: np.array(frame[n].tolist()) for n in frame} if len(frame) else dict(frame)
        np.savez(tmp_path / "rows.npz", **arrays)
    return f"{kind}:{tmp_path / f'rows.{kind}'}"


HABITS = {
    "as it was": lambda f: f,
    "reordered": lambda f: f[list(f)[::-1]],
    "extra": lambda f: f.assign(more=1.5),
    "floats": lambda f: f.astype({"age": float}),
    "one row": lambda f: f[:1],
    "no rows": lambda f: f[:0],
}


@pytest.mark.parametrize("kind", ["csv", "npz"])
@pytest.mark.parametrize("habit", HABITS)
def test_columns_are_read_by_name(capsys, tmp_path, model, kind, habit):
    frame = HABITS[habit](FRAME)
    out, err = run(capsys, model, write(tmp_path, frame, kind))
    found = pd.read_csv(io.StringIO(out))["prediction"]
    np.testing.assert_array_equal(found, frame["age"] + frame["hours per week"])
    assert ("ignored: more" in err) == (habit == "extra") and "Traceback" not in err


@pytest.mark.parametrize("kind", ["csv", "npz"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.rename(columns={"age": "aged"}), "missing: 'age' (is it 'aged'?)"),
        (lambda f: f[["age"]], "missing: 'hours per week'"),
        (lambda f: f.assign(age=[31.5, 2, 3]), "'age' must be int64"),
        (lambda f: f.assign(**{"hours per week": [1, np.nan, 2]}), "must be finite"),
        (lambda f: f.assign(age=["a", "b", "c"]), "'age' must be numbers"),
    ],
)
def test_columns_that_do_not_fit_are_one_line(capsys, tmp_path, model, kind, change, message):
    out, err = run(capsys, model, write(tmp_path, change(FRAME), kind))
    assert out == "" and message in err and err.count("\n") == 1


def test_a_model_without_a_schema_is_matched_by_the_names_of_its_inputs(foreign, single):
    renamed = FRAME.rename(columns={"hours per week": "hours_per_week"})
    total = FRAME.sum(axis=1)
    for rows in (renamed, renamed[renamed.columns[::-1]], dict(renamed.assign(more=1))):
        found = next(predict.from_saved_model(foreign, rows))["predictions"]
        np.testing.assert_array_equal(found, total)
    found = next(predict.from_saved_model(single, FRAME))["predictions"]
    np.testing.assert_array_equal(found, total)
    with pytest.raises(ValueError, match="needs the columns age, hours_per_week. Received: age, h"):
        next(predict.from_saved_model(foreign, FRAME))
    with pytest.raises(ValueError, match="Age must be int64.*cannot hold"):
        next(predict.from_saved_model(foreign, renamed.assign(age=[1.5, 2, 3])))
    with pytest.raises(ValueError, match=r"rows of shape \(2,\)\. Received: .* \(3,\)"):
        next(predict.from_saved_model(single, FRAME.assign(more=1)))


def test_text_is_not_read_as_numbers(tmp_path):
    schema = Schema.infer({"zip code": ["01067"], "n": [1]})
    (tmp_path / "rows.csv").write_text("zip code,n\n01067,2\n007,3\n")
    rows, _ = data.rows_to_predict(f"csv:{tmp_path / 'rows.csv'}", text_columns(schema))
    specs = {f.key: tf.TensorSpec(None, f.dtype) for f in schema.features}
    found = inputs_of(rows, specs, schema, "model")
    assert found["zip_code"].tolist() == ["01067", "007"] and found["n"].tolist() == [2, 3]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n1,2,3,4\n", "\udcff"])
def test_what_is_no_csv_file_is_refused(tmp_path, text):
    (tmp_path / "rows.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    if text == "\udcff":
        (tmp_path / "rows.csv").write_bytes(b"a\xff\n1\n")
    with pytest.raises(ValueError, match=r"\ACannot read .*rows.csv. as a CSV file: [^\n]*\Z"):
        sources.read_csv(str(tmp_path / "rows.csv"))


def test_other_commands_take_no_tables_without_labels(capsys, tmp_path):
    name = write(tmp_path, FRAME, "csv")
    assert app.main(["evaluate", f"--model_dir={tmp_path}", f"--data={name}"]) == 2
    assert "expected one of digits" in capsys.readouterr().err


def test_the_schema_of_an_export_is_found(model, foreign, schema):
    assert schema_of(model) == schema and schema_of(foreign) is None
