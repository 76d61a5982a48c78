"""Memory that runs out in a round: the state before it stays whole, and fit goes on from there."""

import pytest
import tensorflow as tf

from adaptive_nets.adanet.rounds.runner import RoundRunner
from adaptive_nets.adanet.rounds.trainer import RoundTrainer

ERRORS = {
    "Python": MemoryError(),
    "TensorFlow": tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nmore"),
}


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(60)


@pytest.fixture(scope="module")
def whole(lc, data):
    return lc.small(jit_compile=False).fit(*data, verbose=0)


@pytest.mark.usefixtures("one_step_calls")
@pytest.mark.parametrize("source", ERRORS)
@pytest.mark.parametrize("place", [(RoundTrainer, "run"), (RoundRunner, "decide")])
def test_the_search_is_kept_and_goes_on(lc, data, whole, tmp_path, monkeypatch, source, place):
    owner, name = place
    plain = getattr(owner, name)
    search = lc.small(tmp_path, jit_compile=False)

    def fail(self, *args):
        # In the middle of the second round.
        if search.state.iteration == 1 and (name == "decide" or args[2] == 3):
            raise ERRORS[source]
        return plain(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, fail)
        with pytest.raises(MemoryError, match="ran out in round 2: .* kept as of round 1.*batch_s"):
            search.fit(*data, verbose=0)
    assert search.state.iteration == 1
    lc.check_files(tmp_path)
    lc.assert_same(search.fit(*data, verbose=0), whole)
