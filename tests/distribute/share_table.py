"""One process of a cluster that fits a table in Parquet files; `test_tables` starts it.

python share_table.py FILES OUT    # without TF_CONFIG it reads the same files alone, streamed
"""

import functools
import json
import os
import sys

import numpy as np
import pandas as pd

import adaptive_nets as an
from adaptive_nets.automl import searching
from adaptive_nets.data.tables import opening, source

files, out = os.environ.get("OTHER") or sys.argv[1], sys.argv[2]
opening.MEMORY_LIMIT = 0
searching.AdaNet = functools.partial(an.AdaNet, max_iterations=1, steps_per_iteration=150)
task = an.distribute.task_from_environment()
distribute = "multi_worker" if task.cluster else None
an.distribute.make_strategy(distribute)
read, read_batches = {}, source.read_batches


def counted(piece, columns, *arguments):
    """Reads rows, and notes which row groups they are of."""
    for table in read_batches(piece, columns, *arguments):
        # The first rows of all say what the columns are.
        key = f"{os.path.basename(piece.path)} {piece.group} {piece.skipped}"
        read[key] = max(read.get(key, 0), piece.rows)
        yield table


source.read_batches = counted
model = an.AutoRegressor(
    generator=an.generators.Dense([16], 1, optimizer="sgd", learning_rate=0.05), seed=0, verbose=0,
    distribute=distribute, model_dir=out,
)  # fmt: skip
model.fit(files, "amount")
search = model.search_
weights = [w for m in search.state.members().values() for w in m.model.get_weights()]
valid = pd.DataFrame({"number": np.linspace(-2, 2, 50), "word": ["red", "blue"] * 25})
np.savez(
    f"{out}-{task.rank}.npz", predicted=model.predict(valid), read=json.dumps(read),
    note=model.leaderboard()["note"].iloc[-1], kinds=list(model.leaderboard()["kind"]),
    rounds=search.state.iteration, **{f"w{k}": w for k, w in enumerate(weights)},
)  # fmt: skip
