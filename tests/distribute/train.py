"""One process of a cluster that trains a search; `test_workers` starts it.

python train.py MODEL_DIR PLACEMENT [STEP]    # in round 2 it kills itself at this step
"""

import os
import pathlib
import signal
import sys

import numpy as np
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets.adanet.placement import leases

# Nobody waits for a process that has died on purpose longer than needed.
leases.LOST_SECONDS = 8.0

folder, placement = pathlib.Path(sys.argv[1]), sys.argv[2]
fatal = int(sys.argv[3]) if len(sys.argv) > 3 else None
together = "TF_CONFIG" in os.environ and placement == "replicated"
other = os.environ.get("OTHER")
strategy = an.distribute.make_strategy("multi_worker") if together else None


class Die(an.callbacks.SearchCallback):
    """Ends the process as a lost machine does."""

    def on_train_batch_end(self, batch, logs=None):
        if fatal is not None and self.model.state.iteration == 1 and batch >= fatal:
            os.kill(os.getpid(), signal.SIGKILL)


x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
search = an.AdaNet(
    an.heads.MultiClass(10),
    an.generators.Dense([8, 12, 16], 1, optimizer="sgd", learning_rate=0.05),
    max_iterations=2, steps_per_iteration=120, force_grow=True, distribute=strategy,
    placement=placement, checkpoint_seconds=0, model_dir=folder,
    seed=int(other == "seed"),
)  # fmt: skip
rows = 300 if other == "fewer" else 600
search.fit(x[:rows], y[:rows], batch_size=48, verbose=0, callbacks=[Die()])
task = an.distribute.task_from_environment()
weights = [w for m in search.state.members().values() for w in m.model.get_weights()]
found = {f"w{i}": w for i, w in enumerate(weights)}
np.savez(f"{folder}-{task.rank}.npz", **found, logits=search.predict(x[600:650], "logits"))
