"""A search where scikit-learn expects an estimator; and habits of its users."""

import json
import os

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import ShuffleSplit, cross_val_score
from sklearn.utils import get_tags

import adaptive_nets as an

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3)).astype("float32")
NAMES = np.array(["ant", "bee", "cat"])[np.argmax(X, axis=1)]
W = RNG.uniform(0, 2, 120)


def small(head, **settings):
    given = {"max_iterations": 1, "steps_per_iteration": 30, "seed": 0, "preprocessing": None}
    return an.AdaNet(head, an.generators.Dense(4, [1]), **{**given, **settings})


@pytest.fixture(scope="module")
def classifier():
    return small(an.heads.MultiClass()).fit(X, NAMES, class_weight="balanced", verbose=0)


@pytest.fixture(scope="module")
def regressor():
    return small(an.heads.Regression()).fit(X, X[:, 0] * 3, verbose=0)


@pytest.fixture(scope="module")
def tagger():
    return small(an.heads.MultiLabel()).fit(X, X > 0, verbose=0)


def test_a_classifier_has_classes_probabilities_and_a_score(classifier):
    assert classifier.classes_.tolist() == ["ant", "bee", "cat"]
    found = classifier.predict_proba(X)
    np.testing.assert_array_equal(found, classifier.predict(X, output="probabilities"))
    predicted = classifier.predict(X)
    np.testing.assert_array_equal(classifier.classes_[found.argmax(axis=1)], predicted)
    for w in (None, W):
        expected = accuracy_score(NAMES, predicted, sample_weight=w)
        assert classifier.score(X, NAMES, w) == pytest.approx(expected, abs=1e-6)


def test_a_regression_scores_r2_and_has_no_classes(regressor):
    y = X[:, 0] * 3
    expected = r2_score(y, regressor.predict(X), sample_weight=W)
    assert regressor.score(X, y, sample_weight=W) == pytest.approx(expected, abs=1e-5)
    for name in ("classes_", "predict_proba"):
        assert not hasattr(regressor, name)
        with pytest.raises(AttributeError, match=f"{name}'?: it needs a .*head"):
            getattr(regressor, name)


def test_labels_per_row_score_as_a_whole_and_booleans_come_back(tagger):
    predicted = tagger.predict(X)
    assert predicted.dtype == bool
    assert tagger.score(X, X > 0) == pytest.approx(accuracy_score(X > 0, predicted))
    assert tagger.classes_.tolist() == [0, 1, 2] and tagger.predict_proba(X).shape == (120, 3)


def test_several_heads_score_by_their_loss(classifier):
    y = {"name": NAMES, "size": X[:, 0]}
    head = an.heads.Multi({"name": an.heads.MultiClass(), "size": an.heads.Regression()})
    search = small(head).fit(X, y, verbose=0, sample_weight={"size": W})
    assert search.score(X, y) == pytest.approx(-search.evaluate(X, y)["loss"])
    # Both weigh the size alone.
    apart = search.evaluate(X, y, sample_weight={"size": W})
    assert apart["name/accuracy"] == search.evaluate(X, y)["name/accuracy"]
    assert apart["size/mse"] == pytest.approx(search.evaluate(X, y, sample_weight=W)["size/mse"])
    assert not hasattr(search, "predict_proba")


def test_tags_say_what_a_search_is(classifier, regressor, tagger):
    assert is_classifier(classifier) and is_regressor(regressor) and is_classifier(tagger)
    assert (
        get_tags(tagger).classifier_tags.multi_label and get_tags(tagger).target_tags.multi_output
    )
    assert not get_tags(classifier).classifier_tags.multi_label
    assert get_tags(classifier).target_tags.required
    assert not get_tags(classifier).non_deterministic
    assert get_tags(small(an.heads.BinaryClass(), seed=None)).non_deterministic


def test_a_clone_is_unfitted_and_shares_neither_head_nor_folder(tmp_path):
    search = small(an.heads.MultiClass(), model_dir=tmp_path / "run")
    twin = clone(search)
    assert type(twin) is an.AdaNet and twin.head == search.head and twin.head is not search.head
    assert twin.model_dir is None and search.model_dir == str(tmp_path / "run")
    kept = ("head", "generator", "model_dir")
    mine, its = search.get_params(), twin.get_params()
    assert {k: v for k, v in mine.items() if k not in kept} == {
        k: v for k, v in its.items() if k not in kept
    }


def test_parameters_change_all_or_none(regressor):
    search = small(an.heads.MultiClass())
    assert search.set_params(seed=5, max_iterations=np.int64(3)) is search
    assert (search.seed, search.max_iterations) == (5, 3)
    with pytest.raises(ValueError, match="set_params takes .* Received: seeds"):
        search.set_params(seeds=1)
    with pytest.raises(ValueError, match="max_iterations must be an integer"):
        search.set_params(seed=6, max_iterations=0)
    assert (search.seed, search.max_iterations) == (5, 3)
    with pytest.raises(AttributeError, match="seed cannot be changed"):
        regressor.set_params(seed=1)


def test_cross_validation_fits_a_clone_on_each_part():
    search, parts = small(an.heads.MultiClass()), ShuffleSplit(1, random_state=0)
    (found,) = cross_val_score(search, X, NAMES, cv=parts, params={"verbose": 0})
    ((train, test),) = parts.split(X)
    by_hand = clone(search).fit(X[train], NAMES[train], verbose=0)
    assert found == by_hand.score(X[test], NAMES[test])
    assert search.state.iteration == 0


@pytest.mark.parametrize(
    "labels",
    [X[:, 0] > 0, (X[:, 0] > 0).tolist(), pd.Series(X[:, 0] > 0, dtype="boolean"),
     keras.ops.convert_to_tensor(X[:, 0] > 0)],
    ids=["array", "list", "nullable", "tensor"],
)  # fmt: skip
@pytest.mark.parametrize("make", [an.heads.BinaryClass, an.heads.MultiClass])
def test_boolean_labels_come_back_as_booleans(make, labels):
    head = make().adapt(labels)
    assert head.class_labels == [False, True]
    restored = make.from_config(json.loads(json.dumps(head.get_config())))
    logits = np.eye(2)[:, :: -1 if make is an.heads.BinaryClass else 1][:, : head.units] - 0.5
    found = np.asarray(restored.predictions(logits)["classes"])
    assert found.dtype == bool and set(found.tolist()) == {True, False}
    np.testing.assert_array_equal(restored.encode(labels), head.encode(np.asarray(X[:, 0] > 0) * 1))


def test_numbers_come_back_as_numbers_after_booleans_were_possible():
    for labels in ([0, 1], [0.0, 1.0], np.array([0, 1], "uint8")):
        assert an.heads.BinaryClass().adapt(labels).class_labels == [0, 1]
        assert not isinstance(an.heads.BinaryClass().adapt(labels).class_labels[0], bool)


def test_paths_are_made_absolute_once(tmp_path, monkeypatch, classifier):
    (tmp_path / "home").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    relative = small(an.heads.MultiClass(), model_dir="run", steps_per_iteration=1)
    at_home = small(an.heads.MultiClass(), model_dir="~/run", steps_per_iteration=1)
    config = an.estimator.RunConfig(model_dir="estimator")
    monkeypatch.chdir(tmp_path / "other")
    assert config.model_dir == str(tmp_path / "estimator")
    assert relative.model_dir == str(tmp_path / "run")
    at_home.fit(X, NAMES, verbose=0)
    assert list((tmp_path / "home" / "run").glob("state-*.json"))
    assert an.AdaNet.load("~/run").model_dir == str(tmp_path / "home" / "run")
    assert classifier.export("~/exported") == str(tmp_path / "home" / "exported")
    assert os.listdir(tmp_path / "other") == []


def test_settings_of_numpy_are_stored_as_python(tmp_path):
    given = {
        "max_iterations": np.int64(1), "steps_per_iteration": np.int32(2), "seed": np.uint8(3),
        "adanet_lambda": np.float32(0.5), "adanet_beta": np.float16(0),
        "force_grow": np.bool_(True),
        "mixture_bias": np.False_,
        "jit_compile": np.bool_(False), "cache_bytes": np.int64(1 << 20),
        "checkpoint_seconds": np.array(5.0), "penalize_training": np.bool_(False),
    }  # fmt: skip
    search = an.AdaNet(an.heads.MultiClass(), an.generators.Dense(4, [1]), **given)
    for name, value in given.items():
        assert type(getattr(search, name)) is type(value.item()), name
    json.dumps(search.settings.to_json())
