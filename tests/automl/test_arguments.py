"""What a saved estimator was made with is what a loaded one has."""

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.automl.arguments import describe_arguments, restore_arguments

X = pd.DataFrame({"a": np.random.default_rng(0).normal(size=40), "b": ["u", "v"] * 20})
SCHEMA = an.data.Schema.infer(X, kinds={"b": "ignore"})


def test_every_argument_comes_back(tmp_path):
    arguments = {
        "time_limit": 0.01, "preset": "good", "metric": "f1", "schema": SCHEMA, "folds": 2,
        "repeats": 2,
        "generator": an.generators.Tabular("mlp", width=16), "model_dir": str(tmp_path / "run"),
        "seed": 3, "verbose": 0, "distribute": "one_device", "placement": "replicated",
        "class_weight": {0: 1.0, 1: 2.5},
        "costs": {(0, 1): 5.0, (1, 0): 2.0},
    }  # fmt: skip
    model = an.AutoClassifier(**arguments).fit(X, (X["a"] > 0).astype(int))
    assert set(arguments) == set(model.get_params())
    again = an.automl.load(tmp_path / "run")
    found = again.get_params(deep=False)
    same = {name for name in arguments if name != "generator"}
    assert {name: found[name] for name in same} == {name: arguments[name] for name in same}
    assert found["generator"].get_config() == arguments["generator"].get_config()
    # A saved copy is not the folder of a search.
    copy = an.automl.load(model.save(tmp_path / "copy"))
    assert copy.model_dir is None and copy.costs == arguments["costs"]
    assert set(an.AutoRegressor().get_params()) - set(arguments) == {"loss", "output"}


@pytest.mark.parametrize(
    "given",
    [
        {"class_weight": "balanced", "costs": [[0, 1], [2.5, 0]], "time_limit": float("inf")},
        {"class_weight": [1.0, 2], "costs": pd.DataFrame([[0, 1], [2, 0]], ["a", "b"], ["a", "b"])},
        {"class_weight": pd.Series({"a": 1.0, "b": 2.0}), "costs": np.array([[0, 1], [2, 0]])},
        {"class_weight": {np.int64(1): np.float32(2)}, "costs": {(True, False): np.int64(3)}},
    ],
)
def test_every_form_comes_back(given, tmp_path):
    model = an.AutoClassifier(**given)
    found = restore_arguments(an.AutoClassifier, describe_arguments(model), tmp_path)
    for name, value in given.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(found[name], value)
        elif isinstance(value, pd.Series):
            assert found[name] == value.to_dict()
        else:
            np.testing.assert_equal(found[name], getattr(value, "tolist", lambda v=value: v)())


class Own(an.generators.Tabular):
    """A generator that no file can name."""


def test_what_no_file_can_hold_is_said(tmp_path):
    with pytest.warns(UserWarning, match=r"generator=.*is not saved.*set_params\(generator=\.\.\."):
        found = describe_arguments(an.AutoClassifier(generator=Own(), seed=1))
    assert "generator" not in found and found["seed"] == 1
    with pytest.raises(ValueError, match="arguments that AutoRegressor does not have"):
        restore_arguments(an.AutoRegressor, {"soup": 1}, tmp_path)
    broken = {"generator": {"object": {"registered": "no>thing", "config": {}}}, "seed": 1}
    with pytest.warns(UserWarning, match="generator of the saved estimator cannot be restored"):
        assert restore_arguments(an.AutoRegressor, broken, tmp_path) == {"seed": 1}
