"""Signals that end a process let the search save a checkpoint first."""

import os
import signal
import threading

import pytest

import adaptive_nets as an
from adaptive_nets.adanet.checkpoints.writer_lease import LEASE_FOLDER
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.machine import signals

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs POSIX signals")


@pytest.fixture(autouse=True)
def handlers():
    before = {
        name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    }
    # What started the tests, such as nohup, may have them ignored.
    for name in before.keys() - {signal.SIGINT}:
        signal.signal(name, signal.SIG_DFL)
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


@pytest.fixture
def ends(monkeypatch):
    """The signals that would have ended the process."""
    found = []
    monkeypatch.setattr(signals.signal, "raise_signal", found.append)
    return found


class Send(an.callbacks.SearchCallback):
    """Sends this process a signal at a step of the second round."""

    def __init__(self, number):
        super().__init__()
        self.number, self.sent = number, False

    def on_train_batch_end(self, step, logs=None):
        if self.model.state.iteration == 1 and step == 2 and not self.sent:
            self.sent = True
            os.kill(os.getpid(), self.number)


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(60)


@pytest.fixture(scope="module")
def whole(lc, data):
    return lc.small(jit_compile=False).fit(*data, verbose=0)


@pytest.mark.usefixtures("one_step_calls")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_saves_a_checkpoint_and_then_ends_the_process(
    lc, data, whole, tmp_path, ends, name, caplog
):
    number = getattr(signal, name)
    search = lc.small(tmp_path, jit_compile=False, checkpoint_seconds=1e6)
    with pytest.raises(KeyboardInterrupt):
        search.fit(*data, verbose=0, callbacks=[Send(number)])
    assert ends == [number] and name in caplog.text
    assert signal.getsignal(number) is signal.SIG_DFL
    assert [p.name for p in tmp_path.glob("checkpoint-*")] == ["checkpoint-000000003.npz"]
    assert not (tmp_path / LEASE_FOLDER).exists()
    lc.assert_same(lc.small(tmp_path, jit_compile=False).fit(*data, verbose=0), whole)


@pytest.mark.usefixtures("one_step_calls")
def test_what_a_handler_of_ones_own_raises_saves_a_checkpoint_too(lc, data, tmp_path, ends):
    def leave(number, frame):
        raise SystemExit(5)

    signal.signal(signal.SIGTERM, leave)
    search = lc.small(tmp_path, jit_compile=False, checkpoint_seconds=1e6)
    with pytest.raises(SystemExit):
        search.fit(*data, verbose=0, callbacks=[Send(signal.SIGTERM)])
    assert list(tmp_path.glob("checkpoint-*")) and not ends
    assert signal.getsignal(signal.SIGTERM) is leave


@pytest.mark.usefixtures("one_step_calls")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "own"])
def test_a_signal_in_the_middle_of_a_compiled_call_finds_weights_that_can_be_saved(
    lc, data, whole, tmp_path, monkeypatch, ends, name
):
    plain, calls = RoundTrainer.run, []
    number = signal.SIGINT if name == "SIGINT" else signal.SIGTERM
    if name == "own":
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A worker of pytest-xdist ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(self, *args):
        losses = plain(self, *args)
        calls.append(None)
        if len(calls) == 4:
            signal.pthread_kill(threading.get_ident(), number)
        return losses

    search = lc.small(tmp_path, jit_compile=False, checkpoint_seconds=1e6)
    with monkeypatch.context() as patched:
        patched.setattr(RoundTrainer, "run", run)
        with pytest.raises(KeyboardInterrupt):
            search.fit(*data, verbose=0)
    # The first of the calls only compiles.
    assert [p.name for p in tmp_path.glob("checkpoint-*")] == ["checkpoint-000000003.npz"]
    assert ends == ([signal.SIGTERM] if name == "SIGTERM" else [])
    lc.assert_same(lc.small(tmp_path, jit_compile=False).fit(*data, verbose=0), whole)


def test_signals_wait_even_if_the_block_fails(ends):
    done = []
    with pytest.raises(signals.TerminatedError), signals.ended_by_signals():
        with signals.held_back(), signals.held_back():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append(True)
        done.append(False)
    failing = signals.ended_by_signals(), signals.held_back()
    with pytest.raises(signals.TerminatedError), failing[0], failing[1]:
        os.kill(os.getpid(), signal.SIGTERM)
        raise ValueError
    assert done == [True] and len(ends) == 2


def test_handlers_of_ones_own_and_ignored_signals_stay(ends):
    seen = []
    own = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number)) or True
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals.ended_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
    assert own is not None and seen == [signal.SIGTERM] and not ends
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_second_signal_does_not_disturb_the_saving(ends):
    saved = []
    with pytest.raises(signals.TerminatedError), signals.ended_by_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            saved.append(True)
    assert saved and ends == [signal.SIGTERM]


def test_in_another_thread_nothing_is_changed():
    seen = []

    def run():
        with signals.ended_by_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_ends_at_once(python):
    code = """if True:
        import os, signal, time
        from adaptive_nets.machine.signals import ended_by_signals
        with ended_by_signals():
            child = os.fork()
            if child == 0:
                try:
                    os.kill(os.getpid(), signal.SIGTERM)
                    time.sleep(60)
                finally:
                    os._exit(1)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            os.kill(os.getpid(), signal.SIGTERM)
    """
    ended = python.run("-c", code, check=False)
    assert (ended.stdout.strip(), ended.returncode) == ("-15", -15)
