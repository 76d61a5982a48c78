"""Real processes of a cluster on this machine: as one process, and whoever is killed."""

import functools
import json

import numpy as np
import pytest
from clusters import SCRIPT, ended, start_cluster


@pytest.fixture
def start(python):
    return functools.partial(start_cluster, python)


@pytest.fixture(scope="module")
def alone(tmp_path_factory, python):
    """What a single process finds."""
    folder = tmp_path_factory.mktemp("alone") / "search"
    python.run(SCRIPT, folder, "replicated")
    return dict(np.load(f"{folder}-0.npz"))


def check_equal(alone, folder, count):
    for rank in range(count):
        found = dict(np.load(f"{folder}-{rank}.npz"))
        assert found.keys() == alone.keys()
        for name, value in alone.items():
            np.testing.assert_allclose(found[name], value, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("lost", ["worker 0", "chief 0"])
def test_whoever_is_killed_the_tasks_started_again_end_as_one_process_does(
    lost, alone, tmp_path, start
):
    folder, names = tmp_path / "search", ["chief 0", "worker 0"]
    first = ended(start(folder, names, fatal=(lost, 40)))
    codes = dict(zip(names, first, strict=True))
    assert codes.pop(lost)[0] == -9
    ((code, text),) = codes.values()
    # The other one says so, and does not wait for ever. TensorFlow itself ends the process where
    # the chief, whose service the workers report to, is gone.
    assert code not in (0, None), "it waits for ever"
    if lost != "chief 0":
        assert "Another process of the cluster was lost" in text, text[-2000:]
    state = sorted(folder.glob("state-*.json"))
    assert json.loads(state[-1].read_text())["record"]["iteration"] == 1
    assert list(folder.glob("checkpoint-*.npz"))
    second = ended(start(folder, names))
    assert [code for code, _ in second] == [0, 0], second[0][1][-3000:]
    check_equal(alone, folder, 2)


@pytest.mark.parametrize("lost", ["worker 0", "chief 0"])
def test_shares_of_a_lost_process_are_trained_by_others(lost, alone, tmp_path, start):
    folder, names = tmp_path / "search", ["chief 0", "worker 0"]
    processes = start(folder, names, "round_robin", (lost, 40))
    place = names.index(lost)
    assert ended([processes[place]])[0][0] == -9
    if lost == "chief 0":
        # The worker has gone on meanwhile, and waits for a chief to decide.
        processes[place] = start(folder, names, "round_robin")[place]
        codes = [code for code, _ in ended(processes)]
        assert codes == [0, 0]
        check_equal(alone, folder, 2)
    else:
        (code, text) = ended([processes[0]])[0]
        assert code == 0, text[-3000:]
        check_equal(alone, folder, 1)
    assert not list(folder.glob("shares/*"))


@pytest.mark.exhaustive
@pytest.mark.parametrize("placement", ["replicated", "round_robin"])
def test_of_two_processes_with_one_index_one_is_refused(placement, alone, tmp_path, start):
    folder, names = tmp_path / "search", ["chief 0", "worker 0", "worker 0"]
    found = ended(start(folder, names, placement))
    codes = [code for code, _ in found]
    assert codes[0] == 0 and sorted(codes[1:]) == [0, 1], found
    text = found[1 + codes[1:].index(1)][1]
    assert "Two processes have the same task of TF_CONFIG" in text, text[-2000:]
    check_equal(alone, folder, 2)
    assert not list(folder.glob("shares/*"))


@pytest.mark.parametrize(("placement", "workers"), [("replicated", 3), ("round_robin", 2)])
def test_train_and_evaluate_with_an_evaluator_is_as_in_one_process(
    placement, workers, tmp_path, python, start
):
    script = SCRIPT.parent / "estimate.py"
    alone = python.run(script, tmp_path / "alone", "replicated")
    expected = json.loads(alone.stdout.splitlines()[-1])
    names = ["chief 0", *(f"worker {k}" for k in range(workers - 1)), "evaluator 0"]
    found = ended(start(tmp_path / "search", names, placement, script=script))
    assert {code for code, _ in found} == {0}, "".join(text[-1500:] for _, text in found)
    *trained, evaluator = (json.loads(text.splitlines()[-1]) for _, text in found)
    assert trained == [None] * workers
    assert evaluator["global_step"] == expected["global_step"] == 80
    assert evaluator["loss"] == pytest.approx(expected["loss"], abs=1e-4)
    assert list((tmp_path / "search" / "eval").iterdir())
