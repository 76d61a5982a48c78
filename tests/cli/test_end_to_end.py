"""A small search from the command line, and everything that can be asked of it afterwards."""

import contextlib
import io
import json
import os
import subprocess

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.cli import app, data

SEARCH = ("--data=iris", "--seed=1", "--max_iterations=2", "--steps_per_iteration=40", "--width=8")


def run(*arguments):
    """What a command that must succeed prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = app.main(arguments)
    assert (status, err.getvalue()) == (0, "")
    return out.getvalue()


def table(*arguments):
    """The CSV that a command prints."""
    return pd.read_csv(io.StringIO(run(*arguments)))


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    return str(tmp_path_factory.mktemp("runs") / "of iris")


@pytest.fixture(scope="module")
def printed(model_dir):
    return run("search", f"--model_dir={model_dir}", *SEARCH)


@pytest.fixture(scope="module")
def found(printed, model_dir):
    return an.AdaNet.load(model_dir)


@pytest.fixture(scope="module")
def iris():
    return data.load("iris")


def measured(printed, model):
    """The row of test metrics that the search printed for a model."""
    lines = printed.partition("test rows:\n")[2].splitlines()
    (line,) = (line for line in lines if line.strip().startswith(model))
    names = lines[0].split()[1:]
    numbers = [float(word) for word in line.strip().removeprefix(model).split()]
    return dict(zip(names, numbers, strict=True))


def test_search_ends_with_what_a_person_needs(printed, found, model_dir):
    assert printed.startswith("iris: 112 training rows, 38 test rows (25% held out), features 4")
    for column in found.leaderboard().columns:
        assert column in printed
    assert f"Stopped: {found.stop_reason.replace('_', ' ')}" in printed
    assert "On 38 test rows:" in printed
    assert f"SavedModel: {os.path.join(model_dir, 'export')}\n" in printed


def test_search_prints_the_metrics_of_ensemble_and_best_single(printed, found, iris):
    expected = found.evaluate(iris.x_test, iris.y_test)
    assert measured(printed, "ensemble") == pytest.approx(expected, rel=1e-4)
    logits = found.best_single.predict(iris.x_test, verbose=0)
    single = measured(printed, "best single candidate")
    assert single.keys() == expected.keys()
    assert single["accuracy"] == pytest.approx(np.mean(logits.argmax(1) == iris.y_test), rel=1e-4)
    likelihood = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    loss = -np.mean(likelihood[np.arange(38), iris.y_test])
    assert single["loss"] == pytest.approx(loss, rel=1e-4)


def test_printed_command_predicts_when_pasted(printed, found, iris):
    (line,) = (line for line in printed.splitlines() if line.startswith("Predict with it: "))
    done = subprocess.run(
        line.removeprefix("Predict with it: "),
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    predicted = pd.read_csv(io.StringIO(done.stdout))
    assert list(predicted["class"]) == list(found.predict(iris.x_test))


def test_same_search_again_goes_on_where_it_ended(printed, model_dir):
    again = run("search", f"--model_dir={model_dir}", *SEARCH)
    for model in ("ensemble", "best single candidate"):
        assert measured(again, model) == measured(printed, model)


def test_other_settings_in_the_same_folder_are_refused(printed, model_dir, capsys):
    assert (
        app.main(["search", f"--model_dir={model_dir}", *SEARCH, "--mixture_weights=vector"]) == 1
    )
    err = capsys.readouterr().err
    assert err.startswith("adaptive-nets: error: ")
    assert err.count("\n") == 1


def test_leaderboard(found, model_dir):
    frame = found.leaderboard()
    shown = table("leaderboard", f"--model_dir={model_dir}", "--format=csv")
    assert list(shown.columns) == list(frame.columns)
    np.testing.assert_allclose(shown["objective"], frame["objective"], rtol=1e-9)
    rows = json.loads(run("leaderboard", f"--model_dir={model_dir}", "--format=json"))
    assert [row["candidate"] for row in rows] == list(frame["candidate"])
    plain = run("leaderboard", f"--model_dir={model_dir}")
    assert len(plain.splitlines()) == len(frame) + 1


def test_leaderboard_in_a_new_process(found, model_dir, python):
    given = ["leaderboard", f"--model_dir={model_dir}", "--format=csv"]
    done = python.run("-m", "adaptive_nets", *given, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    shown = pd.read_csv(io.StringIO(done.stdout))
    assert list(shown["candidate"]) == list(found.leaderboard()["candidate"])


def test_evaluate(found, model_dir, iris):
    shown = table("evaluate", f"--model_dir={model_dir}", "--data=iris", "--format=csv")
    expected = {"rows": 38, **found.evaluate(iris.x_test, iris.y_test)}
    assert shown.iloc[0].to_dict() == pytest.approx(expected)


def test_saved_model_predicts_what_the_search_predicts(found, model_dir, iris):
    path = os.path.join(model_dir, "export")
    predicted = table("predict", f"--saved_model={path}", "--data=iris")
    assert list(predicted["class"]) == list(found.predict(iris.x_test))
    probabilities = predicted[[f"probability_{name}" for name in iris.class_names]]
    expected = found.predict(iris.x_test, output="probabilities")
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    from_search = table("predict", f"--model_dir={model_dir}", "--data=iris")
    assert list(from_search.columns) == list(predicted.columns)
    assert list(from_search["class"]) == list(predicted["class"])
    np.testing.assert_allclose(from_search.iloc[:, 1:], predicted.iloc[:, 1:], atol=1e-6)


def test_a_search_of_several_heads_predicts_from_either_file(iris, tmp_path):
    head = an.heads.Multi({"species": an.heads.MultiClass(), "petal": an.heads.Regression()})
    settings = {"max_iterations": 1, "steps_per_iteration": 20, "seed": 0}
    search = an.AdaNet(head, model_dir=tmp_path / "search", **settings)
    labels = {"species": np.asarray(iris.y_train), "petal": iris.x_train[:, 3]}
    search.fit(iris.x_train, labels, verbose=0)
    search.export(tmp_path / "export")
    from_search = table("predict", f"--model_dir={tmp_path / 'search'}", "--data=iris")
    expected = search.predict(iris.x_test)
    assert list(from_search["species/classes"]) == list(expected["species"])
    np.testing.assert_allclose(
        from_search["petal/predictions"], expected["petal"].ravel(), atol=1e-5
    )
    exported = table("predict", f"--saved_model={tmp_path / 'export'}", "--data=iris")
    assert list(exported["species/classes"]) == list(expected["species"])
    assert not [name for name in exported.columns if "logits" in name]


def test_predict_some_rows_into_a_file(printed, model_dir, iris, tmp_path):
    np.savez(tmp_path / "new.npz", x=iris.x_test)
    arguments = (f"--saved_model={model_dir}/export", f"--data=npz:{tmp_path / 'new.npz'}")
    out = tmp_path / "out.csv"
    assert run("predict", *arguments, "--rows=5", f"--output={out}") == ""
    names = ["class", *(f"probability_{name}" for name in iris.class_names)]
    frame = pd.read_csv(out)
    assert list(frame.columns) == names
    expected = table("predict", f"--saved_model={model_dir}/export", "--data=iris", "--rows=5")
    np.testing.assert_allclose(frame.iloc[:, 1:], expected.iloc[:, 1:], atol=1e-6)


def test_export(printed, model_dir, tmp_path):
    path = str(tmp_path / "exported")
    assert run("export", f"--model_dir={model_dir}", f"--path={path}") == f"{path}\n"
    one, other = (
        table("predict", f"--saved_model={each}", "--data=iris")
        for each in (path, f"{model_dir}/export")
    )
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "--saved_model={}/export", "--data=wine"),
        ("predict", "--model_dir={}", "--data=wine"),
        ("evaluate", "--model_dir={}", "--data=wine"),
        ("evaluate", "--model_dir={}", "--data=diabetes"),
        ("predict", "--saved_model={}/export", "--data=iris", "--output={}/no/such/folder.csv"),
    ],
)
def test_what_does_not_fit_the_search_is_refused(printed, model_dir, capsys, arguments):
    assert app.main([each.format(model_dir) for each in arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("adaptive-nets: error: ")
    assert err.count("\n") == 1, err
    assert "use --debug" not in err
