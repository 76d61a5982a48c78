"""Valid calls of all public functions; as a script, makes every wrong call.

python tests/wrong_calls/calls_all.py [part of a name ...]

It prints what was not refused in one clear line.
"""

import sys
from collections import Counter

import calls_data
import calls_generators
import calls_layers
import calls_methods
import calls_models
import calls_search
import calls_service
import calls_serving
import calls_tasks
from call_outcomes import make, no_work
from call_things import train_all

CALLS = (
    *calls_search.CALLS,
    *calls_tasks.CALLS,
    *calls_generators.CALLS,
    *calls_data.CALLS,
    *calls_models.CALLS,
    *calls_layers.CALLS,
    *calls_methods.CALLS,
    *calls_service.CALLS,
    *calls_serving.CALLS,
)


def main(parts):
    """Prints faults by call, and how many of all."""
    seen = Counter()
    train_all()
    for call in CALLS:
        if parts and not any(part in call.name for part in parts):
            continue
        lines = []
        with no_work():
            valid = make(call)
            wrong = list(call.wrong()) if valid == "accepted" else []
            found = [(name, number, make(call, name, number)) for name, number in wrong]
        if valid != "accepted":
            lines.append(f"{call.name}: the valid call was {valid}")
        for name, number, outcome in found:
            seen[outcome.partition(":")[0]] += 1
            if not outcome.startswith("clear"):
                value = None if number < 0 else call.arguments[name].wrong[number]
                shown = " ".join(repr(value).split())[:50]
                lines.append(f"{call.name}({name}={shown}): {outcome}")
        print("\n".join(lines), flush=True)
    print(dict(seen))


if __name__ == "__main__":
    main(sys.argv[1:])
