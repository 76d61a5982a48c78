"""Wrong calls of all public functions are refused in one clear line, before work.

A sample is made here. With `WRONG_CALLS=all` it is all of them, and
`python tests/wrong_calls/calls_all.py` prints those that are not refused so.
"""

import importlib
import inspect
import json
import os
import random

import numpy as np
import pytest
from call_outcomes import make, no_work
from call_things import train_all
from calls_all import CALLS

SAMPLE, ALL = 300, os.environ.get("WRONG_CALLS") == "all"
# Their valid calls take a fifth of a second or more; `calls_all.py` makes them too.
LONG = frozenset(
    (
        "AdaNet.export", "estimator.Estimator.export_saved_model", "serving.export_litert",
        "serving.export_onnx",
        "estimator.export.export_timestamped", "serving.export_saved_model",
        "estimator.Estimator.experimental_export_all_saved_models",
        "mlflow.load_model", "mlflow.log_model", "mlflow.save_model", "mlflow.autolog",
        "growth.dynamics.diagnose", "report.plot_energies", "report.write_report",
    )
)  # fmt: skip
# Called by no user: what functions return, and base classes without arguments.
RETURNED = frozenset(
    [
        "Builder", "CollapseReport", "Complexity", "DeepenPlan", "DivergedError", "Ensemble",
        "Ensembler", "GeneralizationBound", "Generator", "GrowthAdvice", "GrowthPlan",
        "GrowthReport", "Head", "Likelihood", "MaterializedReport", "Member",
        "Mixture", "ModelDirInUseError", "Report", "RunValues", "SessionRunValues",
        "ServingInputReceiver", "Strategy", "StructureReport", "Subnetwork", "WorkersLostError",
    ]
)  # fmt: skip
# Parts of a rule, which only rules make.
RULES = frozenset(("Keeps", "Plan", "Reads", "Rule", "Scales", "Writes", "Action"))
ROOMS = (
    "adanet", "automl", "heads", "generators", "growth", "majority", "energy", "data", "callbacks",
    "layers", "estimator", "estimator.adanet.ensemble", "estimator.adanet.subnetwork", "serving",
    "distribute", "report", "mlflow",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def trained():
    """Searches and estimators that calls are made of."""
    train_all()


def test_every_public_function_with_arguments_is_called():
    called = {call.name.split(".")[1] if "." in call.name else call.name for call in CALLS}
    missing = set()
    for room in ROOMS:
        module = importlib.import_module(f"adaptive_nets.{room}")
        for name in set(module.__all__) - called - RETURNED - RULES:
            thing = getattr(module, name)
            if callable(thing) and not _takes_nothing(thing):
                missing.add(f"{room}.{name}")
    assert missing == set()


def _takes_nothing(thing):
    if isinstance(thing, type) and issubclass(thing, Exception):
        return True  # It is raised, not called.
    return not inspect.signature(thing).parameters


def test_wrong_calls_are_refused_in_one_clear_line():
    everything = [(call, *wrong) for call in CALLS for wrong in call.wrong()]
    chosen = random.Random(13).sample(everything, SAMPLE)
    if ALL:
        chosen = everything
    with no_work():
        found = [(call, name, number, make(call, name, number)) for call, name, number in chosen]
    bad = [
        f"{call.name}({name}={call.arguments[name].wrong[number] if number >= 0 else 1!r}): {what}"
        for call, name, number, what in found
        if not what.startswith("clear")
    ]
    assert not [line for line in bad if line.endswith((": accepted", ": hang"))]
    assert len(bad) <= 0.01 * len(chosen), "\n".join(bad)


def test_valid_calls_are_accepted_with_numpys_scalars_too():
    refused = []
    with no_work():
        for call in CALLS:
            if call.name in LONG and not ALL:
                continue
            what = make(_of_numpy(call))
            if what != "accepted":
                refused.append(f"{call.name}: {what}")
    assert not refused, "\n".join(refused)


def test_what_is_kept_of_numpys_scalars_is_python():
    def described(value):
        assert not isinstance(value, np.generic | np.ndarray), f"{call.name} keeps {value!r}"
        return str(value)

    seen = 0
    for call in map(_of_numpy, CALLS):
        kind = call.function()
        if inspect.isclass(kind) and hasattr(kind, "get_config"):
            made = kind(**{name: argument.make() for name, argument in call.arguments.items()})
            json.dumps(made.get_config(), default=described)
            seen += 1
    assert seen > 30


def _of_numpy(call):
    """The call with NumPy's scalars in place of Python's."""
    given = {}
    for name, argument in call.arguments.items():
        value = argument.make()
        if isinstance(value, bool | int | float):
            value = np.asarray(value)[()]
        given[name] = type(argument)(lambda value=value: value, argument.wrong)
    return type(call)(call.name, call.function, given, call.handed_on)


def test_a_message_is_clear_only_if_it_is_our_own_and_of_one_line():
    def raising(error):
        def fail(**_):
            raise error

        return fail

    head = next(call for call in CALLS if call.name == "heads.MultiClass")
    outcomes = []
    for error in (ValueError("name must be text."), AttributeError("name")):
        call = type(head)("x", lambda error=error: raising(error), head.arguments)
        outcomes.append(make(call, "name", 0))
    # Raised outside the package, so not its own.
    assert all(what.startswith("raw") for what in outcomes)
    with no_work():
        assert make(head, "name", 0).startswith("clear: ValueError: ")
        assert make(head) == "accepted"
