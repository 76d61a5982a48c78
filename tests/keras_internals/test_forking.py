"""In a fork of a process that has used TensorFlow it is refused, not waited for."""

import os
import signal

import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets import keras_internals as internals

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def in_child(work):
    """Runs a function in a fork of this process; returns its exit status, 0 where it returned."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            # It ends a child that waits for ever.
            signal.alarm(30)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_check_not_forked(tmp_path):
    x, y = np.zeros((8, 2), "float32"), np.arange(8) % 2
    settings = {"max_iterations": 1, "steps_per_iteration": 1, "jit_compile": False}
    search = an.AdaNet(an.heads.BinaryClass(), an.generators.Dense(2, [1]), **settings)
    search.fit(x, y, verbose=0)
    _ = search.model
    internals.check_not_forked("This")

    def refused():
        for name, call in (
            ("AdaNet.fit", lambda: search.fit(x, y, verbose=0)),
            ("AdaNet.load", lambda: an.AdaNet.load(tmp_path)),
            ("AdaNet.model", lambda: search.model),
            ("AdaNet.model", lambda: search.predict(x)),
        ):
            with pytest.raises(RuntimeError, match=f"^{name} needs TensorFlow.*'spawn'"):
                call()
        # What is known without TensorFlow is told.
        assert len(search.leaderboard()) == 1

    assert in_child(refused) == 0


def test_a_fork_before_tensorflow_is_used_may_use_it(python):
    code = """if True:
        import os
        import adaptive_nets.adanet
        child = os.fork()
        if child == 0:
            from adaptive_nets.keras_internals import check_not_forked
            check_not_forked("This")
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert python.run("-c", code).stdout.strip() == "7"
