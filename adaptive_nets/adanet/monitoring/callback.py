"""`SearchCallback`: the base class of callbacks that follow a search."""

import keras


class SearchCallback(keras.callbacks.Callback):
    """A Keras callback with hooks for rounds.

    `self.model` is the search. An epoch is a round, counted from 0 as in Keras, and a batch is one
    compiled call, numbered by its last step. Setting `self.model.stop_training = True` ends the
    search: its partly trained subnetworks compete, and the next `fit` finishes the round.

    Attributes:
        steps_per_call: The most steps of one compiled call, after which `on_train_batch_end` is
            called. Few make a search of small networks slow. Defaults to `None`: as many as take a
            moment.

    Example:

    ```python
    import adaptive_nets as an

    class StopWhenGood(an.callbacks.SearchCallback):
        def on_round_end(self, iteration, logs=None):
            if logs["accuracy"] > 0.99:
                self.model.stop_training = True
    ```
    """

    steps_per_call: int | None = None

    def on_round_begin(self, iteration: int, logs: dict | None = None) -> None:
        """Called before a round is trained.

        Args:
            iteration: The round, from 1.
            logs: `{"candidates": names}`, the names of the round's subnetworks.
        """

    def on_round_end(self, iteration: int, logs: dict | None = None) -> None:
        """Called when a round is decided and saved.

        Args:
            iteration: The round, from 1.
            logs: `objective`, `loss` and metrics of the ensemble.
        """
