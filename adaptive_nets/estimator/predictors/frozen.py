"""`FrozenPredictor`: a model of scikit-learn as Keras layers that are not trained."""

import copy
import zlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.estimator.predictors.trees import tree_outputs
from adaptive_nets.graphs.copy import fresh_copy
from adaptive_nets.graphs.state import carry_state

_LEAST = 1e-7  # The least probability, whose logarithm is finite.
_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}


def is_predictor(given: Any) -> bool:
    """Returns whether an object predicts as scikit-learn's models do."""
    return callable(getattr(given, "predict", None)) and hasattr(given, "get_params")


def frozen(model: keras.Layer) -> keras.Layer:
    """Returns a copy of a built model that is not trained."""
    found = fresh_copy(model)
    carry_state(model, found)
    found.trainable = False
    return found


class FrozenPredictor:
    """A function that returns a fitted model's formula as a network, for a `Pool`.

    The network is made of stock layers and operations, so that it is stored, exported and served
    like any other: linear models, perceptrons, trees, forests and gradient boosting of
    scikit-learn, constants (`Dummy*`), and pipelines of these behind a `StandardScaler`.

    Args:
        given: The fitted model.

    Raises:
        ValueError: It is not fitted, or predicts by a formula that is not known here.
    """

    def __init__(self, given: Any) -> None:
        given = self.given = copy.deepcopy(given)
        self.steps = [step for _, step in getattr(given, "steps", [("", given)])]
        self.formula = _formula(self.steps[-1])
        for scaler in self.steps[:-1]:
            if not hasattr(scaler, "scale_") or not hasattr(scaler, "mean_"):
                raise _unknown(given)
        if self.formula is None:
            raise _unknown(given)
        x = keras.Input((self.steps[0].n_features_in_,))
        weights = b"".join(w.tobytes() for w in keras.Model(x, self.logits(x)).get_weights())
        # A search in a folder goes on only with the same candidates, which this names.
        self.__module__ = type(given).__module__
        self.__qualname__ = f"{type(given).__qualname__}, weights {zlib.crc32(weights):08x}"

    @property
    def classes(self) -> list | None:
        """Classes in the order of the logits, or `None` for numbers."""
        found = getattr(self.steps[-1], "classes_", None)
        return None if found is None else np.asarray(found).tolist()

    def __call__(self) -> keras.Layer:
        return _Network(self)

    def logits(self, features: Any) -> Any:
        """Returns the logits of symbolic features."""
        x = self._columns(features)
        for scaler in self.steps[:-1]:
            mean, scale = np.asarray(scaler.mean_), np.asarray(scaler.scale_)
            x = keras.layers.Rescaling((1 / scale).tolist(), (-mean / scale).tolist())(x)
        return self.formula(self.steps[-1], x)

    def _columns(self, features):
        first, count = self.steps[0], self.steps[0].n_features_in_
        names = getattr(first, "feature_names_in_", None)
        given = features if isinstance(features, dict) else {"features": features}
        listed = list(given.values())
        if names is not None and isinstance(features, dict):
            lacking = [name for name in names if name not in features]
            listed = [] if lacking else [features[name] for name in names]
        listed = [keras.ops.cast(each, "float32") for each in listed]
        if any(len(each.shape) != 2 for each in listed) or (
            sum(each.shape[-1] for each in listed) != count
        ):
            wanted = f"{count} columns" if names is None else f"the columns {', '.join(names)}"
            raise ValueError(
                f"{type(self.given).__name__} reads {wanted}, in one feature or in several. "
                f"Received: {', '.join(f'{k}{list(v.shape[1:])}' for k, v in given.items())}."
            )
        return listed[0] if len(listed) == 1 else keras.layers.Concatenate()(listed)


class _Network(keras.Layer):
    """Applies a predictor's layers to symbolic features; it is itself in no graph."""

    def __init__(self, predictor: FrozenPredictor) -> None:
        super().__init__()
        self.predictor = predictor

    def __call__(self, features: Any) -> Any:
        return self.predictor.logits(features)


def _unknown(given):
    return ValueError(
        "A candidate that only predicts must be a fitted model whose formula is known: linear "
        "models, MLP, trees, forests, GradientBoosting and Dummy models of scikit-learn, also "
        "behind StandardScaler in a Pipeline. Others cannot be stored in model_dir or served: "
        f"train a Keras model on their predictions. Received: {show(given)}."
    )


def _formula(given) -> Callable | None:
    """Returns the function of a fitted model and its features that computes logits."""
    if hasattr(given, "coefs_") and given.activation in _ACTIVATIONS:
        return _perceptron
    if hasattr(given, "tree_") or _are_trees(given):
        return _trees
    if hasattr(given, "class_prior_") and hasattr(given, "strategy"):
        return _constant
    if hasattr(given, "constant_"):
        return _constant
    classifies = hasattr(given, "classes_")
    if hasattr(given, "coef_") and np.ndim(given.coef_) in (1, 2):
        return _linear if not classifies or hasattr(given, "predict_proba") else None
    return None


def _are_trees(given):
    found = getattr(given, "estimators_", None)
    return found is not None and all(hasattr(tree, "tree_") for tree in np.ravel(found))


def _fixed(x, kernel, bias, activation=None):
    layer = keras.layers.Dense(kernel.shape[1], activation, trainable=False)
    found = layer(x)
    layer.set_weights([kernel.astype("float32"), np.broadcast_to(bias, kernel.shape[1:])])
    return found


def _linear(given, x):
    kernel = np.atleast_2d(given.coef_).T
    return _fixed(x, kernel, np.asarray(given.intercept_, "float32").reshape(-1))


def _perceptron(given, x):
    *hidden, last = zip(given.coefs_, given.intercepts_, strict=True)
    for kernel, bias in hidden:
        x = _fixed(x, kernel, bias, _ACTIVATIONS[given.activation])
    return _fixed(x, *last)


def _constant(given, x):
    known = getattr(given, "constant_", None)
    if hasattr(given, "classes_"):
        bias = _logits_of(np.asarray(given.class_prior_, "float64"))
    else:
        bias = np.ravel(known)
    return _fixed(x, np.zeros((x.shape[-1], len(bias))), bias)


def _logits_of(shares):
    """Returns the logits of probabilities; of two classes, one."""
    logs = np.log(np.clip(shares, _LEAST, 1.0))
    return logs[..., 1:] - logs[..., :1] if shares.shape[-1] == 2 else logs


def _trees(given, x):
    if hasattr(given, "tree_"):
        return _mean_of_trees(given, x, [given])
    if not hasattr(given, "init_"):
        return _mean_of_trees(given, x, list(given.estimators_))
    # Boosting: a tree of each output in each stage.
    stages = given.estimators_
    outputs, rate = stages.shape[1], given.learning_rate
    trees, values = [], []
    for stage in stages:
        for output, each in enumerate(stage):
            value = np.zeros((each.tree_.node_count, outputs))
            value[:, output] = rate * each.tree_.value[:, 0, 0]
            trees.append(each.tree_)
            values.append(value)
    start = given.init_
    if start == "zero":
        bias = np.zeros(outputs)
    elif hasattr(start, "class_prior_"):
        bias = _logits_of(np.asarray(start.class_prior_, "float64"))
    elif hasattr(start, "constant_"):
        bias = np.ravel(start.constant_)
    else:
        raise _unknown(given)
    return tree_outputs(x, trees, values, bias)


def _mean_of_trees(given, x, each):
    trees = [tree.tree_ for tree in each]
    classifies = hasattr(given, "classes_")
    # A row of values for each node: of one output its classes, or the outputs.
    values = [t.value[:, 0, :] if classifies else t.value[:, :, 0] for t in trees]
    if classifies:
        values = [value / value.sum(axis=1, keepdims=True) for value in values]
    found = tree_outputs(x, trees, [value / len(trees) for value in values], 0.0)
    if not classifies:
        return found
    logs = keras.ops.log(keras.ops.clip(found, _LEAST, 1.0))
    return logs[:, 1:] - logs[:, :1] if found.shape[-1] == 2 else logs
