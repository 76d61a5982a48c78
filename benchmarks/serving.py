"""How long one row takes: a fused ensemble beside the ensemble, and beside a network by hand.

    python benchmarks/serving.py [--members 5] [--width 64] [--connect none] [--quick]
    python benchmarks/serving.py --part threads [--threads 8] [--seconds 60] [--quick]

The SavedModels answer in turns, in a new order each time, by `TF_SessionRun` of TensorFlow's C API:
what a server calls, without Python. Each figure is the median of this run; "fastest tenth" is the
quantile below which a tenth of the turns is, which other processes disturb less.

With `--part threads`, several threads of one process send each signature requests of 1 to 32 rows,
one after another, and compare what they get with what one thread has got.
"""

import argparse
import ctypes
import os
import pathlib
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import psutil
import tensorflow as tf
from sklearn.datasets import load_digits
from tensorflow.core.protobuf import saved_model_pb2

import adaptive_nets as an

POINTER, TEXT, INT, SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
FLOAT = 1
# Functions of TensorFlow's c_api.h: what they return and take.
FUNCTIONS = {
    "TF_NewStatus": (POINTER, []),
    "TF_GetCode": (INT, [POINTER]),
    "TF_Message": (TEXT, [POINTER]),
    "TF_NewSessionOptions": (POINTER, []),
    "TF_NewGraph": (POINTER, []),
    "TF_LoadSessionFromSavedModel": (
        POINTER, [POINTER, POINTER, TEXT, POINTER, INT, POINTER, POINTER, POINTER],
    ),
    "TF_GraphOperationByName": (POINTER, [POINTER, TEXT]),
    "TF_AllocateTensor": (POINTER, [INT, POINTER, INT, SIZE]),
    "TF_TensorData": (POINTER, [POINTER]),
    "TF_TensorByteSize": (SIZE, [POINTER]),
    "TF_DeleteTensor": (None, [POINTER]),
    "TF_SessionRun": (
        None,
        [POINTER, POINTER, POINTER, POINTER, INT, POINTER, POINTER, INT, POINTER, INT, POINTER,
         POINTER],
    ),
}  # fmt: skip


class Place(ctypes.Structure):
    """`TF_Output`: one of an operation's outputs."""

    _fields_ = (("operation", POINTER), ("index", INT))


def library():
    """TensorFlow's C API."""
    folder = pathlib.Path(tf.__file__).parent
    names = ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")
    found = next(folder / name for name in names if (folder / name).exists())
    loaded = ctypes.CDLL(str(found))
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


class Served:
    """A SavedModel's signature with one input of floats, as a server loads it.

    Args:
        path: The SavedModel's folder.
        signature: The signature's name.
    """

    def __init__(self, path, signature="serving_default"):
        self.api = library()
        self.status = self.api.TF_NewStatus()
        self.graph = self.api.TF_NewGraph()
        tags = (TEXT * 1)(b"serve")
        self.session = self.api.TF_LoadSessionFromSavedModel(
            self.api.TF_NewSessionOptions(), None, os.fsencode(path), tags, 1, self.graph, None,
            self.status,
        )  # fmt: skip
        self._check()
        saved = saved_model_pb2.SavedModel()
        saved.ParseFromString(pathlib.Path(path, "saved_model.pb").read_bytes())
        found = saved.meta_graphs[0].signature_def[signature]
        self.names = sorted(found.outputs)
        self.count = len(self.names)
        self.inputs = (Place * 1)(*(self._place(each.name) for each in found.inputs.values()))
        self.outputs = (Place * self.count)(
            *(self._place(found.outputs[name].name) for name in self.names)
        )
        self.given, self.found = (POINTER * 1)(), (POINTER * self.count)()

    def _place(self, name):
        operation, _, index = name.partition(":")
        return Place(self.api.TF_GraphOperationByName(self.graph, operation.encode()), int(index))

    def _check(self):
        if self.api.TF_GetCode(self.status):
            raise RuntimeError(self.api.TF_Message(self.status).decode())

    def give(self, rows):
        """Takes an array as the next input."""
        rows = np.ascontiguousarray(rows, "float32")
        shape = (ctypes.c_int64 * rows.ndim)(*rows.shape)
        self.given[0] = self.api.TF_AllocateTensor(FLOAT, shape, rows.ndim, rows.nbytes)
        ctypes.memmove(self.api.TF_TensorData(self.given[0]), rows.ctypes.data, rows.nbytes)

    def run(self):
        """Runs the signature once; returns the seconds that it took."""
        began = time.perf_counter()
        self.api.TF_SessionRun(
            self.session, None, self.inputs, self.given, 1, self.outputs, self.found, self.count,
            None, 0, None, self.status,
        )  # fmt: skip
        taken = time.perf_counter() - began
        self._check()
        return taken

    def free(self):
        """Gives what the last run returned back."""
        for tensor in self.found:
            self.api.TF_DeleteTensor(tensor)

    def floats(self, name):
        """The numbers of an output of the last run, one after another."""
        tensor = self.found[self.names.index(name)]
        size = self.api.TF_TensorByteSize(tensor)
        return np.frombuffer(ctypes.string_at(self.api.TF_TensorData(tensor), size), "float32")


def searched(members, width, connect, steps=100):
    """An ensemble of equal members on digits."""
    x, y = load_digits(return_X_y=True)
    search = an.AdaNet(
        an.heads.MultiClass(10), an.generators.Dense(width, 2, connect=connect),
        max_iterations=members, steps_per_iteration=steps, force_grow=True, adanet_lambda=1e-3,
        seed=0,
    )  # fmt: skip
    return search.fit((x / 16).astype("float32"), y, verbose=0)


def by_hand(members, width):
    """A plain network of the fused one's sizes."""
    inputs = keras.Input((64,), name="features")
    normal = keras.layers.Normalization(mean=np.zeros(64), variance=np.ones(64))(inputs)
    hidden = keras.layers.Dense(members * width, "relu")(normal)
    hidden = keras.layers.Dense(members * width, "relu")(hidden)
    return keras.Model(inputs, keras.layers.Dense(10)(hidden))


def latencies(served, rows, turns):
    """Seconds of each turn and model, and the greatest difference of each one's logits."""
    rng = np.random.default_rng(0)
    given, logits = rng.random((rows, 64)), []
    for each in served:
        each.give(given)
        each.run()
        logits.append(each.floats("logits"))
        each.free()
    found = np.empty((turns, len(served)))
    for turn in range(-max(turns // 40, 5), turns):
        for k in rng.permutation(len(served)):
            taken = served[k].run()
            served[k].free()
            if turn >= 0:
                found[turn, k] = taken
    gap = np.abs(logits[1] - logits[0]).max() / np.abs(logits[0]).max()
    return found, float(gap)


def requests(signature, feature, sizes=(1, 7, 32)):
    """Inputs of a signature, of several numbers of rows: tensors, or `tf.Example`s in bytes."""
    rng, found = np.random.default_rng(0), []
    ((name, spec),) = signature.structured_input_signature[1].items()
    for rows in sizes:
        given = rng.random((rows, 64)).astype("float32")
        if spec.dtype == tf.string:
            floats = [tf.train.FloatList(value=row) for row in given]
            features = [{feature: tf.train.Feature(float_list=each)} for each in floats]
            examples = [
                tf.train.Example(features=tf.train.Features(feature=each)) for each in features
            ]
            given = [each.SerializeToString() for each in examples]
        found.append({name: tf.constant(given)})
    return found


def in_threads(signature, given, threads, seconds):
    """Calls a signature from threads for some seconds; returns calls, errors, times and memory."""
    expected = [signature(**each) for each in given]
    taken, errors, until = [[] for _ in range(threads)], [], time.perf_counter() + seconds

    def work(number):
        turn = number
        while time.perf_counter() < until:
            turn = (turn + 1) % len(given)
            began = time.perf_counter()
            try:
                found = signature(**given[turn])
                taken[number].append(time.perf_counter() - began)
                for name, value in expected[turn].items():
                    if value.dtype.is_floating:
                        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-6)
                    else:
                        np.testing.assert_array_equal(found[name], value)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")

    memory = psutil.Process().memory_info
    working = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for each in working:
        each.start()
    # From the middle on: what the first calls allocate is kept.
    time.sleep(seconds / 2)
    before = memory().rss
    for each in working:
        each.join()
    all_taken = np.concatenate(taken)
    middle, slow = np.quantile(all_taken, (0.5, 0.99)) * 1e3
    return {
        "calls": len(all_taken), "errors": errors, "p50, ms": float(middle),
        "p99, ms": float(slow), "MiB in the second half": (memory().rss - before) / (1 << 20),
    }  # fmt: skip


def served_in_threads(given):
    """Exports an ensemble, and sends each of its signatures requests from threads."""
    search = searched(given.members, given.width, given.connect, 10 if given.quick else 100)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        loaded = tf.saved_model.load(search.export(f"{folder}/ensemble"))
        (feature,) = loaded.signatures["predict"].structured_input_signature[1]
        for name, signature in sorted(loaded.signatures.items()):
            sent = requests(signature, feature)
            found = in_threads(signature, sent, given.threads, given.seconds)
            print(f"{name}, {given.threads} threads, {given.seconds:g} s: {found}", flush=True)
            results[name] = found
    return results


def main(argv=None):
    """Prints times and ratios, and returns them by number of rows, or by signature."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("latency", "threads"), default="latency")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each signature")
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--connect", default="none", choices=("none", "previous", "all"))
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    turns = {1: 2000, 32: 2000, 1024: 300}
    if given.quick:
        given.members, given.width, turns = 2, 8, {1: 40}
        given.seconds = min(given.seconds, 1.0)
    if given.part == "threads":
        return served_in_threads(given)
    search = searched(given.members, given.width, given.connect, 10 if given.quick else 100)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        hand = by_hand(given.members, given.width)
        paths = {
            "ensemble": search.export(f"{folder}/ensemble"),
            "fused": search.export(f"{folder}/fused", fuse=True),
            "by hand": an.serving.export_saved_model(
                hand, search.head, f"{folder}/by_hand", schema=search.schema
            ),
        }
        served = [Served(path) for path in paths.values()]
        print(f"ensemble of {len(search.ensemble.members)} members of width {given.width}")
        for rows in turns:
            seconds, gap = latencies(served, rows, turns[rows])
            middle, fast = (np.quantile(seconds, share, axis=0) * 1e3 for share in (0.5, 0.1))
            whole, fused, plain = middle
            ratios = {
                "fused / ensemble": fused / whole,
                "fastest tenth": fast[1] / fast[0],
                "fused / by hand": fused / plain,
            }
            print(
                f"{rows:5d} rows: "
                + ", ".join(f"{name} {v:.3f} ms" for name, v in zip(paths, middle, strict=True))
                + "; "
                + ", ".join(f"{name} {value:.2f}" for name, value in ratios.items())
                + f"; logits differ by {gap:.1e}"
            )
            results[rows] = {**dict(zip(paths, middle, strict=True)), **ratios}
    return results


if __name__ == "__main__":
    main()
