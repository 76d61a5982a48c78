"""Out-of-fold outputs: what weighs and judges with `folds`."""

import joblib
import numpy as np

import adaptive_nets as an


def test_folds_weigh_and_held_out_rows_measure(flats, short_search, generator):
    before = joblib.hash(generator)
    model = an.AutoClassifier(generator=generator, folds=2, seed=0, verbose=0)
    y = np.where(flats["rent"] > flats["rent"].median(), "dear", "cheap")
    model.fit(flats.drop(columns="rent"), y)
    settings = model.search_.settings
    assert (settings.mixture_data, settings.folds) == ("folds", 2)
    served = model.leaderboard().iloc[-1]
    assert served["kind"] == "served" and served["accuracy"] > 0.7
    assert model.score(flats.drop(columns="rent"), y) > 0.7
    # As scikit-learn wants it, arguments stay what they were.
    assert model.generator is generator and joblib.hash(generator) == before
