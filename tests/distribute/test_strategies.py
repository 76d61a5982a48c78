"""Strategies by name, and a process's place in its cluster."""

import json
import re

import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.distribute import is_multi_worker, make_strategy, share_of, task_from_environment

CLUSTER = {"chief": ["a:1"], "worker": ["b:1", "c:1"], "ps": ["d:1"]}


def config(kind, index, cluster=CLUSTER):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


def test_names_give_strategies_and_the_same_each_time(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert make_strategy("auto") is make_strategy("one_device")
    assert make_strategy("one_device").num_replicas_in_sync == 1
    mine = tf.distribute.MirroredStrategy(["CPU:0"])
    assert make_strategy(mine) is mine and not is_multi_worker(mine)
    with mine.scope():
        assert make_strategy() is mine
        assert an.AdaNet(an.heads.BinaryClass()).strategy is mine
    assert make_strategy() is tf.distribute.get_strategy()


def test_unknown_names_and_missing_devices_are_refused_at_once(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for wrong in ("mirror", 2, True):
        with pytest.raises(ValueError, match=re.escape(f"Received: distribute={wrong!r}")):
            an.AdaNet(an.heads.BinaryClass(), distribute=wrong)
    with pytest.raises(ValueError, match="needs a cluster in the environment variable TF_CONFIG"):
        make_strategy("multi_worker")
    monkeypatch.setenv("TF_CONFIG", config("evaluator", 0))
    with pytest.raises(ValueError, match="evaluator 0 of TF_CONFIG does not train"):
        make_strategy("multi_worker")


def test_tasks_have_ranks_and_one_writes():
    tasks = [
        task_from_environment(config(kind, index))
        for kind, index in (("chief", 0), ("worker", 0), ("worker", 1), ("evaluator", 0), ("ps", 0))
    ]
    assert [task.rank for task in tasks[:3]] == [0, 1, 2]
    assert [task.is_chief for task in tasks] == [True, False, False, False, False]
    assert [task.trains for task in tasks] == [True, True, True, False, False]
    assert {task.workers for task in tasks} == {3}
    headless = {"worker": ["a:1", "b:1"]}
    first, second = (task_from_environment(config("worker", i, headless)) for i in (0, 1))
    assert first.is_chief and not second.is_chief and second.rank == 1
    for nothing in ("", "  ", "{}", '{"cluster": {}}'):
        alone = task_from_environment(nothing)
        assert alone.is_chief and alone.trains and alone.workers == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "it is not valid JSON"),
        ("[]", "it must be an object"),
        ('{"cluster": ["a:1"]}', "'cluster' must be an object"),
        (config("chief", 0, {"boss": ["a:1"]}), "'boss' is not a task type"),
        (config("worker", 0, {"worker": "a:1"}), "'worker' must be a list of addresses"),
        (config("worker", 0, {"worker": ["a"]}), "'worker' must be a list of addresses"),
        (config("chief", 0, {"chief": ["a:1", "b:1"]}), "more than one chief"),
        (config("worker", 2), "task worker 2 is not in the cluster"),
        (config("worker", -1), "'index' must be an integer >= 0"),
        (config("cook", 0), "'cook' is not a task type"),
        ('{"cluster": {"worker": ["a:1"]}}', "'task' must be an object"),
        (config("ps", 0, {"ps": ["a:1"]}), "neither a chief nor a worker"),
    ],
)
def test_malformed_clusters_are_refused(text, words):
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        task_from_environment(text)
    assert f"Received: {text!r}" in str(error.value)


def test_batches_that_do_not_divide_are_refused():
    class Two:
        num_replicas_in_sync = 2

    assert share_of(6, Two()) == 3
    with pytest.raises(ValueError, match="batch of 5 rows cannot be divided among 2 replicas"):
        share_of(5, Two())


def test_older_names_of_a_cluster_are_mapped():
    cluster = {"master": ["a:1"], "worker": ["b:1"]}
    chief = task_from_environment(config("master", "0", cluster))
    worker = task_from_environment(config("worker", "0", cluster))
    assert (chief.kind, chief.is_chief, chief.rank) == ("chief", True, 0)
    assert (worker.kind, worker.is_chief, worker.rank) == ("worker", False, 1)
    with pytest.raises(ValueError, match="both a 'master' and a 'chief'"):
        task_from_environment(config("master", 0, {**cluster, "chief": ["c:1"]}))
    with pytest.raises(ValueError, match="'index' must be an integer >= 0"):
        task_from_environment(config("worker", "one", cluster))
