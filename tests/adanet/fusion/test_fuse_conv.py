"""`fuse_ensemble` of convolutional networks, residual and plain."""

import pytest

from adaptive_nets.adanet.fusion.fuse_ensemble import fuse_ensemble


@pytest.mark.parametrize("kind", ["scalar", "matrix"])
@pytest.mark.parametrize("size", [8, 9])
def test_residual_convolutions_of_one_depth(fz, size, kind):
    x = fz.RNG.normal(size=(20, size, size, 1)).astype("float32")
    fz.assert_equal(*fz.ensemble_of(fz.conv([2, 2], dropout=0.1), x, kind), x)


@pytest.mark.parametrize(("size", "connect"), [(12, "all"), (19, "all"), (20, "none")])
def test_residual_convolutions_are_deepened_also_where_images_are_halved(fz, size, connect):
    x = fz.RNG.normal(size=(20, size, size, 1)).astype("float32")
    ensemble, ensembler, spec = fz.ensemble_of(fz.conv([1, 2, 3], connect), x)
    assert [m.model.output[f"hidden_{m.depth}"].shape[1] for m in ensemble.members] == [
        -(-size // 2), -(-size // 2), -(-size // 4)
    ]  # fmt: skip
    fz.assert_equal(ensemble, ensembler, spec, x)


def test_plain_convolutions_of_unequal_depth(fz):
    x = fz.RNG.normal(size=(20, 5, 5, 2)).astype("float32")
    fz.assert_equal(*fz.ensemble_of([fz.Chain(1), fz.Chain(3), fz.Chain(2)], x, "matrix"), x)


def test_a_linear_member_is_not_passed_on_by_convolutions(fz):
    x = fz.RNG.normal(size=(20, 8, 8, 2)).astype("float32")
    with pytest.raises(ValueError, match="hidden layer 1 of the latter is a convolution, which"):
        fuse_ensemble(*fz.ensemble_of([fz.Chain(0), fz.Chain(1)], x))


def test_shrinking_images_are_refused(fz):
    x = fz.RNG.normal(size=(20, 8, 8, 2)).astype("float32")
    builders = [fz.Chain(1, strides=2), fz.Chain(2, strides=2)]
    with pytest.raises(ValueError, match="hidden layer 2 of the latter changes the size of its"):
        fuse_ensemble(*fz.ensemble_of(builders, x))
