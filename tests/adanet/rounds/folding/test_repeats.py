"""Rows that are divided into folds several times, and groups that stay together."""

import numpy as np
import pytest
from scipy import special
from sklearn.linear_model import LinearRegression

import adaptive_nets as an
from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet.rounds.folding.unseen import unseen_logits
from adaptive_nets.data.folds import repeated_fold_numbers

FOLDS, REPEATS, ROWS = 3, 2, 120
GROUPS = np.repeat(np.arange(ROWS // 5), 5)


def search(lc, model_dir=None, **settings):
    given = {"folds": FOLDS, "repeats": REPEATS, "max_iterations": 1, "steps_per_iteration": 8}
    given |= {"training": "independent", "mixture_weights": "uniform"}
    return lc.small(model_dir, **{**given, **settings})


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(rows=ROWS)


@pytest.fixture(scope="module")
def fitted(lc, data):
    return search(lc).fit(*data, verbose=0, groups=GROUPS.tolist())


def test_training_rows_are_judged_by_the_mean_of_networks_that_have_not_seen_them(fitted, data):
    x, y = data
    seed = derive_seed(fitted.seed, "folds")
    folds = repeated_fold_numbers(y, ROWS, FOLDS, REPEATS, seed, GROUPS)
    (member,) = fitted.ensemble.members
    found = {key: np.array(value, "float64") for key, value in member.model(x).items()}
    each = [found[f"fold_{fold}"] for fold in range(FOLDS * REPEATS)]
    assert f"fold_{FOLDS * REPEATS}" not in found
    probabilities = special.softmax(np.stack(each, axis=1), axis=2)
    rows = np.arange(ROWS)
    own = np.mean([probabilities[rows, folds[:, r]] for r in range(REPEATS)], axis=0)
    loss = -np.log(own[rows, y]).mean()
    assert fitted.leaderboard().loss[0] == pytest.approx(loss, abs=1e-6)
    # What one network has not seen another one has, so that one repeat says something else.
    assert abs(-np.log(probabilities[rows, folds[:, 0]][rows, y]).mean() - loss) > 1e-4
    again = unseen_logits(fitted.context, fitted.ensemble, x, y, GROUPS)
    np.testing.assert_allclose(special.softmax(again, axis=1), own, atol=1e-6)


@pytest.mark.exhaustive
def test_a_network_knows_nothing_of_the_labels_of_its_fold(lc, data):
    x = data[0]
    y = x[:, 0] * x[:, 1]
    one = search(lc, head=an.heads.Regression())
    seed = derive_seed(one.fit(x, y, verbose=0, groups=GROUPS).seed, "folds")
    folds = repeated_fold_numbers(None, ROWS, FOLDS, REPEATS, seed, GROUPS)
    mine = np.flatnonzero((folds == FOLDS + 1).any(axis=1))
    other = y.copy()
    other[mine] = np.roll(y[mine], 1)
    two = search(lc, head=an.heads.Regression()).fit(x, other, verbose=0, groups=GROUPS)
    outputs = [each.ensemble.members[0].model(x) for each in (one, two)]
    gaps = [
        np.abs(np.subtract(*(np.array(found[f"fold_{f}"]) for found in outputs))).max()
        for f in range(FOLDS * REPEATS)
    ]
    assert gaps.pop(FOLDS + 1) < 1e-5 and min(gaps) > 1e-3


@pytest.mark.exhaustive
def test_it_goes_on_as_if_it_had_not_been_interrupted(lc, data, tmp_path, one_step_calls):
    stopping = an.adanet.EarlyStopping(patience=4, every=2)
    given = {"early_stopping": stopping, "mixture_weights": "scalar"}
    whole = search(lc, **given).fit(*data, verbose=0, groups=GROUPS)
    halted = search(lc, tmp_path, **given)
    halted.fit(*data, verbose=0, groups=GROUPS, callbacks=[lc.StopAt(1, 5)])
    with pytest.raises(ValueError, match="A search with folds goes on only with the training"):
        an.AdaNet.load(tmp_path).fit(*data, verbose=0, groups=GROUPS[::-1] // 2)
    again = an.AdaNet.load(tmp_path)
    assert (again.folds, again.repeats) == (FOLDS, REPEATS)
    lc.assert_same(again.fit(*data, verbose=0, groups=GROUPS), whole)


def test_groups_stay_together_and_classes_keep_their_shares():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 60)
    groups = np.repeat(rng.permutation(60), sizes)
    classes = (rng.random(len(groups)) < 0.3).astype(int)
    found = repeated_fold_numbers(classes, len(groups), 4, 3, 0, groups)
    assert found.dtype == np.int32 and found.shape == (len(groups), 3)
    for repeat, numbers in enumerate(found.T):
        assert all(len(np.unique(numbers[groups == group])) == 1 for group in range(60))
        counts = np.bincount(numbers - 4 * repeat, minlength=4)
        assert np.ptp(counts) <= 12 and counts.sum() == len(groups)
        shares = [classes[numbers == 4 * repeat + fold].mean() for fold in range(4)]
        assert np.ptp(shares) < 0.12
    assert (found[:, 0] != found[:, 1] - 4).any()
    # As many folds as groups leave none empty, whatever their sizes are.
    alone = repeated_fold_numbers(None, 12, 3, 1, 0, np.repeat([5, 9, 7], [10, 1, 1]))
    assert len(np.unique(alone)) == 3


def test_means_over_repeats_vary_less():
    """Out-of-fold errors of a linear model, whose exact mean over divisions is estimated."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 6))
    y = x[:, 0] + rng.normal(size=30)

    def error(repeats, seed):
        folds = repeated_fold_numbers(None, 30, 3, repeats, seed)
        total = np.zeros(30)
        for repeat in range(repeats):
            for fold in range(3):
                part = folds[:, repeat] == 3 * repeat + fold
                model = LinearRegression().fit(x[~part], y[~part])
                total[part] += model.predict(x[part]) / repeats
        return np.mean((y - total) ** 2)

    once, often = ([error(repeats, seed) for seed in range(30)] for repeats in (1, 8))
    assert np.std(often) < 0.6 * np.std(once) and np.mean(often) < np.mean(once)


def test_what_makes_no_sense_is_refused(lc, data):
    for settings, words in (
        ({"repeats": 0}, "repeats must be an integer >= 1"),
        ({"folds": None}, "repeats says how often.*requires folds.*folds=None, repeats=2"),
    ):
        with pytest.raises(ValueError, match=words):
            search(lc, **settings)
    plain = lc.small(None, max_iterations=1, steps_per_iteration=8)
    found = search(lc)
    for each, given, words in (
        (plain, {"groups": GROUPS}, "groups says which rows.*requires folds"),
        (found, {"groups": GROUPS[:-1]}, "groups must have one value for each of the 120 rows"),
        (found, {"groups": np.where(GROUPS == 3, np.nan, GROUPS)}, "5 missing.*first in row 15"),
        (found, {"groups": GROUPS // 20}, "at least 3 groups among the training rows.*: 2 groups"),
        (found, {"groups": GROUPS, "validation_split": 0.2}, "validation_split draws rows one by"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            each.fit(*data, verbose=0, **given)
        assert "\n" not in str(caught.value)
