"""Joins the networks of a subnetwork's folds to one member."""

from collections.abc import Sequence

import keras

from adaptive_nets._dtypes import whole
from adaptive_nets.adanet.ensembles.member import Member, fold_key
from adaptive_nets.data.specs import Spec, make_inputs
from adaptive_nets.graphs.unique_names import named_model
from adaptive_nets.heads import Head


def join_folds(networks: Sequence[Member], head: Head, spec: Spec, builder: str) -> Member:
    """Returns the member that predicts the mean of its networks' predictions.

    Its model shares their layers. It also gives what each of them says, so that rows of the
    training data can be given the outputs of the network that has not seen them.

    Args:
        networks: Members, one per fold, of the same builder.
        head: The head, which takes the mean.
        spec: Feature spec of the (preprocessed) features.
        builder: Name of the builder.
    """
    first = networks[0]
    name = f"{first.iteration}_{builder}"
    inputs = make_inputs(spec)
    each = [whole(network.model(inputs)["logits"]) for network in networks]
    logits = head.mean_of(keras.ops.stack(each, axis=1))
    outputs = {"logits": logits, "last_layer": logits}
    outputs |= {fold_key(fold): tensor for fold, tensor in enumerate(each)}
    return Member(
        name, first.iteration, named_model(inputs, outputs, f"subnetwork_{name}"), first.depth,
        first.complexity, first.attributes,
    )  # fmt: skip
