"""Settings that are objects come back from a model_dir."""

import keras
import numpy as np
import pytest

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


class Doubled(keras.layers.Layer):
    """A layer that no registry knows."""

    def call(self, x):
        return 2 * x


class DoublingBuilder(an.adanet.Builder):
    name = "doubling"

    def build(self, inputs, units, previous=None):
        x = Doubled()(inputs)
        return an.adanet.Subnetwork(keras.layers.Dense(units)(x), x, depth=1)


class Doubling(an.adanet.Generator):
    """A generator that no registry knows."""

    def generate(self, previous, iteration, reports):
        return [DoublingBuilder()]


def test_classes_that_are_not_registered_are_passed(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    y = (x[:, 0] > 0).astype(int)
    folder = tmp_path / "search"
    search = an.AdaNet(
        an.heads.BinaryClass(), Doubling(), max_iterations=1, steps_per_iteration=2,
        model_dir=folder, seed=0, jit_compile=False,
    )  # fmt: skip
    with keras.saving.custom_object_scope({"Doubled": Doubled}):
        search.fit(x, y, verbose=0)
    with pytest.raises(
        ValueError, match=r"generator cannot be rebuilt.*Doubling.*generator=\.\.\."
    ):
        an.AdaNet.load(folder)
    with pytest.raises(ValueError, match="'Doubled'.*custom_objects=.name: class."):
        an.AdaNet.load(folder, custom_objects={"Doubling": Doubling})
    known = {"Doubling": Doubling, "Doubled": Doubled}
    loaded = an.AdaNet.load(folder, custom_objects=known)
    np.testing.assert_array_equal(loaded.predict(x, "logits"), search.predict(x, "logits"))
    again = an.AdaNet.replay(folder, x, y, custom_objects=known, verbose=0)
    assert [member.name for member in again.ensemble.members] == ["1_doubling"]
    # As for Keras, a scope around it serves as well.
    with keras.saving.custom_object_scope({"Doubled": Doubled}):
        an.AdaNet.load(folder, custom_objects={"Doubling": Doubling})
    with pytest.raises(TypeError, match="custom_objects must be a dict of classes"):
        an.AdaNet.load(folder, custom_objects=[Doubled])
