"""Whether TensorFlow can run in this process: in a fork of one that has used it, it hangs."""

import os
import sys

_forked_from = 0


def check_not_forked(what: str) -> None:
    """Refuses what needs TensorFlow in a process that was forked from one that has used it.

    Args:
        what: What was asked for, for the message.

    Raises:
        RuntimeError: TensorFlow's threads exist in the other process only; waiting for them would
            never end.
    """
    if _forked_from:
        raise RuntimeError(
            f"{what} needs TensorFlow, which does not run in a process ({os.getpid()}) forked from "
            f"one that has used it ({_forked_from}). Start the process with "
            "multiprocessing.get_context('spawn'), or fork before TensorFlow is used."
        )


def _note():
    global _forked_from
    module = sys.modules.get("tensorflow.python.eager.context")
    context = module and module.context_safe()
    if context is not None and context._context_handle is not None:
        _forked_from = os.getppid()


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)
