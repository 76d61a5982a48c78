"""The base class of callbacks that follow a search."""

import keras


class SearchCallback(keras.callbacks.Callback):
    """A Keras callback with hooks for rounds.

    `self.model` is the search. A search's epoch is a round, counted from 0 as Keras counts;
    its batch is one compiled call, named by the last step in it. Setting
    `self.model.stop_training = True` ends the search: its partly trained candidates compete,
    and the next `fit` finishes the round.

    Example:

    ```python
    import adaptive_nets as an

    class StopWhenGood(an.callbacks.SearchCallback):
        def on_round_end(self, iteration, logs=None):
            if logs["accuracy"] > 0.99:
                self.model.stop_training = True
    ```
    """

    def on_round_begin(self, iteration: int, logs: dict | None = None) -> None:
        """Called before a round is trained.

        Args:
            iteration: The round, from 1.
            logs: `{"candidates": names}`.
        """

    def on_round_end(self, iteration: int, logs: dict | None = None) -> None:
        """Called when a round is decided and saved.

        Args:
            iteration: The round, from 1.
            logs: `objective`, `loss` and metrics of the ensemble.
        """
