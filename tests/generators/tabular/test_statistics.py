"""What is learnt from the training rows."""

import numpy as np
import pytest
from scipy.stats import norm

from adaptive_nets.data.specs import FeatureSpec
from adaptive_nets.generators.tabular.builder import TabularBuilder
from adaptive_nets.generators.tabular.recipe import Recipe
from adaptive_nets.generators.tabular.statistics import (
    QUANTILES,
    category_statistics,
    learn_statistics,
    named_features,
    number_statistics,
)

RNG = np.random.default_rng(0)


def edges_of(column):
    found = number_statistics(np.asarray(column)[:, None]).edges[0]
    return np.unique(found)


def test_edges_are_quantiles_of_rows_and_of_distinct_values():
    # Nine rows of ten are zero: quantiles of the rows alone would be that one value.
    column = np.where(RNG.random(5000) < 0.9, 0.0, RNG.integers(1, 1000, 5000))
    at = np.linspace(0, 1, QUANTILES + 1)
    expected = np.union1d(np.quantile(column, at), np.quantile(np.unique(column), at))
    np.testing.assert_allclose(edges_of(column), expected)
    assert len(expected) > QUANTILES


def test_few_values_are_edges_themselves():
    np.testing.assert_array_equal(edges_of(RNG.integers(0, 7, 300)), range(7))
    np.testing.assert_array_equal(edges_of([5.0] * 9), [5.0])
    np.testing.assert_array_equal(edges_of([0.0, 1.0, 1.0]), [0.0, 1.0])


def test_ranges_that_are_hardly_there_are_dropped():
    np.testing.assert_array_equal(edges_of([1.0, 1.0 + 1e-8, 2.0, 3.0]), [1.0, 2.0, 3.0])
    # In float32 these two are one number.
    assert len(edges_of([0.0, 1e9, 1e9 + 1])) == 2


def test_scores_are_normal_quantiles():
    column = RNG.normal(size=20_000)
    known = number_statistics(column[:, None])
    inside = np.abs(known.edges[0]) < 2
    np.testing.assert_allclose(known.scores[0][inside], known.edges[0][inside], atol=0.05)
    assert np.abs(known.scores).max() <= norm.ppf(1 - 0.5 / 20_000) + 1e-9


def test_mostly_zero_columns_are_scaled_by_the_rest():
    known = number_statistics(np.r_[np.zeros(95), 100.0, 200.0, 300.0, 400.0, 500.0][:, None])
    assert (known.center[0], known.scale[0]) == (0, 600)


def test_slots_that_do_not_occur_stand_for_rare_values_or_for_nothing():
    known = category_statistics(np.array([[0, 3], [2, 4], [3, 3]]))
    assert known.sizes == [4, 5]
    assert known.stand_ins == [[0, 2, 2], [-1, -1, -1]]


def test_one_array_is_numbers_and_a_dict_has_kinds():
    x = RNG.normal(size=(30, 2))
    known = learn_statistics({"numbers": x, "tokens": np.array([[[1, 7]]] * 29 + [[[4, 0]]])})
    np.testing.assert_array_equal(known.numbers.edges, learn_statistics(x).numbers.edges)
    # The fourth token occurs once.
    assert known.tokens.tolist() == [0, 1, 0, 0, 0, 0, 0, 2] and known.codes is None


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"age": np.zeros((3, 1))}, "Received: key 'age'"),
        ({"categories": np.zeros((3, 1))}, "'categories' as integers"),
        (np.zeros((3, 4, 4)), r"'numbers' as numbers of shape \[rows, columns\]"),
        (np.array([["a"]]), "'numbers' as numbers"),
    ],
)
def test_other_features_are_refused(features, words):
    with pytest.raises(ValueError, match=words):
        named_features(features)


def test_very_many_columns_have_few_pieces_and_small_embeddings(built):
    known = learn_statistics(RNG.normal(size=(300, 1000)))
    assert known.numbers.edges.shape == (1000, 5)
    for embedding in ("pieces", "periodic"):
        builder = TabularBuilder(Recipe("mlp", embedding, widths=(8,)), known)
        assert built(builder, FeatureSpec((1000,), "float32")).model.count_params() < 40_000
