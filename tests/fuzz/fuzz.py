"""Makes public calls with values of all kinds, seeded, and says what came of them.

So it does with the command's flags, and, for a fifth of the time, with damaged files of searches.

    python tests/fuzz/fuzz.py --seconds 120 --seed 0

Calls are made in a process of their own, so that a crash or a hang is counted and the rest goes on.
What failed is written to a file, one JSON a line, and made again by its number:

    python tests/fuzz/fuzz.py --seed 0 --only 1234

Ends with 1 where a call crashed, hung, was accepted though it was nonsense, or changed something
though it was refused, or where more than 1 % of the refusals were obscure.
"""

import argparse
import faulthandler
import json
import os
import pathlib
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
PROGRAM = __file__
OBSCURE = 0.01
SILENCE = 120
# The share of the time in which files are damaged.
FILES = 0.2


def parse(arguments):
    """The program's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calls", type=int, default=10**9, help="at most so many")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of calls to make")
    parser.add_argument("--part", nargs="*", default=[], help="parts of the names of calls")
    parser.add_argument("--failures", default="", help="a file to write what failed to")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def work(options):
    """Makes calls until time is over; prints the number of each before, and the outcome after."""
    faulthandler.enable()
    sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "wrong_calls")]
    import fuzz_draws
    import fuzz_files
    from call_outcomes import no_work
    from call_things import train_all

    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    train_all()
    until = time.monotonic() + options.seconds
    if fuzz_files.PROGRAM.exists() and not (options.only or options.part or options.first):
        _damage_files(fuzz_files, options, out)
    last = options.first + options.calls
    numbers = options.only or range(options.first, last)
    with no_work():
        fuzz_draws.enter()
        for number in numbers:
            if time.monotonic() > until and not options.only:
                break
            shown, act = fuzz_draws.job(options.seed, number, options.part)
            line = {"number": number, "call": shown}
            out.write(json.dumps(line) + "\n")
            began = time.monotonic()
            kind, said = act()
            seconds = round(time.monotonic() - began, 3)
            out.write(json.dumps({**line, "kind": kind, "said": said, "seconds": seconds}) + "\n")
    out.write(json.dumps({"done": True}) + "\n")


def _damage_files(fuzz_files, options, out):
    """Damages stored files for a fifth of the time; what it prints are numbers below 0."""
    until = time.monotonic() + options.seconds * FILES
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz_files.outcomes(folder, options.seed, until)
        for number, (call, kind, said) in enumerate(found, start=1):
            line = {"number": -number, "call": call, "kind": kind, "said": said, "seconds": 0}
            out.write(json.dumps(line) + "\n")


def watch(options, found):
    """Runs one process that makes calls.

    Returns:
        The number to go on from, or `None` where all is done.
    """
    child = subprocess.Popen(
        [sys.executable, PROGRAM, "--child", *_as_arguments(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if not options.only else None,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )
    at, done, hung, text = None, False, False, b""
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        if child.stderr:
            ready.register(child.stderr, selectors.EVENT_READ)
        errors, open_files = b"", len(ready.get_map())
        while open_files:
            events = ready.select(SILENCE)
            if not events:
                # `faulthandler` says where it stands.
                hung = True
                child.send_signal(signal.SIGABRT)
            for key, _ in events:
                read = os.read(key.fd, 1 << 16)
                if not read:
                    ready.unregister(key.fileobj)
                    open_files -= 1
                elif key.fileobj is child.stderr:
                    errors = (errors + read)[-4000:]
                else:
                    *lines, text = (text + read).split(b"\n")
                    for line in map(json.loads, lines):
                        done = done or "done" in line
                        at = line if "number" in line else at
                        if "kind" in line:
                            found.append(line)
    child.wait()
    if done:
        return None
    if at is None or (at["number"] < 0 and not hung):
        raise SystemExit(f"fuzz: could not begin:\n{errors.decode(errors='replace')}")
    if "kind" not in at:
        said = errors.decode(errors="replace")[-2000:]
        found.append({**at, "kind": "hang" if hung else "crash", "said": said, "seconds": SILENCE})
    return max(at["number"] + 1, 1)


def _as_arguments(options):
    given = ["--seconds", str(options.seconds), "--seed", str(options.seed)]
    given += ["--first", str(options.first), "--calls", str(options.calls)]
    given += ["--only", *map(str, options.only)] if options.only else []
    return [*given, "--part", *options.part] if options.part else given


def run(options):
    """Makes calls, in as many processes as crash, and returns all outcomes."""
    found, until = [], time.monotonic() + options.seconds
    end = options.first + options.calls
    while True:
        options.calls = end - options.first
        following = watch(options, found)
        options.seconds = until - time.monotonic()
        if following is None or options.only or options.seconds <= 0:
            return found
        options.first = following


def judge(found):
    """Returns the counts by kind, and why the calls fail as a whole, or nothing."""
    counts = Counter(line["kind"] for line in found)
    tried = sum(counts.values()) - counts["valid"]
    worst = [k for k in ("crash", "hang", "nonsense", "changed") if counts[k]]
    why = [f"{counts[k]} {k}" for k in worst]
    if counts["obscure"] > OBSCURE * max(tried, 1):
        why.append(f"{counts['obscure']} of {tried} obscure, more than {OBSCURE:.0%}")
    return counts, ", ".join(why)


def main(arguments=None):
    """Runs the program."""
    options = parse(arguments)
    if options.child:
        return work(options)
    seed = options.seed
    sys.stdout.reconfigure(errors="backslashreplace")
    found = run(options)
    bad = [line for line in found if line["kind"] not in ("clear", "valid")]
    for line in found if options.only else bad:
        print(f"#{line['number']} {line['kind']}: {line['call']}\n    {line['said']}")
    counts, why = judge(found)
    if options.failures:
        lines = (json.dumps({"seed": seed, **line}) + "\n" for line in bad)
        pathlib.Path(options.failures).write_text("".join(lines), "utf-8")
    tried = sum(counts.values()) - counts["valid"]
    clear = counts["clear"] / max(tried, 1)
    rest = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    print(f"fuzz: seed {seed}, {len(found)} calls: {rest}; {clear:.2%} of {tried} wrong ones clear")
    if why and not options.only:
        print(f"fuzz: FAILED: {why}. Again: python tests/fuzz/fuzz.py --seed {seed} --only NUMBER")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
