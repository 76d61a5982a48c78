"""Settings that are objects come back from a model_dir."""

import keras
import numpy as np

import adaptive_nets as an


def test_load_rebuilds_settings_that_are_objects(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
    y = (x[:, 0] > 0).astype(int)
    search = an.AdaNet(
        an.heads.BinaryClass(),
        ensemble_strategies=[an.adanet.Grow(), an.adanet.Solo()],
        evaluator=an.adanet.Evaluator(metric="accuracy"),
        preprocessing=keras.layers.Rescaling(2.0),
        max_iterations=1,
        steps_per_iteration=5,
        model_dir=tmp_path / "search",
        seed=0,
    ).fit(x, y, validation_split=0.2, verbose=0)
    loaded = an.AdaNet.load(tmp_path / "search", max_iterations=2)
    assert [type(s) for s in loaded.settings.strategies] == [an.adanet.Grow, an.adanet.Solo]
    assert loaded.evaluator.metric == "accuracy"
    np.testing.assert_array_equal(loaded.predict(x, "logits"), search.predict(x, "logits"))
    loaded.fit(x, y, validation_split=0.2, verbose=0)
    assert loaded.state.iteration == 2
    # A new process that gives the same settings finds its own search in the folder.
    again = an.AdaNet.load(tmp_path / "search")
    np.testing.assert_array_equal(again.predict(x, "logits"), loaded.predict(x, "logits"))


def test_callbacks_see_what_the_folder_holds_before_the_first_round_ends(lc, tmp_path):
    data = lc.blobs(60)
    lc.small(tmp_path, max_iterations=1).fit(*data, verbose=0)
    seen = []

    class Look(an.callbacks.SearchCallback):
        def on_round_begin(self, iteration, logs=None):
            seen.append((self.model.state.iteration, len(self.model.leaderboard())))

    lc.small(tmp_path, max_iterations=2).fit(*data, verbose=0, callbacks=[Look()])
    assert seen == [(1, 1)]
