"""A clock that stands still while the process is stopped."""

import os
import signal
import subprocess
import sys
import time
import types

import pytest

from adaptive_nets.machine import clock

pytestmark = pytest.mark.backend_agnostic


@pytest.fixture
def machine(monkeypatch):
    """Time that passes and processor time that is used, as told."""
    state = types.SimpleNamespace(wall=100.0, used=5.0)
    monkeypatch.setattr(clock.time, "perf_counter", lambda: state.wall)
    monkeypatch.setattr(clock.time, "process_time", lambda: state.used)
    # No tick but those of the test.
    monkeypatch.setattr(clock, "TICK_SECONDS", 1e6)
    return state


def test_a_stop_is_not_counted(machine):
    found = clock.Clock()
    with found.watching():
        began = found.now()
        machine.wall += 1.0
        machine.used += 1.0
        assert found.now() - began == 1.0
        machine.wall += 3600.0
        machine.used += 0.1
        assert found.now() - began == 1.0
        machine.wall += 1.5
        assert found.now() - began == 2.5


def test_a_library_that_lets_no_thread_run_is_counted(machine):
    found = clock.Clock()
    with found.watching():
        began = found.now()
        machine.wall += 60.0
        machine.used += 55.0
        assert found.now() - began == 60.0


def test_where_nobody_watches_all_time_counts(machine):
    found = clock.Clock()
    began = found.now()
    machine.wall += 60.0
    assert found.now() - began == 60.0
    with found.watching():
        machine.wall += 1.0
    assert found.now() - began == 61.0


CHILD = """if True:
    import time
    from adaptive_nets.machine import clock
    clock.LONGEST_GAP, clock.TICK_SECONDS = 0.4, 0.02
    with clock.watching():
        began, passed = clock.now(), time.perf_counter()
        print("ready", flush=True)
        while clock.now() - began < 0.6:
            time.sleep(0.02)
        print(time.perf_counter() - passed)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP")
def test_a_real_stop():
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        os.kill(child.pid, signal.SIGSTOP)
        time.sleep(0.8)
        os.kill(child.pid, signal.SIGCONT)
        passed = float(child.communicate(timeout=60)[0])
    finally:
        child.kill()
    # The stop was not counted, so the rest of the time came after it.
    assert passed > 1.2
