"""Every call that could run what a file says stands in a table, with why it does not."""

import ast
import functools
import pathlib

import pytest

pytestmark = pytest.mark.backend_agnostic

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "adaptive_nets"

# Functions by their last name, wherever they come from.
CALLS = frozenset((
    "__import__", "build_from_config", "compile_from_config", "deserialize",
    "deserialize_keras_object", "enable_unsafe_deserialization", "eval", "exec", "find_spec",
    "from_config", "func_load", "get_file", "get_registered_object", "import_module", "load_model",
    "load_op_library", "load_weights", "model_from_json", "popen", "run_module", "run_path",
    "startfile", "system", "unpack_archive", "unsafe_deserialization", "urlopen",
))  # fmt: skip
# Modules whose functions all count.
MODULES = frozenset((
    "cloudpickle", "ctypes", "dill", "joblib", "marshal", "pickle", "runpy", "shelve", "subprocess",
    "yaml",
))  # fmt: skip
# Functions by their whole name.
WHOLE = frozenset(("compile", "np.load", "np.loadtxt", "np.genfromtxt", "os.execv", "os.spawnv",
                   "pd.read_pickle", "tf.saved_model.load", "tf.io.gfile.GFile"))  # fmt: skip
# Keras makes objects of descriptions in these.
GETTERS = frozenset(f"keras.{kind}.get" for kind in (
    "activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers",
))  # fmt: skip

IN_MEMORY = "the configuration is of an object in this process, not of a file"
ITS_NAMES = "names are constants of the package"
CHECKED = "names and kinds were checked first, at every depth (contracts.py)"
PICKLED = (
    "only pickle.loads by the user, of what __getstate__ returned, leads here; no file of a folder "
    "is unpickled"
)
GIVEN = "the caller's own argument, or what a configuration says after make_object has checked it"

SAFE = {
    ("__init__.py", "importlib.import_module"): (2, ITS_NAMES),
    ("__init__.py", "getattr"): (1, ITS_NAMES),
    ("adanet/candidates/stock/dense.py", "keras.constraints.get"): (2, GIVEN),
    ("adanet/candidates/stock/layer_builder.py", "keras.activations.get"): (
        2, "names and functions only; descriptions are refused before"),
    ("adanet/checkpoints/load.py", "folder.load_model"): (2, "it is files.models.load_model"),
    ("adanet/checkpoints/portable.py", "keras.saving.load_model"): (1, PICKLED),
    ("adanet/checkpoints/portable.py", "pickle.loads"): (3, PICKLED),
    ("adanet/checkpoints/reader.py", "load_model"): (1, "it is files.models.load_model"),
    ("adanet/checkpoints/warm_start.py", "folder.load_model"): (
        1, "it is files.models.load_model"),
    ("automl/files.py", "load_model"): (1, "it is files.models.load_model"),
    ("adanet/fusion/stages.py", "step.kind.from_config"): (1, IN_MEMORY),
    ("adanet/monitoring/check_callbacks.py", "importlib.util.find_spec"): (
        1, "asks for constants of the package, and loads nothing"),
    ("callbacks/tracking/hparams.py", "importlib.util.find_spec"): (
        1, "asks for a constant, and loads nothing"),
    ("adanet/placement/base.py", "importlib.import_module"): (
        2, "the modules of its own room, as they are installed"),
    ("adanet/placement/ray_worker.py", "pickle.loads"): (
        1, "what the driver of the same search has sent through Ray's object store"),
    ("files/arrays.py", "np.load"): (1, "allow_pickle=False, and sizes were checked first"),
    ("cli/app.py", "importlib.import_module"): (2, ITS_NAMES),
    ("cli/app.py", "getattr"): (1, ITS_NAMES),
    ("cli/predict.py", "tf.saved_model.load"): (
        1, "--saved_model: a SavedModel is a program, and SECURITY.md says so"),
    ("contracts.py", "getattr"): (
        5, "classes and functions of loaded modules of Keras, of which only certain kinds count"),
    ("contracts.py", "importlib.import_module"): (3, ITS_NAMES),
    ("contracts.py", "importlib.util.find_spec"): (1, ITS_NAMES),
    ("contracts.py", "keras.saving.get_registered_object"): (
        2, "it looks into the registry; what it finds is checked for its kind"),
    ("energy/learning/widening.py", "type(optimizer).from_config"): (1, IN_MEMORY),
    ("estimator/adanet/builder.py", "type(found).from_config"): (1, IN_MEMORY),
    ("estimator/columns/describe.py", "tf.io.gfile.GFile"): (
        1, "a vocabulary that the caller's column names is read as text"),
    ("estimator/canned/from_keras.py", "load_model"): (1, "it is files.models.load_model"),
    ("estimator/canned/network.py", "getattr"): (
        1, "names of keras.activations, and functions only, except those that make objects"),
    ("estimator/auto_ensemble.py", "ReadPool.from_config"): (1, "it always raises"),
    ("graphs/compile.py", "made.compile_from_config"): (1, IN_MEMORY),
    ("graphs/compile.py", "type(optimizer).from_config"): (1, IN_MEMORY),
    ("graphs/configs/incomplete.py", "type(layer).from_config"): (1, IN_MEMORY),
    ("graphs/copy.py", "new.build_from_config"): (1, IN_MEMORY),
    ("graphs/loadable.py", "keras.saving.deserialize_keras_object"): (1, IN_MEMORY),
    ("graphs/compile.py", "keras.saving.deserialize_keras_object"): (1, IN_MEMORY),
    ("graphs/scope.py", "type(layer).from_config"): (1, IN_MEMORY),
    ("graphs/rewrite.py", "getattr"): (1, IN_MEMORY),
    ("graphs/rewrite.py", "keras.saving.get_registered_object"): (1, IN_MEMORY),
    ("graphs/scope.py", "keras.saving.deserialize_keras_object"): (2, IN_MEMORY),
    ("graphs/scope.py", "type(operation).from_config"): (1, IN_MEMORY),
    ("graphs/scope.py", "unsafe_deserialization"): (
        1, "a layer of this process is copied, whose lambdas are in memory already"),
    ("generators/tabular/layers/scaled.py", "keras.activations.get"): (
        1, "names and functions only; descriptions are refused before"),
    ("growth/core/grown_model.py", "type(initializer).from_config"): (1, IN_MEMORY),
    ("growth/core/optimizer_slots.py", "type(optimizer).from_config"): (1, IN_MEMORY),
    ("growth/core/registry.py", "importlib.import_module"): (1, ITS_NAMES),
    ("growth/rules/hub/constructed.py", "getattr"): (1, ITS_NAMES),
    ("growth/rules/hub/constructed.py", "type(source).from_config"): (1, IN_MEMORY),
    ("growth/rules/hub/constructed.py", "kind.from_config"): (2, IN_MEMORY),
    ("growth/rules/hub/inner_width.py", "importlib.import_module"): (1, ITS_NAMES),
    ("growth/rules/hub/parts.py", "type(task).from_config"): (1, IN_MEMORY),
    ("growth/distill.py", "keras.losses.get"): (1, GIVEN),
    ("growth/dynamics/derivatives.py", "keras.losses.get"): (1, GIVEN),
    ("growth/fuse.py", "load_model"): (1, "it is files.models.load_model"),
    ("growth/merge_lora.py", "new.build_from_config"): (1, IN_MEMORY),
    ("growth/rules/hub/deepening.py", "type(model).from_config"): (1, IN_MEMORY),
    ("growth/rules/hub/t5.py", "type(layer).from_config"): (1, IN_MEMORY),
    ("keras_internals/draws.py", "getattr"): (1, ITS_NAMES),
    ("keras_internals/operation.py", "getattr"): (1, ITS_NAMES),
    ("machine/signals.py", "getattr"): (1, ITS_NAMES),
    ("majority/kernel.py", "keras.constraints.get"): (1, "a layer's setting, as Keras reads it"),
    ("majority/kernel.py", "keras.initializers.get"): (1, "a layer's setting, as Keras reads it"),
    ("majority/kernel.py", "keras.regularizers.get"): (1, "a layer's setting, as Keras reads it"),
    ("majority/kernel.py", "kind.from_config"): (1, IN_MEMORY),
    ("files/models.py", "keras.saving.load_model"): (
        1, "the file was checked first; it may name code only with trust=True"),
    ("serialization.py", "found.from_config"): (1, CHECKED),
    ("serialization.py", "keras.saving.deserialize_keras_object"): (
        3, f"{CHECKED}; or Keras was told safe_mode=False; or it is a constant"),
    ("serialization.py", "keras.saving.get_registered_object"): (1, IN_MEMORY),
}  # fmt: skip


def calls(text):
    """The names of the calls in a file's text that could run what data says."""
    tree = ast.parse(text)
    modules = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            yield f"from {node.module} import"
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        computed = len(node.args) > 1 and not isinstance(node.args[1], ast.Constant)
        if name == "getattr" and computed:
            # Names of attributes of objects run nothing; those of modules may be any function.
            if isinstance(node.args[0], ast.Call) or _root(node.args[0]) in {*modules, "module"}:
                yield name
        elif (
            name.rpartition(".")[2] in CALLS
            or name in WHOLE | GETTERS
            or (name.partition(".")[0] in MODULES and not name.endswith(".dumps"))
        ):
            yield name


def _root(node):
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else None


@functools.cache
def found():
    counts = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in calls(path.read_text()):
            key = path.relative_to(PACKAGE).as_posix(), name
            counts[key] = counts.get(key, 0) + 1
    return counts


def test_each_is_explained():
    counts = found()
    new = {key: n for key, n in counts.items() if n > SAFE.get(key, (0, ""))[0]}
    assert not new, (
        f"{new}: say in tests/security/test_dangerous_calls.py why no file can make these run "
        "code, or do without them"
    )


def test_the_table_names_no_more_than_there_is():
    counts = found()
    assert {key: n for key, (n, _) in SAFE.items() if counts.get(key) != n} == {}
    assert all(len(why) > 10 for _, why in SAFE.values())


@pytest.mark.parametrize(
    "text",
    [
        "import yaml\nyaml.safe_load(x)", "from pickle import loads",
        "import pickle\npickle.load(f)",
        "eval(x)", "exec(x)", "__import__(x)", "import importlib\nimportlib.import_module(x)",
        "import subprocess\nsubprocess.run(x)", "import os\nos.system(x)", "np.load(x)",
        "kind.from_config(x)", "keras.saving.load_model(x)", "keras.losses.get(x)",
        "import keras\ngetattr(keras.layers, x)", "tf.saved_model.load(x)",
    ],
)  # fmt: skip
def test_a_new_one_would_be_found(text):
    assert list(calls(text))


def test_what_is_harmless_is_not_listed():
    text = (
        "import json\njson.loads(x)\ngetattr(self, name)\ngetattr(keras, 'layers')\nlosses.get(x)"
    )
    assert not list(calls(text))
