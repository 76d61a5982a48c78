"""A fused ensemble as it is served: one network for few rows, one product a member for many."""

import contextlib
import math
from collections.abc import Sequence
from typing import Any

import keras

from adaptive_nets.adanet.ensembles.assemble import assemble
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.fusion.fuse_ensemble import FusedMembers, fuse_members
from adaptive_nets.data.specs import FeatureSpec, Spec, make_inputs
from adaptive_nets.graphs.copy import copy_model
from adaptive_nets.graphs.read import functional, ordered_nodes
from adaptive_nets.keras_internals import seeded

# The products of numbers that a CPU computes in the time that the call of one more layer takes.
_PRODUCTS_A_CALL = 80_000
# With so few rows the members are always run one by one, with so many never.
_FEWEST, _MOST = 1, 1024
# Weights of up to so many bytes are written into the graph, where reading them takes no time.
_CONSTANT_BYTES = 4 * 2**20


@seeded(0)
def fuse_to_serve(
    ensemble: Ensemble,
    ensembler: Ensembler,
    spec: Spec,
    preprocessing: keras.Model | None = None,
    seed: int = 0,
) -> keras.Model:
    """Builds what is exported of a fused ensemble, from raw features to its logits.

    One network has fewer calls of layers than its members have together, but the zeros between
    members to multiply by. A request of few rows is answered by the network, one of many rows by
    the members, one after another.

    Args:
        ensemble: The `Ensemble`. Its members are not changed.
        ensembler: The `Ensembler` that weighed it.
        spec: Feature spec of the raw features.
        preprocessing: Model that is applied to the features first, or `None`. It is copied.
        seed: Seed of new kernels, which are multiplied by zero. Defaults to 0.

    Returns:
        A `keras.Model` to export; it cannot be saved as a `.keras` file.

    Raises:
        ValueError: The members cannot be fused into one network.
    """
    fused = fuse_members(ensemble, ensembler, spec, preprocessing, "fused", seed)
    terms = fused.terms
    if fused.connected:
        given = spec if preprocessing is None else _spec_of(preprocessing.output)
        terms = [assemble(ensemble, ensembler, given)]
    inputs = make_inputs(spec)
    features = inputs if preprocessing is None else copy_model(preprocessing)(inputs)
    logits = _BySize(fused.network, terms, most_rows(fused))(features)
    return keras.Model(inputs, logits, name="fused")


def most_rows(fused: FusedMembers) -> int | None:
    """Returns the most rows that the one network answers sooner; `None` if there is no limit."""
    calls, products = _costs([fused.network])
    several, without_zeros = _costs(fused.terms)
    zeros = products - without_zeros
    saved = max(several - calls, 0) * _PRODUCTS_A_CALL
    if zeros <= 0 or saved > _MOST * zeros:
        return None
    return int(saved / zeros)


def _costs(models: Sequence[keras.Model]) -> tuple[int, int]:
    """Returns the number of calls of layers with weights, and products of numbers for a row."""
    calls, products = 0, 0
    for model in models:
        for node in ordered_nodes(functional(model)):
            layer = node.operation
            count = layer.count_params() if isinstance(layer, keras.Layer) else 0
            if count:
                places = [size or 1 for size in node.outputs[0].shape[1:-1]]
                calls, products = calls + 1, products + count * math.prod(places)
    return calls, products


def _spec_of(tensors: Any) -> Spec:
    if isinstance(tensors, dict):
        return {key: FeatureSpec(tuple(t.shape[1:]), t.dtype) for key, t in tensors.items()}
    return FeatureSpec(tuple(tensors.shape[1:]), tensors.dtype)


class _Constants:
    """Weights by their values, which a graph can hold in their place."""

    def __init__(self, models: Sequence[keras.Model]):
        weights = [w for model in models for w in model.weights if "float" in w.dtype]
        self._values = [(weight, keras.ops.convert_to_numpy(weight)) for weight in weights]

    def scope(self) -> keras.StatelessScope:
        """Returns a scope in which weights are constants of the graph that is being made."""
        return keras.StatelessScope(state_mapping=self._values)


class _BySize(keras.layers.Layer):
    """Runs one network, or several whose outputs are added, whichever suits the number of rows.

    Args:
        network: The network.
        terms: The networks whose outputs add up to the same.
        rows: The most rows that the network gets; `None` if it gets any number.
    """

    def __init__(self, network: keras.Model, terms: Sequence[keras.Model], rows: int | None):
        super().__init__(name="by_size", dtype=network.output.dtype, autocast=False)
        self.rows = rows
        self.network = [] if rows is not None and rows < _FEWEST else [network]
        self.terms = [] if rows is None else list(terms)
        models = [*self.network, *self.terms]
        size = sum(4 * model.count_params() for model in models)
        self._constants = _Constants(models) if size <= _CONSTANT_BYTES else None

    def call(self, features: Any) -> Any:
        if not (self.network and self.terms):
            return self._sum([*self.network, *self.terms], features)
        return keras.ops.cond(
            self._are_few(keras.tree.flatten(features)[0]),
            lambda: self._sum(self.network, features),
            lambda: self._sum(self.terms, features),
        )

    def _are_few(self, feature):
        if None in feature.shape[1:]:
            return keras.ops.shape(feature)[0] <= self.rows
        # The number of elements is one operation less.
        return keras.ops.size(feature) <= self.rows * math.prod(feature.shape[1:])

    def _sum(self, models, features):
        constants = self._constants
        with contextlib.nullcontext() if constants is None else constants.scope():
            found = [model(features, training=False) for model in models]
        total = found[0]
        for each in found[1:]:
            total = total + each
        return total
