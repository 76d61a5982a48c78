"""What a generator is given reaches the candidates that it wraps, grows or learns."""

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet import Ensemble, Mixture
from adaptive_nets.data.specs import FeatureSpec

VECTOR = FeatureSpec((5,), "float32")
DENSE = an.generators.Dense(6, 1)


@pytest.fixture
def after_a_round(built):
    """The ensemble of one trained member."""
    (builder,) = DENSE.generate(None, 1, [])
    member = built(builder, VECTOR)
    return Ensemble("grow", 1, (member,), Mixture((np.float64(1.0),)), 0.0)


def kernels(member):
    """How many values its trainable kernels have."""
    sizes = [v.shape.num_elements() for v in member.model.trainable_variables if len(v.shape) > 1]
    return sum(sizes)


@pytest.mark.parametrize("transform", ["widen", "deepen"])
def test_grown_candidates_train_k_kernels_in_the_place_of_each(transform, after_a_round, built):
    found = {}
    for k in (1, 3):
        generator = an.generators.Growth(DENSE, transform, majority=k)
        (builder,) = generator.generate(after_a_round, 2, [])
        found[k] = kernels(built(builder, VECTOR, 3, after_a_round, 2))
    assert found[3] == 3 * found[1]


def test_bagged_candidates_train_the_kernels_of_their_generator(built):
    found = {}
    for k in (1, 3):
        inner = an.generators.Dense(6, 1, majority=k)
        (builder,) = an.generators.Bagging(inner, 0.5).generate(None, 1, [])
        found[k] = kernels(built(builder, VECTOR))
    assert found[3] == 3 * found[1]


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(0.003, 0.003), (keras.optimizers.schedules.ExponentialDecay(0.02, 5, 0.5), 0.02)],
    ids=["number", "schedule"],
)
def test_grown_candidates_learn_at_the_rate_that_is_given(rate, expected, after_a_round):
    generator = an.generators.Growth(DENSE, learning_rate=rate)
    for builder in generator.generate(after_a_round, 2, []):
        assert float(builder.optimizer().learning_rate) == pytest.approx(expected)


def test_a_structure_is_learnt_from_as_many_rows_as_are_allowed(monkeypatch):
    seen = []
    plain = an.energy.EnergyNet.fit

    def fit(self, x, *arguments, **settings):
        seen.append(np.array(x))
        return plain(self, x, *arguments, **settings)

    monkeypatch.setattr(an.energy.EnergyNet, "fit", fit)
    x = np.random.default_rng(0).normal(size=(300, 4))
    x[:, 0] = np.arange(300)
    settings = {"max_layers": 1, "max_units": 4, "steps": 5}
    for rows, expected in ((40, 40), (1000, 300)):
        an.generators.Energy(rows=rows, **settings).prepare(x)
        assert len(seen[-1]) == expected
    # They are of all parts of the data, and each is whole.
    drawn = seen[0][:, 0].astype(int)
    assert len(set(drawn)) == 40 and drawn.max() > 250 and drawn.min() < 50
    np.testing.assert_array_equal(seen[0], x[drawn].astype("float32"))
