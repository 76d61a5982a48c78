"""A small part of the fuzz; and what it counts as a fault is one."""

import json

import fuzz
import fuzz_draws
import pytest
from call_kinds import count, text
from call_outcomes import Call, no_work
from call_things import train_all
from calls_all import CALLS
from fuzz_values import POOL

SAMPLE = 250


@pytest.fixture(scope="module")
def ready():
    """The working folder, and training that stops at its first step."""
    train_all()
    with no_work():
        fuzz_draws.enter()
        yield


def test_a_sample_of_calls_is_refused_clearly_or_right(ready):
    found = []
    for number in range(SAMPLE):
        call, chosen = fuzz_draws.draw(13, number)
        kind, said = fuzz_draws.outcome(call, chosen)
        found.append({"kind": kind, "call": fuzz_draws.shown(call, chosen), "said": said})
    counts, why = fuzz.judge(found)
    bad = [line for line in found if line["kind"] not in ("clear", "valid")]
    assert not why, json.dumps(bad, indent=1)
    assert counts["clear"] > SAMPLE / 2


def test_draws_repeat_and_reach_every_call_and_value():
    drawn = [fuzz_draws.draw(1, number) for number in range(6000)]
    assert {call.name for call, _ in drawn} == {call.name for call in CALLS}
    assert {value for _, chosen in drawn for value in chosen.values()} == {*POOL}
    assert fuzz_draws.draw(1, 77) == fuzz_draws.draw(1, 77)


def raising(error):
    def function(count, name):
        raise error

    return function


def writing(count, name):
    with open("left.txt", "w") as file:
        file.write("x")
    raise ValueError(f"count must be an integer. Received: count={count!r}.")


@pytest.mark.parametrize(
    ("function", "chosen", "kind"),
    [
        (lambda count, name: None, {"count": "function"}, "nonsense"),
        (lambda count, name: None, {"count": "named_integer"}, "valid"),
        (lambda count, name: None, {"count": "named_integer", "name": "vector"}, "nonsense"),
        (raising(RuntimeError("count")), {"count": "function"}, "obscure"),
        # Raised outside the package.
        (raising(ValueError("Bad count. Received: count=3.")), {"count": "function"}, "obscure"),
        (writing, {"count": "function"}, "changed"),
    ],
)  # fmt: skip
def test_faults_are_seen(ready, function, chosen, kind):
    call = Call("x", lambda: function, {"count": count(1), "name": text("a")})
    assert fuzz_draws.outcome(call, chosen)[0] == kind


@pytest.mark.parametrize("kind", fuzz_draws.FAULTS)
def test_one_fault_fails_the_fuzz(kind):
    clear = [{"kind": "clear"}] * (99 if kind == "obscure" else 10**4)
    assert not fuzz.judge(clear)[1]
    assert kind in fuzz.judge([*clear, {"kind": kind}, {"kind": kind}])[1]


def test_a_process_that_ends_or_hangs_is_counted_and_the_rest_goes_on(tmp_path, monkeypatch):
    program = tmp_path / "calls.py"
    program.write_text(
        "import json, os, sys, time\n"
        "first = int(sys.argv[sys.argv.index('--first') + 1])\n"
        "for n in range(first, 4):\n"
        "    line = {'number': n, 'call': 'f()'}\n"
        "    print(json.dumps(line), flush=True)\n"
        "    if n == 1: os.abort()\n"
        "    if n == 2: time.sleep(60)\n"
        "    print(json.dumps({**line, 'kind': 'clear', 'said': '', 'seconds': 0}), flush=True)\n"
        "print(json.dumps({'done': True}), flush=True)\n"
    )
    monkeypatch.setattr(fuzz, "PROGRAM", str(program))
    monkeypatch.setattr(fuzz, "SILENCE", 1)
    found = fuzz.run(fuzz.parse(["--seconds", "60"]))
    assert [line["kind"] for line in found] == ["clear", "crash", "hang", "clear"]
