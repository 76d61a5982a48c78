"""Every arm: which kernels, which recipe, and what is done before and after."""

import dataclasses

from networks import Kernels

STOCK = Kernels()


@dataclasses.dataclass(frozen=True)
class Arm:
    """One way to train.

    Args:
        title: In the tables.
        kernels: Of the network.
        steps: As a share of the task's.
        rate: As a multiple of the task's learning rate.
        sgd: Whether plain gradient descent takes the task's optimizer's place.
        sharpness: The radius of SAM.
        average: The decay of the averaged weights.
        subspace: The weight of the penalty on similar kernels.
        select: Whether one kernel is chosen instead of the mean.
        teachers: How many networks are trained and distilled into this one.
        ensemble: Whether the teachers themselves are what is evaluated.
    """

    title: str
    kernels: Kernels = STOCK
    steps: float = 1.0
    rate: float = 1.0
    sgd: bool = False
    sharpness: float = 0.0
    average: float = 0.0
    subspace: float = 0.0
    select: bool = False
    teachers: int = 0
    ensemble: bool = False


def majority(factor: int = 3, **settings) -> Kernels:
    """k-fold kernels."""
    return Kernels(factor, **settings)


ARMS = {
    "baseline": Arm("stock layers"),
    "short": Arm("stock, a tenth of the steps", steps=0.1),
    "third": Arm("stock, a third of the steps", steps=1 / 3),
    "majority": Arm("majority kernels, k = 3", majority()),
    "majority_5": Arm("majority kernels, k = 5", majority(5)),
    "majority_short": Arm("majority kernels, k = 3, a tenth of the steps", majority(), steps=0.1),
    "uniform": Arm("k = 3, uniform weights", majority(distribution="uniform")),
    "softmax_normal": Arm("k = 3, softmax-normal weights", majority(distribution="softmax_normal")),
    "global": Arm("k = 3, one draw for the model", majority(scope="global")),
    "unit": Arm("k = 3, a draw for each unit", majority(scope="unit")),
    "symmetric": Arm("k = 3, kernels around one draw", majority(spread="symmetric")),
    "mean": Arm("k = 3, mean only", majority(distribution="mean")),
    "small_init": Arm("stock, initial kernels / sqrt(3)", Kernels(init_scale=1 / 3)),
    "subspace": Arm("learning subspaces, k = 3", majority(scope="global"), subspace=1.0),
    "selected": Arm("k = 3, one kernel by facility location", majority(), select=True),
    "dropout": Arm("stock, dropout 0.5", Kernels(dropout=0.5)),
    "sam": Arm("stock, SAM 0.05", sharpness=0.05),
    "ema": Arm("stock, averaged weights (0.999)", average=0.999),
    "distilled": Arm("stock, distilled from 3 networks", teachers=3),
    "ensemble": Arm("3 networks, mean probabilities (3 x the cost)", teachers=3, ensemble=True),
    "sgd": Arm("stock, plain SGD", sgd=True),
    "sgd_majority": Arm("k = 3, plain SGD", majority(), sgd=True),
    "sgd_majority_rate": Arm("k = 3, plain SGD, rate x 3", majority(), sgd=True, rate=3.0),
    "sgd_rate": Arm("stock, plain SGD, rate x 3", sgd=True, rate=3.0),
}
