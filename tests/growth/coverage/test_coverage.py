"""No verb is silently wrong or crashes on the models of the coverage table."""

import functools

import keras
import pytest
from coverage_models import groups
from coverage_table import read
from trying import VERBS, tried

# One of each kind of model; `test_all_models_are_as_in_the_table` tries the others.
QUICK = [
    ("hub/text_backbones", "LlamaBackbone"),
    ("hub/image_backbones", "VGGBackbone"),
    ("hub/tasks", "BertTextClassifier"),
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


@pytest.mark.parametrize(("group", "name"), QUICK)
def test_no_verb_is_wrong_or_crashes(group, name):
    if group not in models():
        pytest.skip("keras-hub (extra hub) is not installed")
    check(group, name)


@pytest.mark.parametrize(("group", "name"), everything())
def test_all_models_are_as_in_the_table(group, name):
    assert check(group, name) == read().get((group, name)), "python tests/growth/coverage"


def test_the_table_holds_every_model_and_verb():
    pytest.importorskip("keras_hub", reason="keras-hub (extra hub) is not installed")
    table = read()
    assert set(table) == set(everything())
    assert all(set(found) == set(VERBS) for found in table.values())
