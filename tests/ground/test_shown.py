"""Plans, reports and schemas in notebooks: escaped, small, and without colours of their own."""

import re

import keras
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets._shown import MOST_ROWS, html_of

BAD = "<script>alert(1)</script>"


def plan():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, activation="relu", name="hidden")(inputs)
    return an.growth.plan_widen(keras.Model(inputs, keras.layers.Dense(1)(hidden)), 2.0)


THINGS = {
    "schema": lambda: an.data.Schema.infer(
        pd.DataFrame({BAD: ["a", "b", "a"] * 9, "n": [0.5, 1.7, 2.1] * 9}), kinds={}
    ),
    "plan": plan,
    "growth report": lambda: plan().apply()[1],
    "collapse report": lambda: an.majority.collapse(
        an.majority.expand(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), factor=2)
    )[1],
    "search": lambda: an.AdaNet(an.heads.BinaryClass(), model_dir=None),
}


@pytest.mark.parametrize("name", THINGS)
def test_notebooks_show_what_is_printed(name):
    thing = THINGS[name]()
    html = thing._repr_html_()
    words = re.findall(r"[A-Za-z]{4,}", re.sub(r"<[^>]*>|&\w+;", " ", html))
    assert words and all(word in str(thing) for word in words)
    assert "<script" not in html and len(html) < 8_000
    assert not re.search(r"#[0-9a-f]{3,6}\b|color|rgb", html)


def test_long_tables_are_shortened_and_text_is_escaped():
    html = html_of([BAD, pd.DataFrame({BAD: [f"<b>{k}</b>" for k in range(500)]})])
    assert "<script" not in html and "<b>" not in html and html.count("<tr") < MOST_ROWS + 5
