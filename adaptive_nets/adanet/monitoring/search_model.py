"""`SearchModel`: what a Keras callback of a search finds at `self.model`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from adaptive_nets.adanet.monitoring.search_optimizer import SearchOptimizer
from adaptive_nets.keras_internals import metrics_list

if TYPE_CHECKING:
    from adaptive_nets.adanet.checkpoints.checkpointer import Checkpointer

# What a callback may read of the ensemble's model, once there is one.
_OF_MODEL = frozenset(
    ("count_params", "dtype", "dtype_policy", "export", "get_config", "get_layer", "input",
     "input_shape", "inputs", "layers", "non_trainable_variables", "non_trainable_weights",
     "output", "output_shape", "outputs", "save", "save_weights", "summary", "to_json",
     "trainable_variables", "trainable_weights", "variables", "weights")
)  # fmt: skip
# What writes files, which one process of several must do.
_WRITING = frozenset(("export", "save", "save_weights"))
# Methods of Keras models that mean something else, or nothing, during a search.
_REFUSED = {
    "fit": "it is running",
    "compile": "the head is its loss, and the generator holds the optimizers",
    "load_weights": "pass AdaNet the model_dir of the search to go on with",
}
_TOO_EARLY = "there is no ensemble before the end of the first round"


class SearchWeights(list):
    """The weights of `search.model`, which also hold the ensemble they belong to."""

    def __init__(self, arrays: Sequence[Any], ensemble: Any, measured: dict):
        super().__init__(arrays)
        self.ensemble, self.measured = ensemble, measured


class SearchModel:
    """The face of a search towards Keras callbacks.

    It has the attributes of the search, such as `state` or `leaderboard`, and what a callback may
    ask of a Keras model: of the ensemble so far (`save`, `layers`, `summary`, ...), and of the
    training (`stop_training`, `optimizer`, `get_weights`, `set_weights`). An epoch is a round.

    Args:
        search: `AdaNet`.
        keeper: `Checkpointer` of the running `fit`.
        directions: `"up"` or `"down"` for the name of each metric.

    Attributes:
        failed: Whether training has ended with an error, after which nothing is restored.
        history: The `History` callback, which sets it.
    """

    name = "search"
    # TensorBoard reads the graph of a model's training step here.
    train_function = None
    compiled = True
    history = None

    def __init__(self, search: Any, keeper: "Checkpointer", directions: dict[str, str]):
        # Past `__setattr__`, which hands what callbacks set on to the search.
        own = {
            "search": search,
            "optimizer": SearchOptimizer(keeper.state.rate_factor, lambda: search.global_step),
            "failed": False,
            "_keeper": keeper,
            "_better": directions,
        }
        vars(self).update(own)

    @property
    def metrics(self) -> list[Any]:
        """Names and directions of the metrics, in Keras' form."""
        return [metrics_list(self._better)]

    @property
    def metrics_names(self) -> list[str]:
        return list(self._better)

    @property
    def loss(self) -> Callable[[Any, Any], Any]:
        """The head's loss, of labels and logits."""
        return self.search.head.loss

    def get_weights(self) -> list[Any]:
        """Returns the weights of the ensemble's model, for `set_weights`."""
        current = self._keeper.state.current
        if current.ensemble is None:
            raise _no_attribute("get_weights", _TOO_EARLY)
        return SearchWeights(self.search.model.get_weights(), current.ensemble, current.measured)

    def set_weights(self, weights: list[Any]) -> None:
        """Goes back to the ensemble whose weights `get_weights` has returned.

        Args:
            weights: What `get_weights` returned, in this or an earlier round.

        Raises:
            ValueError: It is something else.
        """
        if not isinstance(weights, SearchWeights):
            raise ValueError(
                "The ensemble of a search is more than its weights, so set_weights takes only what "
                f"get_weights of the same search returned. Received: a {type(weights).__name__}."
            )
        state = self._keeper.state
        if self.failed or weights.ensemble is state.current.ensemble:
            return
        if weights.ensemble is not state.ensemble:
            # Subnetworks of a round that is not finished learn what the ensemble lacks.
            self._keeper.drop_checkpoints()
            state = state.without_checkpoint()
        self._keeper.commit(state.with_ensemble(weights.ensemble, weights.measured))

    def evaluate(self, *args: Any, verbose: Any = 0, **kwargs: Any) -> dict[str, float]:
        """Evaluates the ensemble as `AdaNet.evaluate` does; `verbose` is ignored."""
        return self.search.evaluate(*args, **kwargs)

    def predict(self, *args: Any, verbose: Any = 0, **kwargs: Any) -> Any:
        """Predicts with the ensemble as `AdaNet.predict` does; `verbose` is ignored."""
        return self.search.predict(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.search.model(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        search = vars(self).get("search")
        if name in _WRITING and not search.is_chief:
            return lambda *args, **kwargs: None
        if name in _OF_MODEL and self._keeper.state.current.ensemble is None:
            raise _no_attribute(name, _TOO_EARLY)
        if name in _OF_MODEL:
            return getattr(search.model, name)
        if name in _REFUSED:
            raise _no_attribute(name, _REFUSED[name])
        try:
            if not name.startswith("_"):
                return getattr(search, name)
        except AttributeError:
            pass
        raise _no_attribute(name, "a search is not a single model")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("failed", "history"):
            vars(self)[name] = value
        elif name == "optimizer" or name in _OF_MODEL:
            raise _no_attribute(name, "set the learning rate, or the generator's optimizer")
        else:
            setattr(self.search, name, value)


def _no_attribute(name, why):
    return AttributeError(
        f"A callback uses `self.model.{name}`, which a search does not have: {why}. It has the "
        "attributes of AdaNet, and of a Keras model those in docs/callbacks.md. Finished rounds "
        "are kept; call fit again without the callback to go on."
    )
