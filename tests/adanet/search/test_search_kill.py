"""kill -9 at random moments, for real; `test_search_resume` covers every moment one by one."""

import functools
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from absl.testing import flagsaver

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "kill_resume.py"


@pytest.fixture(scope="module")
def kill_resume():
    spec = importlib.util.spec_from_file_location("kill_resume", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.FLAGS.mark_as_parsed()
    return module


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_search_ends_like_an_undisturbed_one(kill_resume, python, capsys):
    start = functools.partial(python.start, SCRIPT, stdout=subprocess.PIPE)
    with flagsaver.flagsaver(kills=3, seed=1, rounds=2, steps=600):
        status = kill_resume.compare(start)
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "3 kills" in printed
    assert "all equal; nothing corrupt" in printed
