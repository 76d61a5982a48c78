"""The order of features, where sources stand side by side."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers


def test_features_that_are_not_on_the_last_axis_are_concatenated_where_they_are(gc):
    inputs = keras.Input((4, 5))
    x = layers.Dense(3, "relu")(inputs)
    made = keras.Model(inputs, layers.Permute((2, 1))(layers.Dense(6, name="last")(x)))
    sources = [gc.randomise(keras.models.clone_model(made), seed) for seed in (1, 2)]
    rows = np.random.default_rng(0).normal(size=(7, 4, 5)).astype("float32")
    fused = growth.fuse(sources, output="concatenate", verify=True)
    expected = np.concatenate([gc.outputs(source, rows)[0] for source in sources], axis=1)
    assert expected.shape == (7, 12, 4) and gc.gap(gc.outputs(fused, rows), [expected]) <= 1e-6


def test_what_adds_features_that_stand_in_another_order_is_kept_once_per_source(gc):
    inputs = keras.Input((8, 5))
    wide = layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same")(
        layers.Conv1D(3, 3, padding="same")(inputs)
    )
    made = keras.Model(inputs, layers.Add()([layers.Dense(6)(wide), wide]))
    one, other = (gc.randomise(keras.models.clone_model(made), seed) for seed in (1, 2))
    rows = np.random.default_rng(0).normal(size=(7, 8, 5)).astype("float32")
    for sources in ([one, other], [one, one, one]):
        expected = np.mean([gc.outputs(source, rows)[0] for source in sources], axis=0)
        assert gc.gap(gc.outputs(growth.fuse(sources), rows), [expected]) <= 1e-6
    same = growth.self_fuse(one, 3, cross="zero", preserve="exact")
    assert gc.gap(gc.outputs(same, rows), gc.outputs(one, rows)) <= 1e-6


@pytest.mark.parametrize("end", ["two layers", "beside inputs", "bidirectional"])
def test_concatenated_outputs_have_all_features_of_a_source_before_those_of_the_next(gc, end):
    inputs = keras.Input((4, 5))
    x = layers.Dense(3, "relu")(inputs)
    if end == "bidirectional":
        x = layers.Bidirectional(layers.GRU(2), name="last")(x)
    else:
        beside = layers.Dense(3)(x) if end == "two layers" else inputs
        x = layers.Concatenate(name="last")([layers.Dense(2)(x), beside])
    made = keras.Model(inputs, x)
    sources = [gc.randomise(keras.models.clone_model(made), seed) for seed in (1, 2)]
    rows = np.random.default_rng(0).normal(size=(7, 4, 5)).astype("float32")
    fused = growth.fuse(sources, output="concatenate", verify=True)
    expected = np.concatenate([gc.outputs(source, rows)[0] for source in sources], axis=-1)
    found = gc.outputs(fused, rows)
    assert found[0].shape == expected.shape and gc.gap(found, [expected]) <= 1e-6
    assert fused.output_names == ["last"]
