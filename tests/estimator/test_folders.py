"""Folders that estimators share: one trains at a time; weights of others are taken by path."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets import estimator as est
from adaptive_nets.adanet.checkpoints.writer_lease import ModelDirInUseError

X = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
Y = (X[:, 0] > X[:, 1]).astype(int)


def input_fn():
    return tf.data.Dataset.from_tensor_slices((X, Y)).repeat().batch(32)


def made(folder, width=2, **settings):
    settings = {"max_iteration_steps": 4, "max_iterations": 1, "jit_compile": False, **settings}
    generator = an.generators.Dense(width, 1, learning_rate=1e-30, optimizer="sgd")
    return est.Estimator(an.heads.BinaryClass(), generator, model_dir=folder, **settings)


def member_of(folder):
    (member,) = an.AdaNet.load(folder).state.members().values()
    return member.model


def test_a_second_training_is_refused_before_its_data_are_read(tmp_path):
    heard = []

    def reading():
        # Another estimator on the same folder, while the first one reads its data.
        for other in (made(tmp_path), est.Estimator(lambda features: None, model_dir=tmp_path)):
            with pytest.raises(ModelDirInUseError, match="is in use: another fit of this process"):
                other.train(lambda: heard.append("read"), steps=1)
        return input_fn()

    first = made(tmp_path).train(reading, steps=4)
    assert first.get_variable_value("global_step") == 4 and not heard
    assert not (tmp_path / "writer.lease").exists()


def test_weights_are_taken_by_path_and_what_is_not_is_listed(tmp_path):
    made(tmp_path / "first", max_iterations=1).train(input_fn, steps=4)
    first = member_of(tmp_path / "first")
    kernel, bias, *output = first.get_weights()
    # At such a learning rate the weights are those that it begins with.
    same = made(
        tmp_path / "same", complexity="rademacher", warm_start_from=tmp_path / "first",
        config=est.RunConfig(tf_random_seed=7),
    ).train(input_fn, steps=4)  # fmt: skip
    for one, other in zip(
        member_of(same.model_dir).get_weights(), first.get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-20)
    wider = made(tmp_path / "wider", 5, warm_start_from=tmp_path / "first")
    wider.train(input_fn, steps=4)
    assert not np.array_equal(member_of(wider.model_dir).get_weights()[0][:, :2], kernel)
    state = json.loads(max((tmp_path / "wider").glob("state-*.json")).read_text())
    (name,) = state["warm_start"]["taken"]
    taken, left = state["warm_start"]["taken"][name], state["warm_start"]["left"][name]
    assert len(taken) + len(left) == 4
    assert any("another shape (3, 2), here (3, 5)" in why for why in left.values())
    # It may go on, as long as the other search stays as it was.
    wider.train(input_fn, steps=1)


def test_a_search_that_can_go_on_takes_the_ensemble(tmp_path):
    made(tmp_path / "first").train(input_fn, steps=4)
    found = made(
        tmp_path / "next", 3, max_iterations=2, adanet_lambda=0.01, force_grow=True,
        warm_start_from=tmp_path / "first",
    )  # fmt: skip
    found.train(input_fn, steps=4)
    assert found.get_variable_value("global_step") == 8
    changed = {change.setting for change in an.AdaNet.load(tmp_path / "next").changes}
    assert {"adanet_lambda", "generator"} <= changed


def test_weights_of_a_model_fn_are_taken_where_they_fit(tmp_path):
    def estimator(folder, width, source=None):
        def model_fn(features, labels, mode):
            hidden = keras.layers.Dense(width)(features)
            logits = keras.layers.Dense(1, use_bias=False, name="out")(
                keras.ops.mean(hidden, axis=1, keepdims=True)
            )
            loss = None if labels is None else tf.reduce_mean(tf.square(logits))
            return est.EstimatorSpec(
                mode, predictions=logits, loss=loss, train_op=keras.optimizers.SGD(0.0)
            )

        return est.Estimator(model_fn, model_dir=folder, warm_start_from=source)

    def last(folder):
        return np.load(max(folder.glob("model_fn-*.npz")))["w2"]

    estimator(tmp_path / "first", 2).train(input_fn, steps=1)
    estimator(tmp_path / "next", 4, tmp_path / "first").train(input_fn, steps=1)
    np.testing.assert_array_equal(last(tmp_path / "first"), last(tmp_path / "next"))
