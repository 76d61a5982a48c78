"""What the command says of itself, and that every failure is one line and a status."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.cli import app
from adaptive_nets.cli.flags import MIXTURE_WEIGHTS


def fails(capsys, *arguments):
    """Runs a command that must fail; its status and its one line."""
    status = app.main(arguments)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("adaptive-nets: error: ")
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    return status, err.removeprefix("adaptive-nets: error: ").rstrip()


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_help_names_every_command(capsys, arguments):
    assert app.main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for name, command in app.COMMANDS.items():
        assert f"  {name}" in out
        assert command.summary in out


@pytest.mark.parametrize("name", app.COMMANDS)
def test_help_of_a_command_explains_its_flags(capsys, name):
    assert app.main([name, "--model_dir=x", "--help"]) == 0
    out, _ = capsys.readouterr()
    assert out.startswith(f"usage: adaptive-nets {name} ")
    first = "--out: Path of the .keras file" if name == "fuse" else "--model_dir: Folder of the "
    assert first in out
    assert "adaptive_nets.cli" not in out
    assert ("--time_limit: Maximum duration of the search" in out) == (name == "search")


def test_version(capsys):
    assert app.main(["--version"]) == 0
    assert capsys.readouterr().out == f"adaptive-nets {an.__version__}\n"


NAMED = ("--model_dir=m", "--data=iris")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("serve",), "Unknown command 'serve'. Expected one of fit, search, leaderboard, "),
        (("--nope",), "Unknown command '--nope'."),
        (("search", *NAMED, "--steps=3"), "Unknown command line flag 'steps'"),
        (("search", *NAMED, "10"), "Unexpected argument '10': options must be --flags."),
        (("search", "--data=iris"), "search needs --model_dir."),
        (("search", "--model_dir=m"), "search needs --data."),
        (("search", "--data=iris", "--model_dir"), "Missing value for flag --model_dir"),
        (("search", "--data=iris", "--model_dir="), "search needs --model_dir."),
        (
            ("search", "--model_dir=m", "--data=irises"),
            "unknown data set, expected one of digits, ",
        ),
        (("search", "--model_dir=m", "--data=npz:"), "unknown data set, expected one of digits, "),
        (("search", *NAMED, "--time_limit=0"), "--time_limit=0.0: must be a number greater than 0"),
        (
            ("search", *NAMED, "--time_limit=-1"),
            "--time_limit=-1.0: must be a number greater than 0",
        ),
        (
            ("search", *NAMED, "--time_limit=nan"),
            "--time_limit=nan: must be a number greater than 0",
        ),
        (("search", *NAMED, "--time_limit=soon"), "--time_limit=soon: could not convert"),
        (
            ("search", *NAMED, "--learning_rate=0"),
            "--learning_rate=0.0: must be a number greater than",
        ),
        (("search", *NAMED, "--max_iterations=0"), "0 is not a positive integer"),
        (("search", *NAMED, "--steps_per_iteration=-5"), "-5 is not a positive integer"),
        (("search", *NAMED, "--batch_size=1.5"), "flag --batch_size=1.5: "),
        (("search", *NAMED, "--width=wide"), "flag --width=wide: "),
        (("search", *NAMED, "--seed=x"), "flag --seed=x: "),
        (("search", *NAMED, "--adanet_lambda=-1"), "-1.0 is not a non-negative number"),
        (("search", *NAMED, "--adanet_beta=-1"), "-1.0 is not a non-negative number"),
        (("search", *NAMED, "--validation_split=1"), "must be at least 0 and below 1"),
        (("search", *NAMED, "--test_split=0"), "--test_split=0.0: must be between 0 and 1"),
        (("search", *NAMED, "--split_seed=-1"), "-1 is not a non-negative integer"),
        (("search", *NAMED, "--head=ternary"), "value should be one of <auto|binary|multi_class|"),
        (("search", *NAMED, "--generator=rnn"), "value should be one of <dense|conv>"),
        (("search", *NAMED, "--training=fast"), "value should be one of <residual|independent>"),
        (("search", *NAMED, "--mixture_weights=x"), f"one of <{'|'.join(MIXTURE_WEIGHTS)}>"),
        (("search", *NAMED, "--verbose=loud"), "flag --verbose=loud: "),
        (("leaderboard",), "leaderboard needs --model_dir."),
        (("leaderboard", "--model_dir=m", "--format=xml"), "should be one of <table|csv|json>"),
        (("leaderboard", *NAMED), "Unknown command line flag 'data'"),
        (("evaluate", "--model_dir=m"), "evaluate needs exactly one of --table and --data."),
        (("predict", "--data=iris"), "predict needs exactly one of --saved_model and --model_dir."),
        (("predict", *NAMED, "--saved_model=s"), "predict needs exactly one of --saved_model and"),
        (("predict", *NAMED, "--rows=0"), "0 is not a positive integer"),
        (("export", "--model_dir=m"), "export needs --path."),
    ],
)
def test_wrong_command_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, line = fails(capsys, *arguments)
    assert status == 2
    assert message in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ValueError("Several\nlines.\n\nand a page of advice"), 1, "Several lines."),
        (FileNotFoundError(2, "No such file", "a.npz"), 1, "[Errno 2] No such file: 'a.npz'"),
        (RuntimeError("gears"), 1, "RuntimeError: gears (use --debug for a traceback)"),
        (ValueError(), 1, "ValueError (use --debug for a traceback)"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_failure_of_each_kind_is_one_line(capsys, monkeypatch, error, status, line):
    def fail(arguments):
        raise error

    monkeypatch.setattr(app, "_run", fail)
    assert fails(capsys, "leaderboard") == (status, line)


def test_debug_shows_where(capsys, tmp_path):
    arguments = ("search", f"--model_dir={tmp_path / 'm'}", f"--data=npz:{tmp_path / 'no.npz'}")
    status, line = fails(capsys, *arguments)
    assert status == 1
    assert "no.npz" in line
    assert app.main([*arguments, "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.rstrip().endswith(line)


def features(rows=40, columns=3):
    return np.random.default_rng(0).normal(size=(rows, columns)).astype("float32")


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"a": features()}, (), "no array named x or train_x"),
        ({"x": features()}, (), "no array named y or train_y"),
        ({"x": features(), "y": np.array([0, 1] * 20, object)}, (), "holds Python objects"),
        ({"x": features(), "y": np.array([0, 1] * 19)}, (), "same number of rows"),
        ({"x": features() * np.nan, "y": np.array([0, 1] * 20)}, (), ""),
        ({"x": features(), "y": np.zeros(40, int)}, (), ""),
        ({"x": features(), "y": np.array([0, 1, 2, 3] * 10)}, ("--head=binary",), ""),
        ({"x": features(), "y": np.array(["a", "b"] * 20)}, ("--head=regression",), ""),
        ({"x": features(), "y": np.array([0, 1] * 20)}, ("--head=multi_label",), ""),
        ({"x": features(), "y": np.array([0, 1] * 20)}, ("--generator=conv",), ""),
    ],
)
def test_data_that_cannot_be_searched(capsys, tmp_path, arrays, options, message):
    np.savez(tmp_path / "a.npz", **arrays)
    status, line = fails(
        capsys,
        "search",
        f"--data=npz:{tmp_path / 'a.npz'}",
        f"--model_dir={tmp_path / 'search'}",
        "--max_iterations=1",
        "--steps_per_iteration=2",
        "--noverbose",
        *options,
    )
    assert status == 1
    assert message in line
    assert "use --debug" not in line
    assert not list((tmp_path / "search").glob("state*"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("leaderboard", "--model_dir={}"),
        ("evaluate", "--model_dir={}", "--data=iris"),
        ("predict", "--model_dir={}", "--data=iris"),
        ("predict", "--saved_model={}", "--data=iris"),
        ("export", "--model_dir={}", "--path={}/out"),
        ("report", "--model_dir={}", "--out={}/r.json"),
    ],
)
def test_missing_search(capsys, tmp_path, arguments):
    nowhere = str(tmp_path / "nowhere")
    status, line = fails(capsys, *(each.format(nowhere) for each in arguments))
    assert status == 1
    assert nowhere in line
    assert "use --debug" not in line
    assert not list(tmp_path.iterdir())


def test_unknown_tfds_name(capsys, tmp_path):
    pytest.importorskip("tensorflow_datasets")
    status, line = fails(capsys, "search", f"--model_dir={tmp_path / 'm'}", "--data=tfds:nope")
    assert (status, line) == (1, "tensorflow-datasets has no data set 'nope'.")


def test_help_and_mistakes_load_no_heavy_library():
    code = """
        import json, sys
        from adaptive_nets.cli.app import main
        for arguments in ["--help"], ["search", "--help"], ["--version"], ["search", "--width=x"]:
            main(arguments)
        print(json.dumps(sorted(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not {"tensorflow", "keras", "pandas", "sklearn", "rich"} & loaded


def test_failure_after_tensorflow_loaded_is_still_one_line(tmp_path):
    command = (
        sys.executable,
        "-m",
        "adaptive_nets",
        "leaderboard",
        f"--model_dir={tmp_path / 'm'}",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("adaptive-nets: error: ")
    assert done.stderr.count("\n") == 1, done.stderr
