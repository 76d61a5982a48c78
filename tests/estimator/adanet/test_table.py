"""The page of adanet's cases is true: each names a test that there is, and nearly all hold."""

import ast
import pathlib
import re
from collections import Counter

import pytest

REPO = pathlib.Path(__file__).parents[3]
HERE = pathlib.Path(__file__).parent
PAGE = REPO / "docs" / "adanet_cases.md"
ROW = re.compile(r"\| ([^|]+) \| (holds|differs|refused) \| ([^|]+) \| `([^`|]+)` \|")


def rows():
    lines = PAGE.read_text("utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ") and not line.startswith("| case")]
    found = [ROW.fullmatch(line) for line in table]
    assert all(found), [line for line, each in zip(table, found, strict=True) if not each]
    return [each.groups() for each in found]


def test_nearly_all_hold_or_differ_for_a_reason():
    found = rows()
    cases = [case for case, *_ in found]
    assert len(cases) == len(set(cases)) >= 90
    count = Counter(here for _, here, *_ in found)
    assert count["refused"] <= 0.05 * len(found)
    told = (
        f"Cases: {len(found)}. Hold: {count['holds']}; differ: {count['differs']}; "
        f"refused: {count['refused']}."
    )
    assert told in PAGE.read_text("utf-8")
    for case, here, why, _ in found:
        assert here == "holds" or len(why) > 20, case


@pytest.mark.parametrize("named", sorted({test for *_, test in rows()}))
def test_each_is_shown_by_a_test(named):
    file, _, test = named.partition("::")
    name, _, case = test.removesuffix("]").partition("[")
    text = (REPO / file if "/" in file else HERE / file).read_text("utf-8")
    functions = [n.name for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
    assert name in functions
    assert not case or f'"{case}"' in text
