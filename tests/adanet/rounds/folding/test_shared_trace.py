"""One trace for functions that differ only in their variables."""

import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.rounds.folding.shared_trace import SharedTrace


def test_those_that_are_alike_share_a_trace_for_each_shape_of_their_arguments():
    sums = [tf.Variable(float(k)) for k in range(4)]
    traced = []

    def add(k, row):
        traced.append((k, row["x"].shape[0]))
        return sums[k].assign_add(tf.reduce_sum(row["x"]))

    shared = SharedTrace(add, [0, 0, 1, 0], lambda k: [sums[k]])

    @tf.function
    def run(short, long):
        rows = [short, short, short, long]
        return [shared(k, {"x": row}) for k, row in enumerate(rows)]

    found = run(tf.ones(2), tf.ones(5))
    np.testing.assert_array_equal(found, [2.0, 3.0, 4.0, 8.0])
    assert traced == [(0, 2), (2, 2), (0, 5)]
    run(tf.ones(2), tf.ones(5))
    np.testing.assert_array_equal(sums, [4.0, 5.0, 6.0, 13.0])
    assert len(traced) == 3
