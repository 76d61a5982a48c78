"""A search on two replicas of one machine is that of one device."""

import textwrap

import pytest

BEGIN = """
    import sys
    import tensorflow as tf
    cpus = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    import keras, numpy as np, adaptive_nets as an
    from sklearn.datasets import load_digits
    X, Y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")

    def search(distribute, generator=None, folder=None, **settings):
        generator = generator or an.generators.Dense([8, 16], 1, learning_rate=0.01)
        settings = {"max_iterations": 2, "steps_per_iteration": 30, "force_grow": True, **settings}
        return an.AdaNet(an.heads.MultiClass(10), generator, distribute=distribute, seed=0,
                         model_dir=folder, **settings)

    def weights(found):
        return [w for m in found.state.members().values() for w in m.model.get_weights()]

    def check(one, other):
        assert [m.name for m in one.ensemble.members] == [m.name for m in other.ensemble.members]
        for a, b in zip(weights(one), weights(other), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
        np.testing.assert_allclose(
            one.predict(X[:50], "logits"), other.predict(X[:50], "logits"), atol=1e-4)
"""


@pytest.fixture
def run(python):
    def started(code, *arguments):
        python.run("-c", textwrap.dedent(BEGIN) + textwrap.dedent(code), *arguments)

    return started


def test_two_replicas_train_as_one_device_does_and_what_they_leave_is_plain(run, tmp_path):
    run(
        """
        folder = sys.argv[1]
        weight = np.linspace(0.5, 1.5, 640).astype("float32")
        found = []
        for distribute, place in (("one_device", None), ("mirrored", folder + "/search")):
            each = search(distribute, folder=place, penalize_training=True)
            assert each.strategy.num_replicas_in_sync == (1 if place is None else 2)
            halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
            each.fit(X[:640], Y[:640], sample_weight=weight, verbose=0, callbacks=[halve])
            assert abs(each.state.rate_factor - 0.25) < 1e-6
            found.append(each)
        check(*found)
        curves = [each.learning_curves()["loss"].to_numpy() for each in found]
        np.testing.assert_allclose(*curves, atol=1e-4)
        assert curves[0][-1] < curves[0][0]

        # Loaded it goes on, on one device too; the export needs no devices of that kind.
        again = an.AdaNet.load(folder + "/search", max_iterations=3)
        assert again.strategy.num_replicas_in_sync == 1
        again.fit(X[:640], Y[:640], sample_weight=weight, verbose=0)
        assert again.state.iteration == 3
        path = found[1].export(folder + "/export")
        serve = tf.saved_model.load(path).signatures["serving_default"]
        (name,) = serve.structured_input_signature[1]
        served = serve(**{name: tf.constant(X[:9])})["logits"]
        np.testing.assert_allclose(served, found[1].predict(X[:9], "logits"), atol=1e-5)
        """,
        tmp_path,
    )


def test_growth_data_of_their_own_and_streams(run):
    run(
        """
        def pair(generator, data=(X[:640], Y[:640]), **settings):
            found = [search(d, generator(), **settings) for d in ("one_device", "mirrored")]
            for each in found:
                each.fit(*data, verbose=0)
            check(*found)

        dense = lambda: an.generators.Dense(8, 1, connect="all", learning_rate=0.01)
        pair(lambda: an.generators.Growth(dense(), "widen"))
        pair(lambda: an.generators.Bagging(dense(), 0.8))
        rows = tf.data.Dataset.from_tensor_slices((X[:640], Y[:640])).repeat().batch(32)
        pair(dense, (rows,), steps_per_iteration=20)
        """
    )


def test_a_search_goes_on_in_the_middle_of_a_round_and_bad_batches_are_refused(run, tmp_path):
    run(
        """
        class Stop(an.callbacks.SearchCallback):
            def on_train_batch_end(self, batch, logs=None):
                if batch >= 3:
                    self.model.stop_training = True

        settings = {"max_iterations": 1, "steps_per_iteration": 400}
        whole = search("mirrored", **settings)
        whole.fit(X[:640], Y[:640], verbose=0)
        cut = search("mirrored", folder=sys.argv[1], **settings)
        cut.fit(X[:640], Y[:640], verbose=0, callbacks=[Stop()])
        assert cut.state.partial is not None
        again = an.AdaNet.load(sys.argv[1], distribute="mirrored")
        again.fit(X[:640], Y[:640], verbose=0)
        assert again.state.iteration == 1
        check(whole, again)

        for size in (33, 31):
            try:
                search("mirrored").fit(X[:640], Y[:640], batch_size=size, verbose=0)
            except ValueError as error:
                assert f"batch of {size} rows cannot be divided among 2 replicas" in str(error)
            else:
                raise SystemExit("not refused")
        """,
        tmp_path / "search",
    )


def test_two_replicas_stop_where_one_device_does(run):
    run(
        """
        stopping = an.adanet.EarlyStopping(patience=8, every=4, average=0.5)
        found = []
        for distribute in ("one_device", "mirrored"):
            generator = an.generators.Dense([8, 16], 1, learning_rate=0.1)
            each = search(distribute, generator, early_stopping=stopping, max_iterations=1,
                          steps_per_iteration=200)
            found.append(each.fit(X[:320], Y[:320], validation_split=0.5, verbose=0))
        check(*found)
        boards = [each.leaderboard() for each in found]
        assert boards[0].steps[0] < 200 and boards[0].best_step.nunique() == 2
        for column in ("steps", "best_step"):
            assert boards[0][column].tolist() == boards[1][column].tolist()
        """
    )


def test_a_step_is_skipped_by_all_replicas_if_one_overflows(run):
    """Keras asks the first replica only whether its gradients are finite, and sums all."""
    run(
        """
        from adaptive_nets.adanet.rounds.trainer import finite_together
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

        @tf.function
        def found(bad):
            def replica():
                number = tf.distribute.get_replica_context().replica_id_in_sync_group
                dense = tf.where((number == 1) & bad, np.inf, 2.0) * tf.ones(3)
                slices = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([4]), tf.constant([9, 2]))
                one, none, other = finite_together([dense, None, slices])
                assert none is None
                return one, other.values
            return strategy.run(replica)

        for bad in (False, True):
            for each, expected in zip(found(tf.constant(bad)), (2.0, 1.0), strict=True):
                for part in strategy.experimental_local_results(each):
                    value = part.numpy()
                    assert np.isnan(value).all() if bad else (value == expected).all(), (bad, value)
        """
    )
