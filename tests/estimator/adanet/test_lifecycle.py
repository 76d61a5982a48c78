"""The cases of adanet's estimator test: an estimator's life on XOR, by settings.

Steps and settings are theirs. Losses are at most theirs: mixture weights are solved here.
"""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from xor_builders import DNNBuilder, made, members, once, serving_input_fn, xor

from adaptive_nets import estimator as est
from adaptive_nets.estimator import adanet

ALL, GROW, SOLO = (
    adanet.ensemble.AllStrategy(), adanet.ensemble.GrowStrategy(), adanet.ensemble.SoloStrategy()
)  # fmt: skip
GOOD, BAD = (
    adanet.Evaluator(once(np.ones((1, 2), "float32"), np.full((1, 1), y, "float32")), steps=3)
    for y in (0.0, 1.0)
)


class Count(est.SessionRunHook):
    """Counts its calls, and stops its training after some steps."""

    def __init__(self, most=None):
        self.begun = self.steps = self.ended = 0
        self.most = most

    def begin(self):
        self.begun += 1

    def after_run(self, run_context, run_values):
        self.steps += 1
        if self.steps == self.most:
            run_context.request_stop()

    def end(self, session):
        self.ended += 1


def dnn(*sizes, **more):
    names = ["dnn", "dnn2", "dnn3"]
    return [
        DNNBuilder(name, layer_size=size, **more) for name, size in zip(names, sizes, strict=False)
    ]


# Builders, the loss of adanet, rounds that are finished, and what differs from 200 steps per round,
# a matrix of weights with a bias, and 300 steps in all.
LIFE = {
    "one_step": (dnn(1), 0.499, 1, {"max_iteration_steps": 1, "max_steps": 1}),
    "none_max_iteration_steps": (dnn(1), 0.325, 1, {"max_iteration_steps": None, "steps": 300}),
    "single_builder_max_steps": (dnn(1), 0.324, 1, {}),
    "single_builder_steps": (dnn(1), 0.324, 1, {"steps": 300}),
    "single_builder_no_bias": (dnn(1), 0.497, 1, {"use_bias": False}),
    "single_builder_scalar_mixture_weight": (
        dnn(1, last=False), 0.323, 1, {"mixture_weight_type": "scalar"},
    ),
    "single_builder_vector_mixture_weight": (
        dnn(1, last=False), 0.323, 1, {"mixture_weight_type": "vector"},
    ),
    "high_max_iteration_steps": (dnn(1), 0.325, 0, {"max_iteration_steps": 500}),
    "two_builders_different_layer_sizes": (dnn(1, 3), 0.297, 1, {}),
    "three_iterations": (dnn(1, 3), 0.264, 3, {"max_iteration_steps": 100}),
    "evaluator_good_input": (dnn(1, 3), 0.35, 1, {"evaluator": GOOD}),
    "evaluator_bad_input": (dnn(1, 3), 0.35, 1, {"evaluator": BAD}),
    "report_materializer": (
        dnn(1, 3), 0.297, 1, {"report_materializer": adanet.ReportMaterializer(once(), steps=1)},
    ),
    "all_strategy": (dnn(1, 3), 0.292, 1, {"ensemble_strategies": [ALL]}),
    "solo_strategy": (dnn(1, 3), 0.352, 1, {"ensemble_strategies": [SOLO]}),
    "multi_ensemble_strategy": (
        dnn(1, 3), 0.25, 3, {"ensemble_strategies": [ALL, GROW, SOLO], "max_iteration_steps": 100},
    ),
    "several_ensemblers": (
        dnn(1, 3), 0.35, 1, {"ensemblers": [
            adanet.ensemble.ComplexityRegularizedEnsembler(adanet_lambda=0.001),
            adanet.ensemble.MeanEnsembler(),
        ]},
    ),
}  # fmt: skip


def live(folder, builders, want_loss, want_iteration, settings):
    given = {"max_iteration_steps": 200, "force_grow": True, **settings}
    steps, limit = given.pop("steps", None), given.pop("max_steps", 300)

    def metric_fn(predictions):
        mean = keras.metrics.Mean()
        mean.update_state(predictions["predictions"])
        return {"keras_mean": mean}

    estimator = made(folder / "model", builders, metric_fn=metric_fn, **given)
    estimator.train(xor(), steps=steps, max_steps=None if steps else limit)
    found = estimator.evaluate(xor(), steps=10)
    assert found["loss"] <= want_loss + 1e-3
    assert found["global_step"] == (steps or limit) and found["iteration"] == want_iteration
    assert found["keras_mean"] == pytest.approx(found["prediction/mean"], abs=1e-6)
    (row,) = estimator.predict(lambda: {"x": np.zeros((1, 2), "float32")})
    exported = estimator.export_saved_model(folder / "export", serving_input_fn)
    served = tf.saved_model.load(exported).signatures["predict"]
    answer = served(examples=tf.constant([b""]))["predictions"]
    np.testing.assert_allclose(answer, [row["predictions"]], atol=1e-5)
    return estimator


def test_lifecycle(tmp_path):
    live(tmp_path, *LIFE["several_ensemblers"])


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [name for name in LIFE if name != "several_ensemblers"])
def test_every_lifecycle(name, tmp_path):
    estimator = live(tmp_path, *LIFE[name])
    if name == "all_strategy":
        assert members(estimator) == ["dnn", "dnn2"] * 2
    if name == "solo_strategy":
        assert len(members(estimator)) == 1


@pytest.mark.exhaustive
def test_arguments_of_trained_mixture_weights_are_said(tmp_path):
    with pytest.warns(UserWarning, match="accepted but ignored") as caught:
        made(
            tmp_path, dnn(1), replicate_ensemble_in_training=True, warm_start_mixture_weights=True,
            mixture_weight_initializer=keras.initializers.Zeros(),
        )  # fmt: skip
    assert len({str(each.message) for each in caught}) == 3


def test_hooks_of_a_builder_see_its_steps_and_stop_it_alone(tmp_path):
    def weights(name, builders, steps, hooks=()):
        estimator = made(
            tmp_path / name, builders, max_iteration_steps=steps, ensemble_strategies=[ALL]
        )
        estimator.train(xor(), max_steps=steps, hooks=hooks)
        found = estimator.load(estimator.latest_checkpoint()).ensemble.members
        return {member.builder: member.model.get_weights() for member in found}

    one, two, whole = Count(), Count(2), Count()
    stopped = DNNBuilder("dnn2", 0.1, layer_size=3, hooks=[two])
    found = weights("a", [DNNBuilder("dnn", 0.1, hooks=[one]), stopped], 5, [whole])
    assert [(c.begun, c.steps, c.ended) for c in (one, two, whole)] == [
        (1, 5, 1), (1, 2, 1), (1, 5, 1)
    ]  # fmt: skip
    alone = weights("b", [DNNBuilder("dnn2", 0.1, layer_size=3)], 2)
    for ours, wanted in zip(found["dnn2"], alone["dnn2"], strict=True):
        np.testing.assert_allclose(ours, wanted, atol=1e-6)
    whole_run = weights("c", [DNNBuilder("dnn", 0.1)], 5)
    for ours, wanted in zip(found["dnn"], whole_run["dnn"], strict=True):
        np.testing.assert_allclose(ours, wanted, atol=1e-6)


def test_hooks_of_builders_are_refused_where_others_train(tmp_path, monkeypatch):
    cluster = {"chief": ["localhost:1"], "worker": ["localhost:2"]}
    config = {"cluster": cluster, "task": {"type": "chief", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    estimator = made(
        tmp_path, [DNNBuilder("dnn", hooks=[Count()])],
        experimental_placement_strategy=adanet.distributed.RoundRobinStrategy(),
    )  # fmt: skip
    with pytest.raises(ValueError, match="which other processes do.*Received: steps_per_call=1"):
        estimator.train(once(), max_steps=1)


@pytest.mark.parametrize(("keep", "wanted"), [
    pytest.param(None, ["1_d", "2_d", "3_d"], marks=pytest.mark.exhaustive),
    pytest.param(2, ["2_d", "3_d"]),
    pytest.param(1, ["3_d"], marks=pytest.mark.exhaustive),
])  # fmt: skip
def test_a_builder_prunes_the_previous_ensemble(keep, wanted, tmp_path):
    estimator = made(tmp_path, [DNNBuilder("d", keep=keep)], force_grow=True)
    estimator.train(xor(), max_steps=3)
    found = estimator.load(estimator.latest_checkpoint()).ensemble
    assert [member.name for member in found.members] == wanted
    # One that keeps places which there are not is refused.
    wrong = DNNBuilder("d")
    wrong.prune_previous_ensemble = lambda previous_ensemble: [7]
    with pytest.raises(ValueError, match=r"from 0 to \d\. Received: \[7\]"):
        wrong.keeps(found)
