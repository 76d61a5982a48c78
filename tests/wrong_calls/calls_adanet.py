"""Valid calls of adanet's names, and of several ensemblers."""

import keras
from call_kinds import choice, fixed, flag, lazy, listing, mapping, number, path, text
from call_outcomes import Call

import adaptive_nets as an
from adaptive_nets.estimator.adanet import distributed, ensemble, subnetwork

ENSEMBLERS = lazy(
    lambda: [
        an.adanet.UniformEnsembler(),
        an.adanet.MixtureEnsembler("scalar", an.adanet.Penalty()),
    ]
)
BUILDERS = lazy(lambda: an.generators.Dense(4, 1).generate(None, 1, []))
OPTIMIZER = lazy(lambda: keras.optimizers.SGD(0.1))
ANY = fixed(None)

CALLS = [
    Call("adanet.SeveralEnsemblers", lambda: an.adanet.SeveralEnsemblers, {
        "ensemblers": listing(ENSEMBLERS),
    }),
    Call("subnetwork.SimpleGenerator", lambda: subnetwork.SimpleGenerator, {
        "subnetwork_builders": listing(BUILDERS),
    }),
    Call("subnetwork.Report", lambda: subnetwork.Report, {
        "hparams": mapping({"a": 1}, none=True, empty=True),
        "attributes": mapping({"a": 1}, none=True, empty=True),
        "metrics": mapping({"a": 1}, none=True, empty=True),
    }),
    Call("subnetwork.TrainOpSpec", lambda: subnetwork.TrainOpSpec, {
        "train_op": fixed(OPTIMIZER),
        "chief_hooks": listing(None, none=True, empty=True),
        "hooks": listing(None, none=True, empty=True),
    }),
    # Checked when it is built, with the builder's name.
    Call("subnetwork.Subnetwork", lambda: subnetwork.Subnetwork, {
        "last_layer": ANY, "logits": ANY, "complexity": fixed(1.0),
    }),
    Call("ensemble.ComplexityRegularizedEnsembler",
         lambda: ensemble.ComplexityRegularizedEnsembler, {
        "mixture_weight_type": choice("scalar"),
        "model_dir": path("runs", none=True),
        "adanet_lambda": number(0.1).but(-1.0),
        "adanet_beta": number(0.1).but(-1.0),
        "use_bias": flag(False),
        "name": text("a", none=True),
    }),
    Call("ensemble.MeanEnsembler", lambda: ensemble.MeanEnsembler, {
        "name": text("a", none=True),
    }),
    Call("distributed.RoundRobinStrategy", lambda: distributed.RoundRobinStrategy, {
        "drop_remainder": fixed(False),
    }),
]  # fmt: skip
