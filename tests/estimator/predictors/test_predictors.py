"""Models of scikit-learn as layers: the same numbers, and candidates that are served."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import (
    dummy,
    ensemble,
    linear_model,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

import adaptive_nets as an
from adaptive_nets import estimator as est
from adaptive_nets.estimator.predictors import FrozenPredictor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 4)).astype("float32")
NUMBERS = X[:, 0] * X[:, 1] + X[:, 2]
TWO = np.where(NUMBERS > 0, "yes", "no")
THREE = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
SMALL = {"n_estimators": 4, "max_depth": 3, "random_state": 0}
FITTED = [
    (linear_model.Ridge(), NUMBERS), (tree.DecisionTreeRegressor(), NUMBERS),
    (ensemble.RandomForestRegressor(**SMALL), np.stack([NUMBERS, X[:, 0]], 1)),
    (ensemble.GradientBoostingRegressor(**SMALL), NUMBERS),
    (neural_network.MLPRegressor(hidden_layer_sizes=(5,), max_iter=20), NUMBERS),
    (dummy.DummyRegressor(), NUMBERS),
    (pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Lasso(0.1)), NUMBERS),
    (linear_model.LogisticRegression(), TWO), (tree.DecisionTreeClassifier(max_depth=1), THREE),
    (ensemble.ExtraTreesClassifier(**SMALL), TWO),
    (ensemble.RandomForestClassifier(**SMALL), THREE),
    (ensemble.GradientBoostingClassifier(**SMALL), TWO),
    (ensemble.GradientBoostingClassifier(**SMALL), THREE),
    (neural_network.MLPClassifier((5,), max_iter=20, activation="tanh"), THREE),
    (dummy.DummyClassifier(), TWO), (linear_model.LogisticRegression(), THREE),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("model", "y"), FITTED)
def test_it_computes_the_same(model, y, tmp_path):
    model.fit(X, y)
    given = keras.Input((4,))
    network = keras.Model(given, FrozenPredictor(model).logits(given))
    found = np.asarray(network(X))
    if hasattr(model, "predict_proba"):
        both = np.concatenate([0 * found, found], 1) if found.shape[1] == 1 else found
        np.testing.assert_allclose(
            np.asarray(keras.ops.softmax(both)), model.predict_proba(X), atol=1e-5
        )
    else:
        np.testing.assert_allclose(found.reshape(y.shape), model.predict(X), atol=1e-5)
    assert network.trainable_variables == []


@pytest.mark.parametrize("make", [
    lambda: linear_model.Ridge(),
    lambda: ensemble.HistGradientBoostingRegressor(max_iter=2).fit(X, NUMBERS),
    lambda: svm.LinearSVC().fit(X, TWO),
    lambda: pipeline.make_pipeline(
        preprocessing.PolynomialFeatures(), linear_model.Ridge()).fit(X, NUMBERS),
])  # fmt: skip
def test_what_has_no_known_formula_is_refused(make):
    with pytest.raises(ValueError, match="must be a fitted model whose formula is known.*Received"):
        est.AutoEnsembleSubestimator(make())


def test_the_classes_are_those_of_the_head():
    fitted = linear_model.LogisticRegression().fit(X, TWO)
    for head in (an.heads.BinaryClass(["yes", "no"]), an.heads.Regression()):
        with pytest.raises(ValueError, match=r"must predict what head.*Received: \['no', 'yes'\]"):
            est.AutoEnsembleEstimator(head, {"a": fitted}, 4)
    with pytest.raises(ValueError, match="classes, in this order. Received: numbers"):
        ridge = linear_model.Ridge().fit(X, NUMBERS)
        est.AutoEnsembleEstimator(an.heads.BinaryClass(), {"a": ridge}, 4)


def test_candidates_that_only_predict_are_served(tmp_path):
    forest = ensemble.RandomForestClassifier(**SMALL).fit(X, TWO)
    trained = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    before = trained.get_weights()
    only = est.AutoEnsembleSubestimator(trained, prediction_only=True)
    estimator = est.AutoEnsembleEstimator(
        an.heads.BinaryClass(), {"forest": forest, "only": only}, 3, max_iterations=1,
        ensemble_strategies="all", model_dir=tmp_path / "a", config=est.RunConfig(tf_random_seed=0),
    )  # fmt: skip
    estimator.train(lambda: tf.data.Dataset.from_tensors((X, TWO)).repeat(), max_steps=3)
    members = estimator.load(estimator.latest_checkpoint()).ensemble.members
    assert [m.model.trainable_variables for m in members] == [[], []]
    for ours, theirs in zip(members[1].model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert estimator.evaluate(lambda: tf.data.Dataset.from_tensors((X, TWO)))["accuracy"] > 0.8
    raw = est.export.build_raw_serving_input_receiver_fn({"features": tf.constant(X)})
    served = tf.saved_model.load(estimator.export_saved_model(tmp_path / "b", raw))
    found = served.signatures["predict"](features=tf.constant(X))["logits"]
    expected = [row["logits"] for row in estimator.predict(lambda: X)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(ValueError, match="prediction_only requires a built keras.Model"):
        est.AutoEnsembleSubestimator(lambda: trained, prediction_only=True)
