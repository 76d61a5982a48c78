"""Processes of a cluster meet before TensorFlow connects them; threads stand for them here."""

import socket
import threading
import time

import pytest

import adaptive_nets as an
from adaptive_nets.distribute import meeting
from adaptive_nets.distribute.meeting import met


def cluster(count=2):
    """The tasks of a cluster at a free port."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    known = {"chief": [f"localhost:{port}"], "worker": [f"far:{k + 1}" for k in range(count - 1)]}
    kinds = [("chief", 0), *(("worker", k) for k in range(count - 1))]
    return [an.distribute.Task(kind, index, count, known) for kind, index in kinds]


def together(acts):
    """Runs functions in threads; returns what each has returned or raised, in their order."""
    found = [None] * len(acts)

    def run(place):
        try:
            found[place] = acts[place]()
        except Exception as error:
            found[place] = error

    threads = [threading.Thread(target=run, args=[k]) for k in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    return found


def meets(task, seconds=10.0, delay=0.0):
    def act():
        time.sleep(delay)
        with met(task, seconds):
            return "met"

    return act


def test_all_go_on_when_the_last_has_come():
    tasks = cluster(3)
    began = time.monotonic()
    assert (
        together([meets(t, delay=d) for t, d in zip(tasks, (0.3, 0, 0.6), strict=True)])
        == ["met"] * 3
    )
    assert time.monotonic() - began < 8


def test_all_are_told_who_is_missing():
    chief, here, _ = cluster(3)
    found = together([meets(chief, 0.5), meets(here, 0.5)])
    for error in found:
        assert isinstance(error, an.distribute.WorkersLostError)
        assert "worker 1 (far:2) has not come within 0.5 s, or has died" in str(error)
        assert "worker 0" not in str(error) and meeting.VARIABLE in str(error)


def test_a_chief_that_does_not_come_is_named():
    (error,) = together([meets(cluster()[1], 0.4)])
    assert isinstance(error, an.distribute.WorkersLostError)
    assert "chief 0 (localhost:" in str(error)


def test_one_that_dies_while_it_waits_may_come_again():
    chief, worker, last = cluster(3)

    def dies():
        port = int(chief.cluster["chief"][0].rpartition(":")[2])
        time.sleep(0.3)
        with socket.create_connection(("localhost", port)) as link:
            link.sendall(b"adaptive_nets 1\n")
        return meets(worker, delay=0.3)()

    strangers = lambda: time.sleep(0.2)  # noqa: E731
    assert together([meets(chief), dies, meets(last, delay=0.5), strangers])[:3] == ["met"] * 3


def test_a_second_process_with_the_same_task_is_refused_and_the_others_go_on():
    chief, worker, last = cluster(3)
    acts = [meets(chief), meets(worker), meets(worker, delay=0.5), meets(last, delay=1.0)]
    *met_, second, third = (together(acts)[k] for k in (0, 1, 3, 2))
    assert [*met_, second] == ["met"] * 3
    assert isinstance(third, ValueError)
    assert "another one that is worker 0 (far:1) waits for the cluster already" in str(third)


def test_a_second_chief_is_refused_by_its_port():
    chief, worker = cluster()
    acts = [meets(chief), meets(chief, delay=0.3), meets(worker, delay=0.8)]
    first, second, last = together(acts)
    assert (first, last) == ("met", "met") and isinstance(second, ValueError)
    assert "The port of chief 0 (localhost:" in str(second) and "same task" in str(second)


def test_a_process_that_comes_when_the_cluster_has_met_is_refused():
    chief, worker = cluster()
    with socket.create_server(("", int(chief.cluster["chief"][0].rpartition(":")[2]))):
        # It takes connections and says nothing, as TensorFlow's service does.
        (error,) = together([meets(worker, 0.6)])
    assert isinstance(error, ValueError)
    assert "answers, but waits for no process" in str(error) and "worker 0 (far:1)" in str(error)


def test_one_that_is_lost_while_tensorflow_connects_ends_the_others(monkeypatch, capsys):
    chief, worker = cluster()
    ended = threading.Event()
    monkeypatch.setattr(meeting.os, "abort", ended.set)

    def connects():
        with met(chief, 10):
            assert ended.wait(10)

    def dies():
        with pytest.raises(KeyboardInterrupt), met(worker, 10):
            raise KeyboardInterrupt

    found = together([connects, dies])
    assert found == [None, None] and ended.is_set()
    assert "WorkersLostError: worker 0 (far:1) was lost" in capsys.readouterr().err


def test_seconds_of_the_environment(monkeypatch):
    monkeypatch.setenv(meeting.VARIABLE, "0.2")
    with pytest.raises(an.distribute.WorkersLostError, match=r"within 0.2 s"), met(cluster()[0]):
        pass
    monkeypatch.setenv(meeting.VARIABLE, "soon")
    words = "must be a number of seconds > 0.*'soon'"
    with pytest.raises(ValueError, match=words), met(cluster()[0]):
        pass
