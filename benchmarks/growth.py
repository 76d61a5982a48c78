"""What a growth costs beside copying the new weights, in time and in memory.

    python benchmarks/growth.py [--layers 6] [--quick]

Fuses a T5 of 60 million parameters with itself, each time in a process of its own: a growth
pays for what TensorFlow does once in a process, and for memory that was never touched. So does
the first copy of the new weights with NumPy, in the same process; a second copy into memory that
is known already is the harder measure. Every ratio is of two figures measured in this run.

Then plans the growth of a decoder of a billion parameters whose weights have no values, only
shapes, and measures what it costs to verify a growth.
"""

import argparse
import multiprocessing
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import psutil


def peak():
    """The most memory that this process has held, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def copies(arrays):
    """Seconds of copying all arrays: at first, and at best of three times."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        kept = [array.copy() for array in arrays]
        seconds.append(time.perf_counter() - began)
        del kept
    return seconds[0], min(seconds)


# As keras-hub names them: t5-small's, and as small as they come.
SIZES = {
    "vocabulary_size": 32128, "num_heads": 8, "hidden_dim": 512, "intermediate_dim": 2048,
    "key_value_dim": 64,
}  # fmt: skip
# Of decoders: a billion parameters, of which only shapes are made; and 40 million with values.
SHAPES = {"layers": 20, "units": 2048, "inner": 8192, "heads": 16, "vocabulary": 32_000}
VALUES = {"layers": 8, "units": 512, "inner": 2048, "heads": 8, "vocabulary": 16_000}
QUICK_DECODER = {"layers": 1, "units": 8, "inner": 16, "heads": 2, "vocabulary": 32}
QUICK = {
    "vocabulary_size": 32, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16,
    "key_value_dim": 4,
}  # fmt: skip


def self_fusion(cross, layers, sizes):
    """Measures one fusion."""
    import keras_hub

    from adaptive_nets import growth

    model = keras_hub.models.T5Backbone(num_layers=layers, use_gated_activation=False, **sizes)
    before = max(peak(), psutil.Process().memory_info().rss)
    began, cpu = time.perf_counter(), time.process_time()
    plan = growth.plan_self_fuse(model, cross=cross, seed=0)
    planned = time.perf_counter() - began
    grown, report = growth.apply(plan)
    cpu = time.process_time() - cpu
    extra = peak() - before
    weights = [np.asarray(weight) for weight in grown.weights]
    first, best = copies(weights)
    size = sum(array.nbytes for array in weights)
    return {
        "parameters before": model.count_params(),
        "parameters": report.parameters,
        "plan, s": planned,
        "apply, s": report.seconds,
        "processor time of both, with the measured gap, s": cpu,
        "first copy of the new weights, s": first,
        "best copy of the new weights, s": best,
        "plan and apply / first copy": (planned + report.seconds) / first,
        "plan and apply / best copy": (planned + report.seconds) / best,
        "extra peak memory / new weights": extra / size,
    }


def decoder(layers, units, inner, heads, vocabulary):
    """A decoder of stock layers."""
    import keras

    tokens = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(vocabulary, units)(tokens)
    for number in range(layers):
        y = keras.layers.LayerNormalization()(x)
        y = keras.layers.MultiHeadAttention(heads, units // heads)(y, y, use_causal_mask=True)
        x = keras.layers.Add()([x, y])
        y = keras.layers.LayerNormalization()(x)
        y = keras.layers.Dense(inner, "gelu", name=f"inner_{number}")(y)
        x = keras.layers.Add()([x, keras.layers.Dense(units)(y)])
    x = keras.layers.LayerNormalization()(x)
    return keras.Model(tokens, keras.layers.Dense(vocabulary)(x))


def plans_without_values(sizes):
    """Seconds and bytes of planning what grows a model whose weights have shapes only."""
    import keras

    from adaptive_nets import growth

    with keras.StatelessScope(initialize_variables=False):
        model = decoder(**sizes)
    inner = {f"inner_{number}": 2.0 for number in range(sizes["layers"])}
    found = {"parameters before": model.count_params()}
    for verb, make in {
        "widen the inner layers": lambda: growth.plan_widen(model, inner),
        "widen all": lambda: growth.plan_widen(model, 2.0),
        "self_fuse": lambda: growth.plan_self_fuse(model, cross="zero"),
        "deepen by a layer": lambda: growth.plan_deepen(model, 1),
    }.items():
        before, began = peak(), time.perf_counter()
        plan = make()
        found[f"{verb}, parameters"] = plan.parameters
        found[f"{verb}, plan, s"] = time.perf_counter() - began
        found[f"{verb}, extra peak memory, MiB"] = (peak() - before) / 2**20
    return found


def verification(sizes):
    """Seconds of widening a decoder's inner layers, with and without comparing the outputs."""
    from adaptive_nets import growth

    model = decoder(**sizes)
    inner = {f"inner_{number}": 2.0 for number in range(sizes["layers"])}
    seconds = {}
    # The first growth also pays for what TensorFlow does once in a process.
    for verify in (True, False, True, "auto"):
        began = time.perf_counter()
        growth.widen(model, inner, verify=verify)
        seconds[verify] = time.perf_counter() - began
    return {
        "parameters before": model.count_params(),
        "widen, verify=False, s": seconds[False],
        "verify=True / verify=False": seconds[True] / seconds[False],
        "verify='auto' / verify=False": seconds["auto"] / seconds[False],
    }


def in_own_process(function, *given):
    """The figures of a function in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, given)


def main(argv=None):
    """All parts; returns the figures of fusions by `cross`, and of the others by their names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument(
        "--quick", action="store_true", help="seconds, in this process: only shows that it runs"
    )
    given = parser.parse_args(argv)
    quick = given.quick
    run = (lambda function, *sizes: function(*sizes)) if quick else in_own_process
    found = {}
    for cross in ("zero", 0.1):
        fusion = (1, QUICK) if quick else (given.layers, SIZES)
        found[cross] = run(self_fusion, cross, *fusion)
        show(f"self_fuse of T5, cross={cross!r}", found[cross])
    for title, function, sizes in (
        ("plans for a decoder without values", plans_without_values, SHAPES),
        ("verification of widen, a decoder", verification, VALUES),
    ):
        found[function.__name__] = run(function, QUICK_DECODER if quick else sizes)
        show(title, found[function.__name__])
    return found


def show(title, figures):
    """Prints figures under a title."""
    print(title)
    for name, value in figures.items():
        print(f"  {name:50} {value:{',' if isinstance(value, int) else '.2f'}}", flush=True)


if __name__ == "__main__":
    main()
