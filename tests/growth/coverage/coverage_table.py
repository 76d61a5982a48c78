"""The committed table: outcomes as Markdown, and back."""

import dataclasses
import json
import pathlib

from trying import KINDS, VERBS, Outcome

PATH = pathlib.Path(__file__).parents[3] / "docs" / "coverage.md"
OUTCOMES = pathlib.Path(__file__).with_name("outcomes.json")
Table = dict[str, dict[str, dict[str, Outcome]]]
HEAD = """# What growth and majority kernels do on models people have

`python tests/growth/coverage` makes this table; `make coverage-table` does the same. Every
model is tiny, its weights are random (batch statistics, gains and biases too), and the gap is the
largest difference of outputs over their scale, in float32.

- **exact**: the gap is at most 1e-5 (1e-2 in half precision). *approximate*: the plan said so, and
  the gap is given.
- *refused*: by name, before anything is done; the reasons stand below the tables. **wrong** and
  **crash** are faults.
- `widen` doubles what can be doubled, `deepen` adds one layer or block, `self_fuse` is
  `self_fuse(cross="zero")`, `fuse` joins two models of different weights (with `norm="grouped"`
  where `"joint"` is not exact), and `expand` is `majority.expand` with three kernels, then
  `collapse`.

Totals are of the models listed. Models that cannot be built at the sizes tried are not:
`python tests/growth/coverage --missing` tries them.
"""


def written(table: Table) -> str:
    """The table as Markdown."""
    parts = [HEAD, "## Totals\n", *_totals(table)]
    for group, rows in table.items():
        parts += [f"\n## {group}\n", _row(["model", *VERBS]), _row(["---"] * (len(VERBS) + 1))]
        parts += [_row([name, *(_cell(found[verb]) for verb in VERBS)])
                  for name, found in rows.items()]  # fmt: skip
    reasons = list(_reasons(table))
    if reasons:
        parts += ["\n## Reasons\n", _row(["model", "verb", "reason"]), _row(["---"] * 3), *reasons]
    return "\n".join(parts) + "\n"


def read() -> Table:
    """The committed outcomes, by group, model and verb."""
    if not OUTCOMES.exists():
        return {}
    stored = json.loads(OUTCOMES.read_text("utf-8"))
    return {
        group: {
            name: {verb: Outcome(**each) for verb, each in found.items()}
            for name, found in rows.items()
        }
        for group, rows in stored.items()
    }


def write(table: Table) -> None:
    """Commits outcomes, and the Markdown that shows them."""
    ordered = {group: dict(sorted(rows.items())) for group, rows in sorted(table.items())}
    stored = {
        group: {
            name: {verb: dataclasses.asdict(each) for verb, each in found.items()}
            for name, found in rows.items()
        }
        for group, rows in ordered.items()
    }
    OUTCOMES.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    PATH.write_text(written(ordered), "utf-8")


def _totals(table: Table) -> list[str]:
    lines = [_row(["group", "models", *VERBS]), _row(["---"] * (len(VERBS) + 2))]
    for group, rows in [*table.items(), ("all", {str(n): x for n, x in enumerate(_all(table))})]:
        cells = [group, str(len(rows))]
        for verb in VERBS:
            kinds = [found[verb].kind for found in rows.values()]
            counts = {kind: kinds.count(kind) for kind in KINDS if kind in kinds}
            share = f"{counts.get('exact', 0) / max(len(kinds), 1):.0%} exact"
            rest = [f"{n} {kind}" for kind, n in counts.items() if kind != "exact"]
            cells.append("; ".join([share, *rest]))
        lines.append(_row(cells))
    return lines


def _all(table: Table) -> list[dict[str, Outcome]]:
    return [found for rows in table.values() for found in rows.values()]


def _cell(outcome: Outcome) -> str:
    shown = outcome.kind if outcome.gap is None else f"{outcome.kind} {outcome.gap:.0e}"
    return f"**{shown}**" if outcome.kind in ("wrong", "crash") else shown


def _reasons(table: Table) -> list[str]:
    lines = []
    for rows in table.values():
        for name, found in rows.items():
            for verb, outcome in found.items():
                if outcome.kind != "exact":
                    note = " ".join(outcome.note.split()).replace("|", "/")
                    lines.append(_row([name, verb, note]))
    return lines


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
