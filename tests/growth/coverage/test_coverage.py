"""No verb is silently wrong or crashes on the models of the coverage table.

Some of them, of each kind one; `WHOLE_CONTRACT=1`, as in `make contract`, tries all of the table.
"""

import functools
import os

import keras
import pytest
from coverage_models import groups
from coverage_table import read
from trying import VERBS, tried

SOME = [
    ("hub/text_backbones", "LlamaBackbone"),
    ("hub/image_backbones", "VGGBackbone"),
    ("hub/tasks", "BertTextClassifier"),
    ("examples/images", "vision_transformer"),
    ("examples/tables", "columns_of_text_and_numbers"),
    ("examples/texts", "miniature_gpt"),
]


@functools.cache
def models():
    return groups()


def everything():
    return [(group, name) for group, each in models().items() for name in each]


def check(group, name):
    """The kinds of outcome, none of which may be a fault."""
    found = tried(models()[group][name])
    keras.utils.clear_session()
    faults = {verb: x for verb, x in found.items() if x.kind in ("wrong", "crash")}
    assert not faults, f"{group} {name}: {faults}"
    return {verb: outcome.kind for verb, outcome in found.items()}


@pytest.mark.parametrize(
    ("group", "name"), everything() if "WHOLE_CONTRACT" in os.environ else SOME
)
def test_models_are_as_in_the_table(group, name):
    if group not in models():
        pytest.skip("keras-hub (extra hub) is not installed")
    found = check(group, name)
    stored = read().get(group, {}).get(name)
    if stored is None:
        pytest.skip("not in the table yet: python tests/growth/coverage --missing")
    kinds = {verb: outcome.kind for verb, outcome in stored.items()}
    assert found == kinds, f"python tests/growth/coverage {name}"


def test_the_table_holds_every_verb_and_no_fault():
    for rows in read().values():
        for found in rows.values():
            assert set(found) == set(VERBS)
            assert not {x.kind for x in found.values()} & {"wrong", "crash"}
