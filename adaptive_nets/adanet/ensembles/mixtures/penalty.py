"""The penalty on a member's mixture weight."""

import keras

from adaptive_nets._checks import check_number
from adaptive_nets.configurable import Configurable


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Penalty(Configurable):
    """The penalty Γ = λ r + β of a member with complexity r (AdaNet, equation 4).

    Args:
        adanet_lambda: λ. Defaults to 0.
        adanet_beta: β. Defaults to 0.

    Example:

    ```python
    import adaptive_nets as an

    gamma = an.adanet.Penalty(adanet_lambda=1e-2, adanet_beta=1e-3)
    gamma(2.0)  # 0.021
    an.adanet.MixtureEnsembler("matrix", gamma)
    ```
    """

    def __init__(self, adanet_lambda: float = 0.0, adanet_beta: float = 0.0):
        self.adanet_lambda = check_number("adanet_lambda", adanet_lambda, 0)
        self.adanet_beta = check_number("adanet_beta", adanet_beta, 0)

    def __call__(self, complexity: float) -> float:
        return self.adanet_lambda * complexity + self.adanet_beta

    def get_config(self) -> dict[str, float]:
        return {"adanet_lambda": self.adanet_lambda, "adanet_beta": self.adanet_beta}
