"""Where the suite's minutes go, by folder: a Markdown table of what pytest measured.

python -m pytest -n auto --dist worksteal --durations=0 -vv > tests.log
python tests/minutes.py tests.log [tests_before.log]
"""

import collections
import re
import sys

LINE = re.compile(r"\s*([\d.]+)s (call|setup|teardown)\s+tests/(\w+)(\.py)?\S*")


def seconds_of(path):
    """`{folder: (tests, seconds)}` of a log; tests are counted by their calls."""
    found = collections.defaultdict(lambda: [0, 0.0])
    with open(path, encoding="utf-8") as log:
        for match in filter(None, map(LINE.match, log)):
            folder = "(top)" if match[4] else match[3]
            found[folder][0] += match[2] == "call"
            found[folder][1] += float(match[1])
    return found


def main(paths):
    logs = [seconds_of(path) for path in paths]
    print(f"| folder | tests | {' | '.join(f'seconds in {path}' for path in paths)} |")
    print(f"|---|---|{'---|' * len(paths)}")
    folders = {folder for log in logs for folder in log}
    for folder in sorted(folders, key=lambda f: -logs[0][f][1]):
        cells = " | ".join(f"{log[folder][1]:,.0f}" for log in logs)
        print(f"| `{folder}` | {logs[0][folder][0]} | {cells} |")
    cells = " | ".join(f"{sum(s for _, s in log.values()):,.0f}" for log in logs)
    print(f"| all | {sum(n for n, _ in logs[0].values())} | {cells} |")


if __name__ == "__main__":
    main(sys.argv[1:])
