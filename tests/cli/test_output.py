"""Frames on paper, on a terminal and as data; commands that can be pasted."""

import io
import json
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from adaptive_nets.cli import output

FRAME = pd.DataFrame(
    {"candidate": ["a", "b"], "loss": [0.123456789, np.nan], "steps": [10, 2000000]}
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_plain_columns_where_there_is_no_terminal(capsys):
    output.show(FRAME)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["candidate", "loss", "steps"],
        ["a", "0.12346", "10"],
        ["b", "-", "2000000"],
    ]


def test_drawn_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "80")
    output.show(FRAME)
    drawn = sys.stdout.getvalue()
    assert "──" in drawn
    for cell in ("candidate", "0.12346", "2000000", " - "):
        assert cell in drawn


def test_columns_that_do_not_fit_the_terminal_go_below(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "24")
    output.show(FRAME)
    lines = sys.stdout.getvalue().splitlines()
    assert max(map(len, lines)) <= 24
    words = " ".join(lines).split()
    for cell in ("candidate", "0.12346", "2000000"):
        assert cell in words


class Board(pd.DataFrame):
    """A frame with an order and a text of its own, as the leaderboard is."""

    @property
    def metric_first(self):
        return pd.DataFrame(self)[["loss", "candidate", "steps"]]

    def __repr__(self):
        return "its own text"


def test_a_leaderboard_shows_its_metric_first_and_fits(monkeypatch, capsys):
    output.show(Board(FRAME))
    assert capsys.readouterr().out.split()[:3] == ["loss", "candidate", "steps"]
    output.show(Board(FRAME), "csv")
    assert capsys.readouterr().out.splitlines()[0] == "candidate,loss,steps"
    for width, drawn in (("80", True), ("24", False)):
        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setenv("COLUMNS", width)
        output.show(Board(FRAME))
        shown = sys.stdout.getvalue()
        assert ("its own text" in shown) != drawn
        assert not drawn or shown.index("loss") < shown.index("candidate") < shown.index("0.12346")


def test_csv_and_json_carry_every_digit(capsys):
    output.show(FRAME, "csv")
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(capsys.readouterr().out)), FRAME)
    output.show(FRAME, "json")
    rows = json.loads(capsys.readouterr().out)
    assert rows[0] == {"candidate": "a", "loss": 0.123456789, "steps": 10}
    assert rows[1]["loss"] is None


def test_command_line_is_quoted_and_leaves_out_what_is_not_set():
    line = output.command_line("predict", saved_model="my runs/a'b", data="iris", data_dir=None)
    words = shlex.split(line)
    assert words[-3:] == ["predict", "--saved_model=my runs/a'b", "--data=iris"]


def test_command_line_starts_the_program_it_came_from(monkeypatch, tmp_path):
    script = tmp_path / "bin" / "adaptive-nets"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert output.command_line("export") == f"{shlex.quote(str(script))} export"
    monkeypatch.setenv("PATH", str(script.parent))
    assert output.command_line("export") == "adaptive-nets export"
    monkeypatch.setattr(sys, "argv", ["adaptive-nets"])
    monkeypatch.chdir(tmp_path)
    line = output.command_line("export")
    assert shlex.split(line)[1:] == ["-m", "adaptive_nets", "export"]


@pytest.mark.parametrize("started", ["adaptive-nets", "/nowhere/else"])
def test_module_form_works_when_pasted(monkeypatch, started):
    monkeypatch.setattr(sys, "argv", [started])
    line = output.command_line("--version")
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("adaptive-nets ")


def test_what_is_read_is_not_overwritten(tmp_path):
    data, folder = tmp_path / "data.csv", tmp_path / "model"
    data.write_text("x\n1\n")
    (folder / "members").mkdir(parents=True)
    (folder / "state.json").write_text("")
    sources = (f"csv:{data}", None, str(folder), "digits")
    for target in (data, folder, folder / "state.json", tmp_path, folder / "members" / ".."):
        with pytest.raises(
            ValueError, match=f"--output={target} would overwrite .*, which is read"
        ):
            output.check_target("--output", str(target), sources)
    for name in ("old.csv", "old.html"):
        (folder / name).write_text("")
        output.check_target("--output", str(folder / name), sources)
    for target in (None, tmp_path / "new.csv", folder / "new.csv", "/dev/stdout"):
        output.check_target("--output", target and str(target), sources)


def test_csv_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    frame, target = pd.DataFrame({"a": [1]}), tmp_path / "out.csv"
    output.write_csv([frame], str(target))
    assert target.read_text() == "a\n1\n"
    output.write_csv((pd.DataFrame({"a": [k]}) for k in range(3)), str(target))
    assert target.read_text() == "a\n0\n1\n2\n"

    def full(self, file, **options):
        file.write("ha")
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pd.DataFrame, "to_csv", full)
        with pytest.raises(OSError, match="No space"):
            output.write_csv([frame], str(target))
    assert target.read_text() == "a\n0\n1\n2\n" and len(list(tmp_path.iterdir())) == 1


def test_csv_goes_to_a_pipe(tmp_path):
    import os
    import threading

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(
        target=output.write_csv, args=([pd.DataFrame({"a": [1]})], str(pipe)), daemon=True
    )
    thread.start()
    assert pipe.read_text() == "a\n1\n" and pipe.is_fifo()
    thread.join()
