"""Reports of AutoClassifier and AutoRegressor."""

import json

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an

RNG = np.random.default_rng(0)
HOSTILE = "<script>alert(1)</script>"
TABLE = pd.DataFrame(
    {
        "size": RNG.normal(size=200),
        f"from {HOSTILE}": RNG.choice(["here", HOSTILE], 200),
        "kind": np.where(RNG.random(200) < 0.5, "<b>dear</b>", "cheap"),
    }
)


@pytest.fixture(scope="module", params=["kind", "size"])
def fitted(request):
    kind = an.AutoClassifier if request.param == "kind" else an.AutoRegressor
    return kind(time_limit=0.1, seed=0, verbose=0).fit(TABLE, request.param), request.param


def test_values_are_those_of_evaluate(fitted):
    model, target = fitted
    found = model.report_data(TABLE[:50], target)["test"].set_index("measure")["value"]
    assert found.to_dict() == pytest.approx(model.evaluate(TABLE[:50], target))
    assert f"{len(TABLE[:50])} rows passed" in str(
        [
            block.text
            for block in model.report_data(TABLE[:50], target).blocks
            if hasattr(block, "text")
        ]
    )


def test_what_is_known_of_held_out_rows_is_saved(fitted, tmp_path):
    model, _ = fitted
    model.save(tmp_path / "model")
    loaded = an.automl.load(tmp_path / "model")
    assert loaded.report_data().verdict == model.report_data().verdict
    assert "rows held out of the training" in model.report_data().verdict


def test_the_page_has_no_foreign_code_and_the_data_are_json(fitted, tmp_path):
    model, _ = fitted
    page = model.report(tmp_path / "a.html").read_text("utf-8")
    assert HOSTILE not in page and "<b>dear" not in page and "&lt;script&gt;" in page
    data = json.loads(model.report(tmp_path / "a.json").read_text("utf-8"))
    assert data["verdict"] == model.report_data().verdict
    with pytest.raises(ValueError, match="ends in .html or .json"):
        model.report(tmp_path / "a.pdf")
    with pytest.raises(ValueError, match="y must be None where X is"):
        model.report_data(None, "kind")
