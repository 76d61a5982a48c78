"""kill -9 at random moments, for real; `test_search_resume` covers every moment one by one."""

import functools
import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "kill_resume.py"


@pytest.fixture(scope="module")
def kill_resume():
    spec = importlib.util.spec_from_file_location("kill_resume", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_search_ends_like_an_undisturbed_one(kill_resume, python, tmp_path, capsys):
    start = functools.partial(python.start, SCRIPT, stdout=subprocess.PIPE)
    given = types.SimpleNamespace(kills=3, seed=1, rounds=2, steps=600)
    attempt = functools.partial(kill_resume.attempt, start=start)
    found = kill_resume.compare(given, tmp_path, attempt)
    printed = capsys.readouterr().out
    assert found["kills"] == 3 and found["equal"] and all(found["equal"]), printed
    assert "all equal; nothing corrupt" in printed
