"""kill -9 at random moments, for real; `test_search_resume` covers every moment one by one."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "kill_resume.py"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_search_ends_like_an_undisturbed_one():
    result = subprocess.run(
        [sys.executable, SCRIPT, "--kills=3", "--seed=1", "--rounds=2", "--steps=600"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 kills" in result.stdout
    assert "all equal; nothing corrupt" in result.stdout
