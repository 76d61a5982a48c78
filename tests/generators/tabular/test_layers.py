"""The layers of networks for tables against float64 numpy."""

import keras
import numpy as np
import pytest

from adaptive_nets.generators.tabular import layers
from adaptive_nets.generators.tabular.statistics import number_statistics

RNG = np.random.default_rng(0)
KNOWN = number_statistics(
    np.stack(
        [
            RNG.normal(size=500),
            np.full(500, 3.0),
            RNG.integers(0, 2, 500),
            np.exp(5 * RNG.normal(size=500)),
        ],
        axis=1,
    )
)
ROWS = np.array([[0.3, 3.0, 0.5, 2.0], [-9.0, 4.0, 1.0, 1e30], [np.inf, -np.inf, 7.0, -1e38]])
SIZES, STAND_INS = [5, 4], [[0, 2, 2], [-1, -1, -1]]
IDS = np.array([[0, 0], [1, 1], [2, 2], [3, 3], [4, 3], [5, 99], [-1, 3]])


def weights_of(layer):
    return {w.name: keras.ops.convert_to_numpy(w).astype("float64") for w in layer.weights}


def randomized(layer, *inputs):
    """Calls a layer once, and gives it random weights."""
    layer(*inputs)
    for weight in layer.trainable_weights:
        weight.assign(RNG.normal(size=weight.shape))
    return weights_of(layer)


def numpy_pieces(x, edges):
    x = np.clip(x, edges.min(axis=1), edges.max(axis=1))
    found = np.zeros((len(x), *(edges[:, 1:].shape)))
    for c, each in enumerate(edges):
        for j in range(len(each) - 1):
            if each[j + 1] > each[j]:
                part = (x[:, c] - each[j]) / (each[j + 1] - each[j])
                found[:, c, j] = np.clip(part, 0, 1)
    return found


def test_pieces_clamp_whatever_comes_in():
    edges = KNOWN.edges.astype("float32").astype("float64")
    found = np.asarray(layers.Pieces(edges.shape[1] - 1, edges)(ROWS.astype("float32")))
    np.testing.assert_allclose(found, numpy_pieces(ROWS, edges), atol=1e-5)
    assert found.min() == 0 and found.max() == 1
    # A constant column has no piece, one of two values a single one.
    assert not found[:, 1].any() and not found[:, 2, 1:].any()
    np.testing.assert_allclose(found[:, 2, 0], [0.5, 1, 1])


def test_scores_are_linear_between_the_edges():
    edges = KNOWN.edges.astype("float32")
    pieces = layers.Pieces(edges.shape[1] - 1, edges)(ROWS.astype("float32"))
    found = np.asarray(layers.PieceScores(KNOWN.scores)(pieces))
    for c in range(4):
        kept = np.concatenate([[True], np.diff(edges[c]) > 0])
        expected = np.interp(ROWS[:, c], edges[c][kept], KNOWN.scores[c][kept])
        np.testing.assert_allclose(found[:, c], expected, atol=1e-4)


def test_piecewise_linear_starts_linear_and_learns_each_piece():
    pieces = RNG.random((5, 3, 4)).astype("float32")
    numbers = RNG.normal(size=(5, 3)).astype("float32")
    layer = layers.PiecewiseLinear(2, rate=0.5)
    first = np.asarray(layer((pieces, numbers)))
    known = {name: 0.5 * value for name, value in weights_of(layer).items()}
    linear = numbers[..., None] * known["embedding_slope"] + known["embedding_bias"]
    np.testing.assert_allclose(first, linear, atol=1e-6)
    known = {name: 0.5 * w for name, w in randomized(layer, (pieces, numbers)).items()}
    expected = numbers[..., None] * known["embedding_slope"] + known["embedding_bias"]
    expected += np.einsum("bcj,cju->bcu", pieces, known["embedding_pieces"])
    np.testing.assert_allclose(np.asarray(layer((pieces, numbers))), expected, atol=1e-5)


def test_smooth_clip_stays_within_three():
    center, scale = np.array([1.0, -2.0]), np.array([2.0, 0.5])
    x = np.array([[1.0, -2.0], [5.0, 1e30], [-1e38, 0.0]])
    z = np.clip((x - center) / scale, -1e12, 1e12)
    found = np.asarray(layers.SmoothClip(center, scale)(x.astype("float32")))
    np.testing.assert_allclose(found, z / np.sqrt(1 + (z / 3) ** 2), atol=1e-5)
    assert np.abs(found).max() <= 3


def test_periodic_is_the_number_and_its_waves():
    x = RNG.normal(size=(6, 3)).astype("float32")
    layer = layers.Periodic(units=4, frequencies=5, rate=0.1)
    known = randomized(layer, x)
    known = {name: 0.1 * value for name, value in known.items()}
    angle = x[..., None] * known["embedding_frequency"] + known["embedding_phase"]
    waves = np.einsum("bcw,cwu->bcu", np.cos(2 * np.pi * angle), known["embedding_mixer"])
    expected = np.concatenate([x[..., None], waves + known["embedding_bias"]], axis=-1)
    np.testing.assert_allclose(np.asarray(layer(x)), expected, atol=1e-4)


# What the values of `IDS` are read as; -1 has no row.
READ = np.array([[0, -1], [2, -1], [2, -1], [3, 3], [4, 3], [2, -1], [2, 3]])


def test_categories_unseen_in_training_stand_in_for_nothing_they_are_not():
    layer = layers.CategoryEmbedding(SIZES, STAND_INS, 3, rate=0.5)
    table = 0.5 * randomized(layer, IDS)["embedding_table"]
    expected = np.where(READ[..., None] < 0, 0.0, table[np.maximum(READ, 0) + np.array([0, 5])])
    np.testing.assert_allclose(np.asarray(layer(IDS)), expected, atol=1e-6)
    one_hot = np.zeros((len(IDS), 9))
    for row, column in np.argwhere(READ >= 0):
        one_hot[row, READ[row, column] + [0, 5][column]] = 1
    np.testing.assert_array_equal(np.asarray(layers.OneHot(SIZES, STAND_INS)(IDS)), one_hot)
    second = layers.OneHot(SIZES[1:], STAND_INS[1:], [1])(IDS)
    np.testing.assert_array_equal(np.asarray(second), one_hot[:, 5:])


def test_a_bag_is_the_mean_of_its_known_tokens():
    ids = np.array([[[1, 2, 0], [0, 0, 0]], [[4, 9, 4], [3, 0, 1]]])
    # The second id has no embedding, and the ninth is not known at all.
    layer = layers.TokenBag(5, 3, 3, [0, 1, 0, 2, 3])
    layer(ids)
    table = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    layer.table.assign(table)
    expected = [[table[1], np.zeros(3)], [table[3], table[[2, 1]].mean(0)]]
    np.testing.assert_allclose(np.asarray(layer(ids)), expected, atol=1e-6)


def test_members_are_networks_of_their_own_over_shared_kernels():
    x = RNG.normal(size=(7, 4)).astype("float32")
    first = layers.ScaleEnsemble(3, "normal")
    shared = keras.layers.Dense(5, "relu")
    second = layers.ScaleEnsemble(3, use_bias=True)
    heads = layers.MemberHeads(2)
    found = heads(second(shared(first(x))))
    for layer, given in ((first, x), (second, shared(first(x))), (heads, second(shared(first(x))))):
        randomized(layer, given)
    found = np.asarray(heads(second(shared(first(x)))))
    one, two, last = map(weights_of, (first, second, heads))
    kernel, bias = shared.get_weights()
    for k in range(3):
        hidden = np.maximum((x * one["member_scale"][k]) @ kernel + bias, 0)
        hidden = hidden * two["member_scale"][k] + two["member_bias"][k]
        expected = hidden @ last["kernel"][k] + last["member_bias"][k]
        np.testing.assert_allclose(found[:, k], expected, atol=1e-5)


@pytest.mark.parametrize("start", ["normal", "signs", "ones"])
def test_scales_of_a_column_begin_alike(start):
    layer = layers.ScaleEnsemble(64, start, groups=[3, 1, 2])
    layer(np.ones((1, 6), "float32"))
    scale = np.asarray(layer.scale)
    for one, other in ((0, 1), (0, 2), (4, 5)):
        np.testing.assert_array_equal(scale[:, one], scale[:, other])
    assert (np.abs(scale) == 1).all() == (start != "normal")
    columns = len(np.unique(scale[:, [0, 3, 4]], axis=1).T)
    assert columns == (1 if start == "ones" else 3)


def test_scaled_dense_divides_by_the_root_of_its_features():
    x = RNG.normal(size=(6, 9)).astype("float32")
    scaled, out, scale = (
        layers.ScaledDense(4, "relu"), layers.ScaledDense(2), layers.InputScale(6.0)
    )  # fmt: skip
    known = randomized(scaled, x)
    z = x @ known["kernel"] / 3 + 0.1 * known["bias"]
    expected = z + (np.maximum(z, 0) - z) * 0.1 * known["blend_scale"]
    np.testing.assert_allclose(np.asarray(scaled(x)), expected, atol=1e-5)
    assert not np.asarray(out(x)).any()
    np.testing.assert_allclose(np.asarray(scale(x)), x, atol=1e-6)


def test_a_rate_is_a_factor_on_adams_steps():
    layer, optimizer = layers.InputScale(6.0), keras.optimizers.Adam(0.01)
    layer.build((None, 2))
    before = 6.0 * np.asarray(layer.scale)
    optimizer.apply([keras.ops.convert_to_tensor([0.5, -2.0])], layer.trainable_weights)
    np.testing.assert_allclose(6.0 * np.asarray(layer.scale) - before, [-0.06, 0.06], atol=1e-6)


def test_buckets_say_in_which_part_of_its_range_a_number_lies():
    edges = np.array([np.arange(9.0)])
    x = np.array([[-1.0], [0.5], [1.0], [3.9], [8.0]], "float32")
    found = layers.Buckets(3)(layers.Pieces(8, edges)(x))
    np.testing.assert_array_equal(np.asarray(found)[:, 0], [0, 0, 0, 1, 2])


def test_crosses_have_a_weight_for_each_pair_of_values():
    sizes, rows = [5, 4, 100], [IDS, RNG.integers(3, 100, (len(IDS), 1))]
    layer = layers.Crosses(sizes, 2)
    assert not np.asarray(layer(rows)).any()
    table = randomized(layer, rows)["embedding_table"].reshape(3, 256, 2)
    ids = np.concatenate(rows, axis=1)
    ids = np.where((ids < 0) | (ids >= sizes), 1, ids)
    expected = table[0, ids[:, 0] * 4 + ids[:, 1]]
    for pair, column in ((1, 0), (2, 1)):
        value = ids[:, column] * 100 + ids[:, 2]
        full = sizes[column] * 100 > 256
        expected = expected + table[pair, (value * 31_337 if full else value) % 256]
    np.testing.assert_allclose(np.asarray(layer(rows)), expected / np.sqrt(3), atol=1e-5)
    flat, deep = RNG.normal(size=(4, 2)), RNG.normal(size=(4, 3, 2))
    found = layers.ColumnSum()([flat.astype("float32"), deep.astype("float32")])
    np.testing.assert_allclose(np.asarray(found), flat + deep.sum(1), atol=1e-5)
