"""When a search stops: the paper's test, computed here by hand, says in which round."""

import numpy as np
import pytest
from scipy.special import expit

import adaptive_nets as an
from adaptive_nets.adanet.ensembles.mixture_ensembler import MixtureEnsembler
from adaptive_nets.adanet.rounds.scoring import CandidateScorer

ROUNDS = 8


@pytest.fixture(scope="module")
def data(lc):
    x, y = lc.blobs(200, classes=2)
    return x, y


def predicted_and_actual(lc, data, adanet_lambda):
    """The round in which no unit has |(1/m) Σ y h Φ'(1 - y f)| > Γ, and the search's last one."""
    x, y = data
    sign = 2.0 * y - 1
    passed, plain = {}, CandidateScorer.score_candidate

    def contend(self, candidate, number, new, previous):
        f = np.zeros(len(x))
        if previous is not None:
            outputs = self.train.outputs(previous.members)
            f = self.ensembler.apply(previous.mixture, outputs)[:, 0]
        (member,) = (new[name] for name in candidate.new)
        (out,) = self.train.outputs([member])
        h = out["last_layer"].astype("float64")
        correlation = np.abs((sign * expit(1 - sign * f)) @ h) / len(x)
        gamma = adanet_lambda * np.sqrt(member.depth)
        passed.setdefault(number, []).append(bool((correlation > gamma).any()))
        return plain(self, candidate, number, new, previous)

    search = lc.small(
        head=an.heads.BinaryClass(surrogate="logistic"),
        generator=an.generators.Dense(
            widths=3, depths=[1, 2], optimizer="sgd", learning_rate=0.02
        ),
        mixture_weights="matrix", refit="new", adanet_lambda=adanet_lambda, force_grow=False,
        max_iterations=ROUNDS,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CandidateScorer, "score_candidate", contend)
        search.fit(x, y, verbose=0)
    failing = [number for number, found in passed.items() if not any(found)]
    return min(failing, default=None), search


def test_the_papers_test_predicts_the_last_round(lc, data):
    lasts = []
    for adanet_lambda in (0.2, 0.02, 0.0):
        predicted, search = predicted_and_actual(lc, data, adanet_lambda)
        if predicted is None:
            assert search.stop_reason == "max_iterations"
        else:
            assert (search.stop_reason, search.state.iteration) == ("no_improvement", predicted)
        lasts.append(predicted)
    # The larger the penalty, the earlier the end; without one it never stops by itself.
    assert 1 < lasts[0] < lasts[1] < ROUNDS and lasts[2] is None


def test_the_weighed_complexity_falls_as_lambda_rises(lc, data):
    """Σ r_j ||w_j||_1 of fixed units, at the optimum for each λ."""
    rng = np.random.default_rng(0)
    x, y = data
    depths = (1, 2, 3)
    members = [an.adanet.Member(f"1_m{d}", 1, None, d, d**0.5) for d in depths]
    outputs = [
        {"logits": x[:, :1], "last_layer": np.maximum(x @ rng.normal(size=(6, 5)) + d, 0)}
        for d in depths
    ]
    head = an.heads.BinaryClass(surrogate="logistic").adapt(y)
    total = []
    for adanet_lambda in (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3):
        ensembler = MixtureEnsembler(
            "matrix", lambda r, lam=adanet_lambda: lam * r, tolerance=1e-8, max_iterations=20000
        )
        mixture = ensembler.fit(
            outputs, head.encode(y), None, members=members, start=None, loss=head.loss
        )
        norms = mixture.norms()
        total.append(sum(m.complexity * n for m, n in zip(members, norms, strict=True)))
    assert total[0] > 0 and (np.diff(total) <= 1e-9).all()
