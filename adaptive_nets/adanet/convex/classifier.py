"""AdaNet.CVX: a network that grows one unit at a time, each in closed form."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from adaptive_nets._checks import show
from adaptive_nets.adanet.convex.choice import choose_lambda
from adaptive_nets.adanet.convex.descent import CoordinateDescent
from adaptive_nets.adanet.convex.network import build_model, decision_values, layer_kernels
from adaptive_nets.adanet.convex.parameters import check_parameters, read_weights
from adaptive_nets.adanet.convex.units import SURROGATES

if TYPE_CHECKING:
    import keras


class ConvexAdaNet(ClassifierMixin, BaseEstimator):
    """Binary classifier that grows a network unit by unit in closed form (AdaNet.CVX).

    The function is `f(x) = b + Σ_j w_j h_j(x)` over the units of all layers; a unit of layer k
    computes `h(x) = u·φ(h_{k-1}(x))` from all units of the layer below (layer 1 from the
    features), with `||u||_p <= Λ`. It minimises

        F(w) = (1/m) Σ_i Φ(1 - y_i f(x_i)) + Σ_j Γ_j |w_j|,   Γ_j = λ r_j + β

    by coordinate descent. Each step finds the new unit of steepest descent in each layer, which
    has a closed form (`convex.units.best_direction`), compares these with the existing units, and
    moves the weight of the best one by exact line search. Units never change after they have been
    added, but their weights do. The algorithm stops when no unit of any layer, old or new, lowers
    F at a rate above `tolerance`, that is, when `|(1/m) Σ_i y_i h(x_i) Φ'(1 - y_i f(x_i))| <= Γ`
    for all of them, or after `max_iterations`. F never rises. The result is deterministic.

    Features should be on similar scales, as produced by `sklearn.preprocessing.StandardScaler`,
    since one bound on `||u||_p` applies to all of them.

    Args:
        surrogate: Φ, `"logistic"`: `log(1 + exp(z))`, or `"exponential"`: `exp(z)`. Defaults to
            `"logistic"`.
        p: Norm of each unit's incoming weights, in `[1, 2]`; at 1 a unit reads a single input.
            Defaults to 2.
        norm_bound: Λ > 0, one number, or a sequence with one per layer. Defaults to 1.
        adanet_lambda: λ >= 0, the cost of complexity, or `"auto"`: of 0.1, 0.03, 0.01, 0.003 and
            0.001 the one with the fewest errors on held-out rows, and as many of the `max_depth`
            layers as these call for. Each third of the rows is held out once; the network is then
            fitted to all. If a class has less than 10 different rows, λ is 0.03. Defaults to
            `"auto"`. With λ = β = 0, on classes that no network separates, only `max_iterations`
            stops the algorithm.
        adanet_beta: β >= 0, the cost of any weight. Defaults to 0.
        complexity: r of a unit: `"sqrt_depth"`, `"rademacher"` (the paper's lemma 2 with the
            current widths), or a function from the depth to a number >= 0. Defaults to
            `"sqrt_depth"`.
        max_iterations: Maximum number of steps, and so of units. Defaults to 300.
        max_depth: Maximum number of layers. Defaults to 2.
        activation: φ, `"relu"`, `"tanh"` or `"linear"`. Defaults to `"relu"`.
        corrective_passes: How often to move the weights of all units to their optima in turn after
            each step. Fewer units then reach the same F, in more time. Defaults to 0, the paper's
            algorithm.
        fit_intercept: Whether f has an intercept b, which is not penalised. Defaults to `True`.
        tolerance: Minimum rate of descent, >= 0, for a step. Defaults to 1e-4.

    Attributes:
        classes_: `[2]` labels; f is positive for the second.
        adanet_lambda_: The λ in use.
        units_: Tuple of `Unit`s (`depth`, `direction`, `complexity`), oldest first.
        coef_: `[units]` mixture weights w, some of them 0.
        intercept_: The intercept b.
        kernels_: List of the layers' weights `[inputs, units of the layer]`, which are the
            units' directions.
        depth_: Number of layers; 0 if no unit was worth its cost.
        n_iter_: Number of steps taken.
        objective_path_: `[n_iter_ + 1]` values of F: without units, then after each step.
        n_features_in_: Number of features.
        feature_names_in_: Names of the features, if all are strings.

    Raises:
        ValueError: In `fit`, if an argument is out of range, or the data is not finite or does
            not have two classes.

    Example:

    ```python
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from adaptive_nets.adanet import ConvexAdaNet

    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
    pipeline = make_pipeline(StandardScaler(), ConvexAdaNet()).fit(x_train, y_train)
    accuracy = pipeline.score(x_test, y_test)
    model = pipeline[-1].to_keras()  # of the scaled features
    ```

    Reference:

    - Cortes, Gonzalvo, Kuznetsov, Mohri, Yang. AdaNet: Adaptive structural learning of
      artificial neural networks. ICML 2017, appendix on AdaNet.CVX.
    """

    def __init__(
        self,
        surrogate: str = "logistic",
        p: float = 2.0,
        norm_bound: float | Sequence[float] = 1.0,
        adanet_lambda: float | str = "auto",
        adanet_beta: float = 0.0,
        complexity: str | Callable[[int], float] = "sqrt_depth",
        max_iterations: int = 300,
        max_depth: int = 2,
        activation: str = "relu",
        corrective_passes: int = 0,
        fit_intercept: bool = True,
        tolerance: float = 1e-4,
    ):
        self.surrogate = surrogate
        self.p = p
        self.norm_bound = norm_bound
        self.adanet_lambda = adanet_lambda
        self.adanet_beta = adanet_beta
        self.complexity = complexity
        self.max_iterations = max_iterations
        self.max_depth = max_depth
        self.activation = activation
        self.corrective_passes = corrective_passes
        self.fit_intercept = fit_intercept
        self.tolerance = tolerance

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ConvexAdaNet":
        """Grows the network.

        Args:
            X: `[rows, features]` numbers.
            y: `[rows]` labels of two classes.
            sample_weight: `[rows]` weights >= 0. An integer weight k counts as k equal rows, also
                in the complexity's m. Defaults to `None`: all weights are 1.

        Returns:
            The estimator.
        """
        check_parameters(self)
        X, y = validate_data(self, X, y, dtype=np.float64)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}. "
                f"Received: y with {len(np.unique(y))} different values."
            )
        weights = read_weights(sample_weight, X)
        X, y, weights = X[weights > 0], y[weights > 0], weights[weights > 0]
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(
                "y must have two classes among the rows of positive weight. "
                f"Received: one class, {show(self.classes_[0])}."
            )
        signs = np.where(y == self.classes_[1], 1.0, -1.0)
        self.adanet_lambda_, layers = self.adanet_lambda, self.max_depth
        if self.adanet_lambda == "auto":
            self.adanet_lambda_, layers = choose_lambda(self._decide, X, signs, weights, layers)
        descent = CoordinateDescent(self, X, signs, weights, self.adanet_lambda_, layers)
        descent.run()
        self.objective_path_ = np.asarray(descent.path)
        self.n_iter_ = len(descent.path) - 1
        self.units_ = tuple(descent.units)
        self.intercept_, self.coef_ = descent.intercept, descent.coefficients
        self.kernels_, self._mixtures = layer_kernels(self.units_, self.coef_)
        self.depth_ = len(self.kernels_)
        return self

    def _decide(self, X, signs, weights, adanet_lambda, layers, others):
        """Returns the values of f on other rows, fitted to these."""
        descent = CoordinateDescent(self, X, signs, weights, adanet_lambda, layers)
        descent.run()
        kernels, mixtures = layer_kernels(descent.units, descent.coefficients)
        return decision_values(others, kernels, mixtures, descent.intercept, self.activation)

    def decision_function(self, X: Any) -> np.ndarray:
        """Computes the function f.

        Args:
            X: `[rows, features]` numbers.

        Returns:
            `[rows]` values, positive for the second class.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return decision_values(X, self.kernels_, self._mixtures, self.intercept_, self.activation)

    def predict(self, X: Any) -> np.ndarray:
        """Predicts the class of each row.

        Args:
            X: `[rows, features]` numbers.

        Returns:
            `[rows]` labels.
        """
        positive = self.decision_function(X) > 0
        return self.classes_[positive.astype(int)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predicts the probabilities for which f(x) minimises the expected surrogate loss.

        With `z = f(x)` these are `sigmoid(2z)` for the exponential surrogate and
        `σ(1 + z) / (σ(1 + z) + σ(1 - z))`, σ the sigmoid, for the logistic one, whose loss
        `log(1 + exp(1 - yz))` is shifted by a margin of 1. The penalty draws them towards 1/2.

        Args:
            X: `[rows, features]` numbers.

        Returns:
            `[rows, 2]` probabilities in the order of `classes_`.
        """
        log_odds = SURROGATES[self.surrogate].log_odds(self.decision_function(X))
        return np.column_stack([expit(-log_odds), expit(log_odds)])

    def to_keras(self, dtype: str = "float32") -> "keras.Model":
        """Converts the network to a plain Keras model of stock layers.

        Args:
            dtype: Dtype of inputs and computation, `"float32"` or `"float64"`. Defaults to
                `"float32"`.

        Returns:
            A Functional `keras.Model` from `[rows, features]` to logits `[rows, 1]`, equal to
            `decision_function` within the rounding of `dtype`.
        """
        check_is_fitted(self)
        if not isinstance(dtype, str) or dtype not in ("float32", "float64"):
            raise ValueError(
                f"dtype must be 'float32' or 'float64'. Received: dtype={show(dtype)}."
            )
        return build_model(
            self.n_features_in_,
            self.kernels_,
            self._mixtures,
            self.intercept_,
            self.activation,
            dtype,
        )
