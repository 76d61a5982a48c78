"""Makes every wrong call and prints what was not refused in one clear line.

    PYTHONPATH=tests python -m wrong_calls [part of a name ...]
"""

import sys
from collections import Counter

from wrong_calls.calls_models import CALLS as MODELS
from wrong_calls.calls_search import CALLS as SEARCH
from wrong_calls.calls_service import CALLS as SERVICE
from wrong_calls.outcomes import make, no_work
from wrong_calls.things import train_all


def main(parts):
    """Prints faults by call, and how many of all."""
    seen = Counter()
    train_all()
    for call in (*SEARCH, *MODELS, *SERVICE):
        if parts and not any(part in call.name for part in parts):
            continue
        with no_work():
            valid = make(call)
            if valid != "accepted":
                print(f"{call.name}: the valid call was {valid}", flush=True)
                continue
            for name, number in call.wrong():
                found = make(call, name, number)
                kind = found.partition(":")[0]
                seen[kind] += 1
                if kind != "clear":
                    value = None if number < 0 else call.arguments[name].wrong[number]
                    shown = " ".join(repr(value).split())[:50]
                    print(f"{call.name}({name}={shown}): {found}", flush=True)
    print(dict(seen))


if __name__ == "__main__":
    main(sys.argv[1:])
