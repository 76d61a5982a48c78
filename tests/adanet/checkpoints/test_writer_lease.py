"""One writer of a folder at a time, whoever is killed, stopped or forked."""

import contextlib
import json
import os
import shutil
import sys
import threading
import time

import pytest

import adaptive_nets as an
from adaptive_nets.adanet.checkpoints import heartbeat, model_dir, writer_lease
from adaptive_nets.adanet.checkpoints.writer_lease import (
    LEASE_FOLDER,
    ModelDirInUseError,
    WriterLease,
)
from adaptive_nets.files import processes

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@contextlib.contextmanager
def elsewhere(monkeypatch, machine="f" * 12):
    """What is asked inside is asked on another machine."""
    with monkeypatch.context() as patched:
        patched.setattr(processes, "this_machine", lambda: machine)
        yield


def header(step):
    """The header of a checkpoint of one subnetwork."""
    return {
        "round": 1, "names": ["1_a"], "step": step, "seconds": 0.5, "losses": [0.5],
        "diverged": [0], "window": 1, "curve": [], "partial": [0.0],
    }  # fmt: skip


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(writer_lease, "POLL_SECONDS", 0.01)


def test_a_second_writer_is_refused_until_the_first_has_ended(tmp_path):
    folder = tmp_path / "new" / "search"
    with WriterLease(folder).held() as lease:
        lease.confirm()
        with pytest.raises(ModelDirInUseError) as refused:
            WriterLease(folder).acquire()
        text = str(refused.value)
        assert f"'{folder}' is in use: another fit of this process (since 20" in text
        assert "lock_timeout" in text and "\n" not in text
    with WriterLease(folder).held():
        pass
    assert not list(tmp_path.iterdir())


def test_the_copy_of_a_folder_that_is_written_to_is_free(tmp_path):
    with WriterLease(tmp_path / "search").held():
        shutil.copytree(tmp_path / "search", tmp_path / "copy")
        with WriterLease(tmp_path / "copy").held():
            pass
        assert not (tmp_path / "copy" / LEASE_FOLDER).exists()


def test_what_else_is_in_the_folder_stays(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with WriterLease(tmp_path).held():
        (tmp_path / LEASE_FOLDER / "strange").write_text("strange")
    assert (tmp_path / LEASE_FOLDER / "strange").exists() and (tmp_path / "mine.txt").exists()
    with WriterLease(tmp_path).held():
        pass


def test_a_second_writer_waits_if_asked(tmp_path, quick):
    first = WriterLease(tmp_path)
    first.acquire()
    threading.Timer(0.2, first.release).start()
    began = time.monotonic()
    with WriterLease(tmp_path).held(timeout=30):
        assert 0.1 < time.monotonic() - began < 20


def test_an_error_gives_the_lease_back(tmp_path):
    with pytest.raises(KeyboardInterrupt), WriterLease(tmp_path).held():
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@LINUX
def test_a_killed_writer_of_this_machine_is_replaced_at_once(tmp_path, python):
    code = (
        "import os, sys, signal\n"
        "from adaptive_nets.adanet.checkpoints.writer_lease import WriterLease\n"
        "WriterLease(sys.argv[1]).acquire()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert python.run("-c", code, tmp_path, check=False).returncode == -9
    assert len(list((tmp_path / LEASE_FOLDER).iterdir())) == 1
    lease = WriterLease(tmp_path)
    lease.acquire()
    assert len(list((tmp_path / LEASE_FOLDER).iterdir())) == 1
    lease.release()


@LINUX
def test_an_id_that_is_used_again_is_another_process():
    own = processes.Process.current()
    assert not own.is_gone
    assert processes.Process(own.machine, own.pid, own.started - 1).is_gone
    assert not processes.Process("0" * 12, own.pid, own.started - 1).is_gone
    assert processes.Process.from_name(f"{own.name}-rest") == own
    assert processes.Process.from_name("note.txt") is None


def test_a_writer_of_another_machine_is_seen_by_its_heartbeat(tmp_path, quick, monkeypatch):
    with elsewhere(monkeypatch):
        remote = WriterLease(tmp_path)
    words = r"is in use: process \d+ on .* \(since"
    with remote.held(), pytest.raises(ModelDirInUseError, match=words):
        WriterLease(tmp_path).acquire()


def test_a_lost_writer_of_another_machine_is_replaced_and_writes_nothing(
    tmp_path, quick, monkeypatch
):
    with elsewhere(monkeypatch):
        remote = WriterLease(tmp_path)
    # Without its heartbeat, as if the process or its network were stopped.
    remote.acquire()
    stopped = model_dir.ModelDir(tmp_path)
    stopped.lease = remote
    stopped.write_checkpoint(1, header(1), [])
    began = time.monotonic()
    with WriterLease(tmp_path, lost_seconds=0.3).held():
        assert time.monotonic() - began > 0.3
        before = sorted(path.name for path in tmp_path.iterdir())
        for write in (
            lambda: stopped.write_checkpoint(2, header(2), []),
            lambda: stopped.subfolder("generator"),
            stopped.drop_checkpoints,
            stopped.remove,
        ):
            with pytest.raises(ModelDirInUseError, match="no longer holds model_dir.*has taken it"):
                write()
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        remote.release()


def test_a_watcher_that_was_stopped_itself_takes_nobody_for_lost(tmp_path, monkeypatch):
    file, now = tmp_path / "file", [0.0]
    file.touch()
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now[0])
    silence = heartbeat.Silence()
    assert silence.seconds(file) == 0
    now[0] = 1.0
    assert silence.seconds(file) == 1
    now[0] = 3600.0
    assert silence.seconds(file) == 3 and not silence.has_changed(file)
    # Wall clocks may differ or step back: any change counts.
    os.utime(file, (5, 5))
    assert silence.seconds(file) == 0 and silence.has_changed(file)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_neither_holds_nor_releases(tmp_path, python):
    code = """if True:
        import os, sys
        from adaptive_nets.adanet.checkpoints.writer_lease import ModelDirInUseError, WriterLease
        lease = WriterLease(sys.argv[1])
        lease.acquire()
        child = os.fork()
        if child == 0:
            try:
                lease.confirm()
            except ModelDirInUseError as error:
                lease.release()
                os._exit(7 if "forked" in str(error) else 1)
            os._exit(2)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        lease.confirm()
        lease.release()
    """
    assert python.run("-c", code, tmp_path).stdout.strip() == "7"


def test_a_linked_lease_folder_is_refused(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / LEASE_FOLDER).symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="is a link"):
        WriterLease(tmp_path).acquire()
    assert not list((tmp_path / "outside").iterdir())


# A race -------------------------------------------------------------------------------------------

RACE = """if True:
    import fcntl, os, random, signal, sys, time, traceback
    from adaptive_nets.files import processes
    from adaptive_nets.adanet.checkpoints import heartbeat, writer_lease
    from adaptive_nets.adanet.checkpoints.writer_lease import ModelDirInUseError, WriterLease

    folder, wanted, workers, seed = sys.argv[1], *map(int, sys.argv[2:])
    writer_lease.POLL_SECONDS = 0.002
    heartbeat.HEARTBEAT_SECONDS = 0.01
    log = os.open(folder + ".log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def work(number):
        chance = random.Random(f"{seed} {number}")
        # Two machines, which see each other only by their heartbeats.
        machine = "ab"[number % 2] * 12
        processes.this_machine = lambda: machine
        while True:
            try:
                with WriterLease(folder, lost_seconds=0.5).held(chance.choice([0, 1, 1])) as lease:
                    witness = os.open(folder + ".witness", os.O_CREAT | os.O_RDWR)
                    try:
                        fcntl.flock(witness, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        os.write(log, b"two\\n")
                    lease.confirm()
                    os.write(log, b"one\\n")
                    time.sleep(chance.uniform(0, 0.004))
                    if chance.random() < 0.08:
                        os.kill(os.getpid(), signal.SIGKILL)
                    os.close(witness)
            except ModelDirInUseError as error:
                if "is in use" not in str(error):
                    os.write(log, b"lost\\n")
                time.sleep(chance.uniform(0, 0.01))

    def start(number):
        child = os.fork()
        if child == 0:
            try:
                work(number)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        return child

    running = {start(number): number for number in range(workers)}
    count, killed, until = 0, 0, time.monotonic() + 60
    while count < wanted and time.monotonic() < until:
        time.sleep(0.02)
        if random.Random(count).random() < 0.1:
            os.kill(random.choice(list(running)), signal.SIGKILL)
        child, status = os.waitpid(-1, os.WNOHANG)
        if child:
            if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
                print("failed", os.waitstatus_to_exitcode(status))
                break
            killed += 1
            workers += 1
            running[start(workers + running.pop(child) % 2)] = workers
        count = open(folder + ".log").read().count("one")
    for child in running:
        os.kill(child, signal.SIGKILL)
    text = open(folder + ".log").read()
    print(text.count("one"), text.count("two"), text.count("lost"), killed)
"""


@LINUX
def test_never_two_of_racing_processes_hold_it(tmp_path, python):
    given = os.environ.get("LEASE_RACES", "200"), "6", "1"
    out = python.run("-c", RACE, tmp_path / "search", *given).stdout.split()
    held, two, lost, killed = map(int, out)
    assert held >= int(given[0]) and two == 0, out
    assert killed >= 5, out


# A search -----------------------------------------------------------------------------------------


def test_two_fits_on_one_folder(lc, tmp_path):
    x, y = lc.blobs(60)
    folder = tmp_path / "search"
    settings = {"max_iterations": 1, "steps_per_iteration": 2, "jit_compile": False}
    refused = []

    class Second(an.callbacks.SearchCallback):
        def on_round_begin(self, iteration, logs=None):
            assert len(list((folder / LEASE_FOLDER).iterdir())) == 1
            with pytest.raises(ModelDirInUseError, match="is in use"):
                lc.small(folder, **settings).fit(x, y, verbose=0)
            refused.append(an.AdaNet.load(folder) if list(folder.glob("state-*")) else None)

    first = lc.small(folder, **settings).fit(x, y, verbose=0, callbacks=[Second()])
    assert refused and first.state.iteration == 1
    assert not (folder / LEASE_FOLDER).exists()
    lc.assert_same(first, lc.small(**settings).fit(x, y, verbose=0))


def test_a_search_that_has_lost_its_folder_stops_and_writes_nothing(lc, tmp_path):
    x, y = lc.blobs(60)
    folder = tmp_path / "search"

    class Lose(an.callbacks.SearchCallback):
        def on_train_batch_end(self, step, logs=None):
            if self.model.state.iteration == 1 and not self.files:
                shutil.rmtree(folder / LEASE_FOLDER)
                self.files = lc.contents(folder)

    lose = Lose()
    lose.files = None
    search = lc.small(folder, jit_compile=False)
    with pytest.raises(ModelDirInUseError, match="no longer holds"):
        search.fit(x, y, verbose=0, callbacks=[lose])
    left = {name: data for name, data in lc.contents(folder).items() if "tensorboard" not in name}
    assert left.items() <= lose.files.items()
    assert an.AdaNet.load(folder).state.iteration == 1


def test_an_object_does_not_go_on_from_what_another_has_overtaken(lc, tmp_path):
    x, y = lc.blobs(60)
    settings = {"max_iterations": 1, "steps_per_iteration": 2, "jit_compile": False}
    first = lc.small(tmp_path, **settings).fit(x, y, verbose=0)
    loaded = an.AdaNet.load(tmp_path, max_iterations=2)
    second = an.AdaNet.load(tmp_path, max_iterations=2).fit(x, y, verbose=0)
    for late in (first, loaded):
        late.max_iterations = 2
        with pytest.raises(ValueError, match="another process.*has continued.*AdaNet.load"):
            late.fit(x, y, verbose=0)
    again = an.AdaNet.load(tmp_path)
    assert json.loads(lc.table(again)) == json.loads(lc.table(second))


def test_of_two_that_opened_a_finished_search_one_goes_on(lc, tmp_path):
    """The lease is taken before the first change; what was read by then must still be true."""
    x, y = lc.blobs(60)
    settings = {"max_iterations": 1, "steps_per_iteration": 2, "jit_compile": False}
    lc.small(tmp_path, **settings).fit(x, y, verbose=0)
    second = model_dir.ModelDir(tmp_path)
    an.AdaNet.load(tmp_path, max_iterations=2).fit(x, y, verbose=0)
    with contextlib.ExitStack() as stack:
        second.take_lease = lambda: stack.enter_context(WriterLease(tmp_path).held())
        before = lc.contents(tmp_path)
        with pytest.raises(ModelDirInUseError, match="written to by another fit meanwhile"):
            second.write_checkpoint(1, header(1), [])
    assert lc.contents(tmp_path).keys() == before.keys()
