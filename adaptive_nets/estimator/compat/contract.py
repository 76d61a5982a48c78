"""What becomes of the arguments of tf.estimator 2.15 and adanet 0.9 that have no equal here."""

import inspect
from typing import Any

from adaptive_nets._arguments import Ignored, Mapped, Refused
from adaptive_nets._checks import show

_GRAPH = "there is no graph to save; the state holds what is needed"
_TIME = "checkpoints go by time: save_secs, or save_checkpoints_secs of RunConfig"
_WAITS = "workers need no delay, and always wait for the chief"
_SOLVED = "mixture weights are solved, not trained"
_SUMMARIES = "summaries are always written"
_BINARY = Refused("only binary SavedModels are written. Leave it out.", (False, None))
_ONE_DEVICE = Refused("evaluation uses one device. Use train_distribute.")
_CALLBACKS = "evaluation calls no hooks. Read the metrics that it returns"


RUN_CONFIG = {
    "save_summary_steps": Ignored("summaries are written as training proceeds", (None, 100)),
    "session_config": Ignored(
        "there are no sessions. Use tf.config.threading, tf.config.optimizer"
    ),
    "keep_checkpoint_max": Ignored("the newest three states are kept", (None, 5)),
    "keep_checkpoint_every_n_hours": Ignored("the newest three states are kept", (None, 10000)),
    "device_fn": Ignored("train_distribute says where it trains"),
    "protocol": Ignored("TensorFlow chooses the protocol"),
    "experimental_max_worker_delay_secs": Ignored(_WAITS),
    "session_creation_timeout_secs": Ignored("there are no sessions", (None, 7200)),
    "checkpoint_save_graph_def": Ignored(_GRAPH, (True, None)),
    "eval_distribute": _ONE_DEVICE,
    "experimental_distribute": _ONE_DEVICE,
}

ESTIMATOR = {
    "replicate_ensemble_in_training": Ignored(
        "frozen members run in inference mode", (None, False)
    ),
    "adanet_loss_decay": Ignored(
        "candidates are judged on all training rows, not on a moving average", (None, 0.9)
    ),
    "delay_secs_per_worker": Ignored(_WAITS, (None, 5)),
    "max_worker_delay_secs": Ignored(_WAITS, (None, 60)),
    "worker_wait_secs": Ignored(_WAITS, (None, 5)),
    "worker_wait_timeout_secs": Ignored(_WAITS, (None, 7200)),
    "report_dir": Ignored("reports are in model_dir"),
    "debug": Ignored("non-finite values are always detected", (None, False)),
    "enable_ensemble_summaries": Ignored(_SUMMARIES, (None, True)),
    "enable_subnetwork_summaries": Ignored(_SUMMARIES, (None, True)),
    "global_step_combiner_fn": Ignored("all candidates take the same steps"),
    "mixture_weight_initializer": Ignored(_SOLVED),
    "warm_start_mixture_weights": Ignored(_SOLVED, (None, False)),
    "replay_config": Refused("Use AdaNet.replay(model_dir, x, y)."),
    "experimental_placement_strategy": Mapped(
        "placement", lambda given: "replicated" if given is None else given
    ),
    "prune_previous_ensemble": Refused(
        "Choose members in a Strategy of your own, or ensemble_strategies='solo'.", (None, False)
    ),
    "model_fn": Refused("Use the subnetwork_generator, or a Keras model and `fit`."),
}

SUBESTIMATOR = {
    "estimator": Mapped("model"),
}

EVALUATE = {"hooks": Ignored(_CALLBACKS, (None, [], ()))}
EXPORT = {
    "as_text": _BINARY,
    "strip_default_attrs": Ignored(_GRAPH, (None, True)),
}
EXPORTER = {
    "as_text": _BINARY,
    "event_file_pattern": Ignored(
        "the best result is stored next to the exports", (None, "eval/*.tfevents.*")
    ),
}

CHECKPOINT_SAVER_HOOK = {
    "save_steps": Ignored(_TIME),
    "saver": Ignored("the search writes its own checkpoints"),
    "checkpoint_basename": Ignored("states have names of their own", (None, "model.ckpt")),
    "scaffold": Ignored("there are no sessions"),
    "save_graph_def": Ignored(_GRAPH, (None, True)),
}
STEP_COUNTER_HOOK = {
    "output_dir": Ignored("steps per second are logged"),
    "summary_writer": Ignored("steps per second are logged"),
}


def metric_arguments(function: Any) -> list[str]:
    """Returns which arguments a `metric_fn` asks for, or raises a `ValueError` for others."""
    known = ("features", "labels", "predictions", "config", "params")
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return list(known)
    needed = [p.name for p in parameters if p.default is p.empty and p.name not in known]
    if needed or any(p.kind is p.POSITIONAL_ONLY for p in parameters):
        raise ValueError(
            "metric_fn must be a function of some of features, labels, predictions, config and "
            f"params, by these names. Received: metric_fn={show(function)}, which asks for "
            f"{', '.join(needed) or 'arguments by position'}."
        )
    return [p.name for p in parameters if p.name in known]


def check_updated(owner: str, name: str, metric: Any) -> None:
    """Refuses a metric that has seen no row, whose result would be 0.

    Args:
        owner: What must return updated metrics, for the message.
        name: Name of the metric.
        metric: The metric. Of a kind that may be 0 throughout, such as precision, nothing is known.

    Raises:
        ValueError: It has not been updated.
    """
    import keras
    import numpy as np

    counts = isinstance(metric, keras.metrics.Mean | keras.metrics.AUC)
    if counts and not any(np.any(np.asarray(variable)) for variable in metric.variables):
        raise ValueError(
            f"{owner} must return keras.metrics that have been updated: call "
            f"update_state(labels, predictions) on each. Received: '{name}', which has seen no row."
        )
