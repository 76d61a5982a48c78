"""What a search tells: reports on data of their own, learning curves, tables, penalties."""

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.objective.complexity import rademacher_bound, summarize_rows
from adaptive_nets.adanet.rounds.training_state import TrainingState
from adaptive_nets.data.rows import Rows


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(120)


class Listening(an.generators.Dense):
    """Remembers the reports that it is given."""

    heard = None

    def generate(self, previous, iteration, reports):
        self.heard = reports
        return super().generate(previous, iteration, reports)


def test_reports_carry_metrics_on_the_report_data(lc, data):
    x, y = lc.blobs(70, seed=5)
    generator = Listening(widths=[4, 6], depths=[1])
    search = lc.small(generator=generator, mixture_weights="vector")
    search.fit(*data, verbose=0, report_data=(x, y))
    first = [r for r in generator.heard if r.iteration == 1]
    assert {r.name for r in first} == {"1_layer_dense_4", "1_layer_dense_6"}
    (winner,) = [r for r in first if r.selected]
    member = search.ensemble.members[0]
    logits = np.array(member.model(x)["logits"])
    assert winner.metrics["accuracy"] == pytest.approx(np.mean(logits.argmax(1) == y))
    loss = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
    assert winner.metrics["loss"] == pytest.approx(float(np.mean(loss)), rel=1e-5)
    # The last round's winner is the ensemble: its metrics are the search's.
    (last,) = [r for r in search.state.reports if r.iteration == 2 and r.selected]
    found = search.evaluate(x, y)
    for name in ("loss", "accuracy"):
        assert last.metrics[f"ensemble_{name}"] == pytest.approx(found[name], rel=1e-5)
    assert last.hyperparameters["depth"] == 1


def test_report_data_chooses_nothing(lc, data):
    with_reports = lc.small().fit(*data, verbose=0, report_data=lc.blobs(30, seed=2))
    without = lc.small().fit(*data, verbose=0)
    assert lc.table(with_reports) == lc.table(without)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            lambda lc: lc.blobs(30, features=5),
            "Report data must have the same features as the training data",
        ),
        (lambda lc: 3, "report_data must be"),
        (lambda lc: (np.ones((2, 6)), [0, 9]), "out of range|not among"),
    ],
)
def test_report_data_that_does_not_fit_is_refused(lc, data, tmp_path, given, error):
    with pytest.raises(ValueError, match=error):
        lc.small(tmp_path).fit(*data, verbose=0, report_data=given(lc))
    assert not lc.contents(tmp_path)


# Learning curves --------------------------------------------------------------------------------


def test_learning_curves_are_the_means_of_their_windows():
    losses = np.random.default_rng(0).normal(size=(730, 2)).astype("float32")
    whole = None
    for cuts in ([730], [1, 2, 200, 411, 730], range(1, 731)):
        training, start = TrainingState.begin(2, 730), 0
        for stop in cuts:
            training.add(losses[start:stop], 0.0)
            start = stop
        assert training.window == 8 and len(training.curve) == 91
        expected = losses[:728].astype("float64").reshape(91, 8, 2).mean(axis=1)
        np.testing.assert_allclose(training.curve, expected, rtol=1e-12)
        # However it is cut, bit by bit.
        whole = whole or training.curve
        assert training.curve == whole


def test_learning_curves_of_a_search_go_on_after_a_stop(lc, data, tmp_path):
    settings = {"steps_per_iteration": 150}
    search = lc.small(tmp_path, **settings)
    search.fit(*data, verbose=0, callbacks=[lc.StopAt(2, 31)])
    ended = an.AdaNet.load(tmp_path).fit(*data, verbose=0).learning_curves()
    whole = lc.small(**settings).fit(*data, verbose=0).learning_curves()
    assert ended.equals(whole)
    assert whole.columns.tolist() == ["round", "candidate", "step", "loss"]
    assert whole[whole["round"] == 2].step.tolist() == list(range(2, 151, 2))
    assert whole.loss.iloc[-1] < whole.loss.iloc[0]


# Tables -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["scalar", "vector", "matrix"])
def test_tables_of_the_ensemble(lc, data, kind):
    generator = an.generators.Dense(widths=[4], depths=[2], connect="all")
    search = lc.small(generator=generator, mixture_weights=kind).fit(*data, verbose=0)
    built = search.architecture()
    assert built.subnetwork.tolist() == ["1_2_layer_dense", "2_2_layer_dense"]
    assert built.reads.tolist() == [[], ["1_2_layer_dense"]]
    assert built.member.all() and (built.depth == 2).all()
    assert built.parameters.tolist() == [m.parameters for m in search.ensemble.members]
    weights = search.member_weights()
    per_member = {"scalar": 1, "vector": 3, "matrix": 3}[kind]
    assert weights.groupby("subnetwork").size().tolist() == [per_member] * 2
    for member, w in zip(search.ensemble.members, search.ensemble.mixture.weights, strict=True):
        mine = weights[weights.subnetwork == member.name]
        assert mine.norm.iloc[0] == pytest.approx(np.abs(w).sum())
        assert mine.weight.abs().sum() == pytest.approx(np.abs(w).sum())


# Complexity and the penalty within training -----------------------------------------------------


def test_rademacher_complexity_counts_what_each_layer_reads(lc, data):
    generator = an.generators.Dense(widths=[4], depths=[2], connect="all")
    rule = an.adanet.Rademacher(p=1.5, norm_bound=1.2)
    found = {}
    for kind in ("scalar", "matrix"):
        search = lc.small(
            generator=generator, complexity=rule, mixture_weights=kind, steps_per_iteration=1
        ).fit(*data, verbose=0)
        found[kind] = [m.complexity for m in search.ensemble.members]
    sample = summarize_rows(Rows(*data))
    assert (sample.rows, sample.features) == (120, 6)
    assert sample.largest == pytest.approx(np.abs(data[0]).max())
    # Units of layer 2 read 4 units, and in the second round 4 frozen ones; logits read 4 more.
    expected = {
        "matrix": [(4,), (8,)],
        "scalar": [(4, 4), (8, 4)],
    }
    for kind, widths in expected.items():
        bounds = [rademacher_bound(w, sample, 1.5, 1.2) for w in widths]
        np.testing.assert_allclose(found[kind], bounds, rtol=1e-12)


def test_the_deviation_is_that_of_the_trained_outputs(lc, data):
    search = lc.small(complexity="std", adanet_lambda=0.01, mixture_weights="vector")
    search.fit(*data, verbose=0)
    for member in search.ensemble.members:
        outputs = np.array(member.model(data[0])["last_layer"], "float64")
        expected = np.sqrt(outputs.var(axis=0).mean())
        assert member.complexity == pytest.approx(expected, rel=1e-5)
    board = search.leaderboard()
    np.testing.assert_allclose(board.gamma, 0.01 * board.complexity)


def test_the_penalty_within_training_is_gamma_times_the_output_weights(lc, data):
    """One step of gradient descent differs by rate · Γ · sign(w), and in nothing else."""
    kernels = []
    for penalize in (False, True):
        search = lc.small(
            generator=an.generators.Dense(
                widths=[4], depths=[1], optimizer="sgd", learning_rate=0.5
            ),
            penalize_training=penalize, adanet_lambda=0.1, adanet_beta=0.02, max_iterations=1,
            steps_per_iteration=1,
        ).fit(*data, verbose=0)  # fmt: skip
        kernels.append(search.ensemble.members[0].model.get_weights())
    plain, penalized = kernels
    for a, b in zip(plain[:2], penalized[:2], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(plain[3], penalized[3])
    moved = (plain[2] - penalized[2]) / (0.5 * 0.12)
    np.testing.assert_allclose(np.abs(moved), 1.0, atol=1e-4)


def test_the_penalty_within_training_needs_a_dense_output(lc, data):
    def pooled(inputs):
        return keras.layers.Activation("linear")(keras.layers.Dense(3)(inputs))

    class Odd(an.adanet.Builder):
        name = "odd"

        def build(self, inputs, units, previous=None):
            return an.adanet.Subnetwork(pooled(inputs))

    class Generator(an.adanet.Generator):
        def generate(self, previous, iteration, reports):
            return [Odd()]

    search = lc.small(generator=Generator(), penalize_training=True)
    with pytest.raises(ValueError, match="penalize_training requires logits .* builder 'odd'"):
        search.fit(*data, verbose=0)
    with pytest.raises(ValueError, match="penalize_training requires a complexity that is known"):
        lc.small(complexity="std", penalize_training=True)


def test_norms_are_kept_and_the_constraint_is_gone_in_the_result(lc, data, tmp_path):
    constraint = an.adanet.NormBall(p=2, max_norm=0.3)
    generator = an.generators.Dense(widths=[4], depths=[1], kernel_constraint=constraint)
    search = lc.small(tmp_path, generator=generator).fit(*data, verbose=0)
    for member in search.ensemble.members:
        kernel = member.model.get_weights()[0]
        assert np.linalg.norm(kernel, axis=0).max() <= 0.3 + 1e-6
        for layer in member.model.layers:
            assert getattr(layer, "kernel_constraint", None) is None
    free = lc.small(generator=an.generators.Dense(widths=[4], depths=[1])).fit(*data, verbose=0)
    kernel = free.ensemble.members[0].model.get_weights()[0]
    assert np.linalg.norm(kernel, axis=0).max() > 0.3
    # A search that is stopped within a round trains on under the constraint.
    stopped = lc.small(tmp_path / "b", generator=generator, max_iterations=1)
    stopped.fit(*data, verbose=0, callbacks=[lc.StopAt(1, 2)])
    ended = an.AdaNet.load(tmp_path / "b").fit(*data, verbose=0)
    assert np.linalg.norm(ended.ensemble.members[0].model.get_weights()[0], axis=0).max() <= 0.3001


@pytest.mark.parametrize("complexity", ["depth", 3, None])
def test_unknown_complexities_are_refused(lc, complexity):
    with pytest.raises(ValueError, match="complexity must be one of 'sqrt_depth', 'rademacher'"):
        lc.small(complexity=complexity)


def test_rademacher_complexity_needs_hidden_layers_that_are_named(lc, data):
    pool = an.generators.Pool(
        {"net": lambda: keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])}
    )
    search = lc.small(generator=pool, complexity="rademacher")
    with pytest.raises(ValueError, match=r"requires the widths of the hidden layers"):
        search.fit(*data, verbose=0)
