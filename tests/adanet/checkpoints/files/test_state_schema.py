"""The values of a state are checked before anything is made of them."""

import copy
import json
import math
import pathlib

import pytest

from adaptive_nets.adanet.checkpoints.codec import decode_nonfinite
from adaptive_nets.adanet.checkpoints.files.sealed_json import NotWholeError
from adaptive_nets.adanet.checkpoints.files.state_schema import check_state

OLD = pathlib.Path(__file__).parents[1] / "data" / "state_0_1_0" / "state-000005.json"
STATE = decode_nonfinite(json.loads(OLD.read_text()))

# Values that are wrong wherever anything in particular is expected.
WRONG = (None, "x", [], {}, True, -1, 1.5, math.nan, math.inf, 10**400, [[1], [2, 3]])


def leaves(value, path=()):
    """Paths to all values of a state, at every depth."""
    yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, list) and value:
        yield from leaves(value[0], (*path, 0))


def changed(path, value):
    state = copy.deepcopy(STATE)
    place = state
    for key in path[:-1]:
        place = place[key]
    if value is changed:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return state


def test_the_state_as_it_is_passes():
    check_state(STATE)
    check_state({**STATE, "more": {"of": ["a", "later", "version"]}})


def test_no_wrong_value_raises_anything_else():
    """Whatever stands in a state, it passes or is refused in one line that names the place."""
    refused = 0
    for path in leaves(STATE):
        for value in (changed, *WRONG) if path else ():
            try:
                check_state(changed(path, value))
            except NotWholeError as error:
                refused += 1
                assert "\n" not in str(error) and len(str(error)) < 500
    assert refused > 1000


@pytest.mark.parametrize(
    "path, value, said",
    [
        (("record",), changed, "lacks 'record'"),
        (("record", "iteration"), "x", "'record.iteration': expected an integer >= 0"),
        (("record", "ensemble", "bias"), [math.nan], "'record.ensemble.bias': expected finite"),
        (("record", "ensemble", "weights"), [1.0, 2.0], "'record.ensemble.weights': expected 1 w"),
        (("record", "ensemble", "members"), ["1_1_layer_dense"] * 2, "each once"),
        (("record", "best_single"), "other", "'record.best_single': expected the name of a member"),
        (("record", "entries", 0, "round"), 9, r"'record.entries\[0\].round': expected a finished"),
        (("record", "partial", "entries", 1, "parent"), "7/x", "expected a candidate of an entry"),
        (("record", "stop_reason"), None, "'record.stop_reason': expected text, not None"),
        (("members", "1_1_layer_dense", "parents"), ["1_1_layer_dense"], "stand before it"),
        (("members", "1_1_layer_dense", "file"), "../x.keras", "the name of a .keras file"),
        (("members", "1_1_layer_dense", "name"), "other", "expected '1_1_layer_dense'"),
        (("files",), [], "'files': expected the file of the member '1_1_layer_dense'"),
        (("settings", "adanet_lambda"), changed, "lacks 'settings.adanet_lambda'"),
        (("seed",), 10**400, "'seed': expected an integer >= 0"),
    ],
)  # fmt: skip
def test_the_place_is_named(path, value, said):
    with pytest.raises(NotWholeError, match=said):
        check_state(changed(path, value))


def test_free_values_are_not_nested_without_end():
    deep = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(NotWholeError, match="nested too deeply"):
        check_state(changed(("members", "1_1_layer_dense", "attributes"), {"a": deep}))
