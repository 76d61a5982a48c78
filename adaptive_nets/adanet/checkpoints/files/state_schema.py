"""What the JSON of a state must be, beyond being JSON."""

from typing import Any

from adaptive_nets._checks import show
from adaptive_nets.adanet.checkpoints.files.json_schema import (
    Check,
    anything,
    array,
    boolean,
    either,
    fields,
    floats,
    integer,
    listed,
    mapping,
    named,
    number,
    optional,
    text,
)
from adaptive_nets.adanet.checkpoints.files.manifest import MODEL_NAME
from adaptive_nets.adanet.checkpoints.files.sealed_json import NotWholeError

_MEASURED = named(number(finite=False))

_ENTRY = fields(
    {
        "round": integer(1),
        "candidate": text,
        "status": text,
        "objective": number(finite=False),
        "measured": _MEASURED,
        "parameters": integer(),
        "steps": integer(),
        "seconds": number(low=0),
        "complexity": number(),
        "gamma": number(),
        "mixture_weight": number(finite=False),
        "parent": text,
    },
    {"best_step": integer()},
)

_REPORT = fields(
    {
        "iteration": integer(1),
        "name": text,
        "hyperparameters": mapping,
        "attributes": mapping,
        "metrics": _MEASURED,
        "selected": boolean,
        "status": text,
    }
)

_CURVE = fields(
    {"round": integer(1), "window": integer(1), "losses": named(floats)},
    {"held_out_steps": listed(integer()), "held_out": named(floats)},
)

_CHANGE = fields({"iteration": integer(), "setting": text, "before": anything, "after": anything})

_ENSEMBLE = fields(
    {
        "name": text,
        "iteration": integer(),
        "members": listed(text),
        "weights": listed(array),
        "bias": optional(array),
        "penalty": number(),
        "objective": number(finite=False),
    },
    {"ensembler": integer()},
)

_MEMBER = fields(
    {
        "name": text,
        "iteration": integer(),
        "depth": integer(),
        "complexity": number(low=0),
        "attributes": mapping,
        "parents": listed(text),
        "file": text,
    }
)

_DIGEST = fields({"sha256": text, "bytes": integer()})


def _record(value, where):
    fields(
        {
            "iteration": integer(),
            "ensemble": optional(_ENSEMBLE),
            "measured": _MEASURED,
            "entries": listed(_ENTRY),
            "reports": listed(_REPORT),
            "curves": listed(_CURVE),
            "best_single": optional(text),
            "best_single_loss": number(finite=False),
            "stop_reason": text,
            "seconds": number(low=0),
            "stream_chunks": integer(),
            # The state in a state holds no further one.
            "partial": optional(_record if where == "record" else _nothing),
        },
        {"judged_share": number(low=0), "rate_factor": number(low=0), "changes": listed(_CHANGE)},
    )(value, where)


def _nothing(value, where):
    raise NotWholeError(f"holds no valid '{where}': expected null")


def _files(value, where):
    # Before there were digests, the names alone.
    (listed(text) if isinstance(value, list) else named(_DIGEST))(value, where)


_STATE: Check = fields(
    {
        "version": integer(1),
        "seed": integer(),
        "settings": fields(
            {
                "max_iterations": either(integer(1), "auto"),
                "steps_per_iteration": either(integer(1), "auto"),
                "adanet_lambda": either(number(low=0), "auto"),
            }
        ),
        "fit": fields({"features": text, "batch_size": integer(1)}),
        "adapted_head": anything,
        "data": text,
        "preprocessed": boolean,
        "members": named(_MEMBER),
        "files": _files,
        "record": _record,
    },
    {
        "defaults": fields({"steps": integer(1), "adanet_lambda": number(low=0)}),
        "schema": mapping,
        "spec": mapping,
        "loss_scale": optional(fields({"overall": number(), "each": floats, "deviation": floats})),
        "search": text,
        "number": integer(1),
        "written_by": mapping,
        "probe": mapping,
        "warm_start": mapping,
    },
)


def check_state(state: dict[str, Any]) -> None:
    """Checks the values of a state, and what they say of each other.

    Args:
        state: The values, with NaN and infinity decoded.

    Raises:
        NotWholeError: Something in it is not what a search writes.
    """
    _STATE(state, "")
    if "schema" not in state and "spec" not in state:
        raise NotWholeError("lacks 'schema'")
    _check_members(state)
    record, members = state["record"], state["members"]
    for part, where in ((record, "record"), (record["partial"], "record.partial")):
        if part is not None:
            _check_record(part, where, members)


def _check_members(state):
    seen, taken = set(), {}
    for key, member in state["members"].items():
        where = f"members.{key}"
        if member["name"] != key:
            _refuse(f"{where}.name", f"'{key}'", member["name"])
        for parent in member["parents"]:
            # Parents come first, so that no member reads itself.
            if parent not in seen:
                _refuse(f"{where}.parents", "members that stand before it", parent)
        file = member["file"]
        if not MODEL_NAME.fullmatch(file) or not file.startswith("members/"):
            _refuse(f"{where}.file", "the name of a .keras file in 'members'", file)
        if file in taken:
            _refuse(f"{where}.file", f"another file than that of '{taken[file]}'", file)
        if file not in state["files"]:
            _refuse("files", f"the file of the member '{key}'", file)
        taken[file] = key
        seen.add(key)
    for name in state["files"]:
        if not MODEL_NAME.fullmatch(name):
            _refuse("files", "names of .keras files of the search", name)


def _check_record(record, where, members):
    known = record["best_single"]
    if known is not None and known not in members:
        _refuse(f"{where}.best_single", "the name of a member", known)
    ensemble = record["ensemble"]
    if ensemble is not None:
        names = ensemble["members"]
        if not names or len(set(names)) != len(names) or not set(names) <= members.keys():
            _refuse(f"{where}.ensemble.members", "names of members, each once", names)
        if len(ensemble["weights"]) != len(names):
            given = len(ensemble["weights"])
            _refuse(f"{where}.ensemble.weights", f"{len(names)} weights", given)
        if ensemble["iteration"] > record["iteration"]:
            _refuse(f"{where}.ensemble.iteration", "a finished round", ensemble["iteration"])
    for list_name, key in (("entries", "round"), ("reports", "iteration"), ("curves", "round")):
        for place, row in enumerate(record[list_name]):
            if row[key] > record["iteration"]:
                _refuse(f"{where}.{list_name}[{place}].{key}", "a finished round", row[key])
    told = {f"{entry['round']}/{entry['candidate']}" for entry in record["entries"]}
    for place, entry in enumerate(record["entries"]):
        if entry["parent"] and entry["parent"] not in told:
            _refuse(f"{where}.entries[{place}].parent", "a candidate of an entry", entry["parent"])


def _refuse(where, words, value):
    raise NotWholeError(f"holds no valid '{where}': expected {words}, not {show(value)}")
