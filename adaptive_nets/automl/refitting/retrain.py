"""`retrain`: the networks that were chosen, trained on other rows for as long as before."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from adaptive_nets._seeds import derive_seed
from adaptive_nets.adanet import AdaNet, Builder, EarlyStopping, Ensemble, Generator, Subnetwork
from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.adanet.candidates.stock.learning_rates import LearningRates
from adaptive_nets.adanet.ensembles.assemble import assemble, assemble_single, without_idle
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.automl.baselines.candidate import LinearBuilder
from adaptive_nets.automl.baselines.linear import LinearModel
from adaptive_nets.automl.fitted import Fitted
from adaptive_nets.automl.fitting import Encoder, Fitting
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.losses.unit import in_unit_of, linear_in_unit_of
from adaptive_nets.automl.settings import Settings
from adaptive_nets.automl.targets import Numbers
from adaptive_nets.data.encoding import fit_encoding
from adaptive_nets.generators import FirstRound, Tabular
from adaptive_nets.generators.tabular.recipe import Recipe
from adaptive_nets.graphs.unique_names import named_model
from adaptive_nets.serialization import describe_object, restore_object

# Averaged weights are taken over once they have been measured, on as few rows as these.
_MEASURED = 256


def retrain(fitted: Fitted, settings: Settings, rows: Labelled) -> keras.Model:
    """Returns the model that is served, learnt from these rows.

    How columns are encoded is learnt from them too. Each network is built as it was, and takes as
    many steps as had led to its best weights; the mixture weights are those of before.

    Args:
        fitted: What `fit` has left behind.
        settings: The estimator's settings.
        rows: The rows.

    Raises:
        ValueError: The networks cannot be built again, or are not known any more.
    """
    target, schema = fitted.target, fitted.schema
    networks = None if fitted.choice.kind == "linear" else Networks.of(fitted)
    encoder = Encoder(schema, fit_encoding(schema, rows.x))
    task = Fitting(settings, target).task(encoder, rows, None)
    linear = LinearModel.fit(
        task.x, task.y, task.weights, task.classes, None, task.power, task.levels
    )
    if networks is None:
        return linear_in_unit_of(target, linear, encoder.model)
    training = Training(fitted, settings, rows, encoder, networks.search)
    if isinstance(target, Numbers):
        linear = target.linear(linear)
    builders = networks.builders(linear, encoder(rows.x))
    members = [
        training.member(each, builder, *networks.steps(each))
        for each, builder in zip(networks.ensemble.members, builders, strict=True)
    ]
    if fitted.choice.kind == "single":
        model = assemble_single(members[0], schema.spec, encoder.model)
    else:
        ensemble = dataclasses.replace(networks.ensemble, members=tuple(members))
        ensembler = networks.search.context.ensembler
        model = assemble(ensemble, ensembler, schema.spec, encoder.model)
    return in_unit_of(target, model)


@dataclasses.dataclass(frozen=True)
class Networks:
    """The networks of the served model.

    Args:
        search: The search that found them.
        ensemble: The ensemble, without members of weight 0; of a single network, it alone.
    """

    search: AdaNet
    ensemble: Ensemble

    @classmethod
    def of(cls, fitted: Fitted) -> "Networks":
        """Finds them in the search.

        Raises:
            ValueError: They are not known any more, or read each other.
        """
        search = fitted.known_search()
        if search is None:
            raise ValueError(
                "refit trains the networks of a search again, and there is none: it was not kept "
                "in a model_dir. Expected an estimator from fit, or from automl.load of a "
                f"model_dir. Received: one without a search ({fitted.stop_reason})."
            )
        choice, found = fitted.choice, search.ensemble
        if choice.kind == "single":
            single = search.state.current.best_single
            found = dataclasses.replace(found, members=(single,), mixture=found.mixture.only([0]))
        elif choice.ensemble is not None:
            found = without_idle(choice.ensemble, search.context.ensembler)
        elif choice.round == found.iteration:
            found = without_idle(found, search.context.ensembler)
        else:
            raise ValueError(
                f"refit does not know the networks of round {choice.round} any more, which "
                f"metric={fitted.board.columns[2]!r} has chosen and the search's folder does not "
                "keep. Call refit in the process of fit. Received: an estimator from automl.load, "
                f"whose search has the ensemble of round {found.iteration}."
            )
        reading = [member.name for member in found.members if member.parents]
        if reading:
            raise ValueError(
                "refit trains each network by itself, and some read layers of others. Expected "
                "candidates that do not use adanet.connect. "
                f"Received: {', '.join(reading)}."
            )
        return cls(search, found)

    def builders(self, linear: LinearModel, encoded: Any) -> list[Builder]:
        """Returns what builds each network.

        Args:
            linear: The linear model, for the member that it may be.
            encoded: Encoded training rows, from which the generator learns.

        Raises:
            ValueError: The generator does not propose a network any more.
        """
        given = self.search.settings.generator
        if isinstance(given, FirstRound):
            given = given.generator
        try:
            generator = restore_object(describe_object(given), "generator")
        except ValueError as error:
            raise ValueError(
                "refit needs a generator that its configuration describes, so that it can learn "
                "from the rows again. Register its class and override get_config. "
                f"Received: {type(given).__name__} ({error})"
            ) from error
        generator.prepare(encoded)
        return [self._builder(each, generator, linear) for each in self.ensemble.members]

    def _builder(self, member, generator, linear):
        if member.builder == LinearBuilder.name:
            return LinearBuilder(linear)
        reports = self.search.state.current.reports
        if isinstance(generator, Tabular):
            report = next(
                r for r in reports if (r.iteration, r.name) == (member.iteration, member.builder)
            )
            return generator.builder(Recipe.read(report.hyperparameters))
        told = [report for report in reports if report.iteration < member.iteration]
        previous = self.search.ensemble if member.iteration > 1 else None
        proposed = propose_builders(generator, previous, member.iteration, told)
        found = next((each for each in proposed if each.name == member.builder), None)
        if found is None:
            names = ", ".join(each.name for each in proposed)
            raise ValueError(
                f"refit cannot build '{member.builder}' of round {member.iteration} again: "
                f"{type(generator).__name__} now proposes {names}. Expected a generator that "
                "proposes the same networks for the same arguments."
            )
        return found

    def steps(self, member: Member) -> tuple[int, int]:
        """Returns the steps that led to a network's best weights, and those of its round."""
        state = self.search.state.current
        entries = [entry for entry in state.entries if entry.round == member.iteration]
        taken = max(entry.steps for entry in entries)
        names = [f"{word}_{member.builder}" for word in ("grow", "solo")]
        found = next((e.best_step for e in entries if e.candidate in names and e.best_step), 0)
        return found or taken, taken


class Training:
    """Trains networks on the same rows, one after another.

    Args:
        fitted: What `fit` has left behind.
        settings: The estimator's settings.
        rows: The rows.
        encoder: What encodes them.
        search: The search of before.
    """

    def __init__(
        self, fitted: Fitted, settings: Settings, rows: Labelled, encoder: Encoder, search: AdaNet
    ):
        self.fitted, self.settings, self.rows = fitted, settings, rows
        self.encoder, self.search = encoder, search

    def member(self, member: Member, builder: Builder, steps: int, length: int) -> Member:
        """Returns a network of the same name, trained for a number of steps.

        Args:
            member: The network of before.
            builder: What builds it.
            steps: Number of steps.
            length: Number of steps that its learning rate is planned for.
        """
        target, rows, before = self.fitted.target, self.rows, self.search.settings
        labels = target.encode(rows.y)
        some = slice(0, _MEASURED)
        average = before.stopping.average if before.stopping else 0.0
        search = AdaNet(
            target.head(),
            _Again([_Retrained(builder, length)]),
            max_iterations=1,
            steps_per_iteration=steps,
            ensemble_strategies=("solo",),
            mixture_weights="uniform",
            training="independent",
            adanet_lambda=0.0,
            # Nothing is chosen by these rows: they are measured once, after the last step.
            early_stopping=EarlyStopping(patience=steps + 1, every=steps, average=average),
            folds=before.folds,
            repeats=before.repeats,
            mixture_data="train" if before.folds is None else "folds",
            preprocessing=self.encoder.model,
            seed=derive_seed(self.settings.seed, "refit", member.name),
        )
        search.adopt(None, search.state, self.fitted.schema)
        search.fit(
            rows.x,
            labels,
            sample_weight=rows.w,
            validation_data=None if before.folds else (rows.x.iloc[some], labels[some]),
            batch_size=self.search.context.batch_size,
            verbose=self.settings.verbose,
        )
        (found,) = search.ensemble.members
        model = named_model(found.model.input, found.model.output, f"subnetwork_{member.name}")
        return dataclasses.replace(found, name=member.name, iteration=member.iteration, model=model)


class _Again(Generator):
    """Proposes known builders."""

    def __init__(self, builders: Sequence[Builder]):
        self.builders = builders

    def generate(self, previous: Any, iteration: int, reports: Any) -> list[Builder]:
        return list(self.builders)


class _Retrained(Builder):
    """Builds what another builder builds, with the learning rate of a round of known length."""

    def __init__(self, builder: Builder, length: int):
        self._builder, self._length = builder, length
        self.name, self.majority = builder.name, builder.majority
        self.rescale_output = builder.rescale_output

    def build(self, inputs: Any, units: int, previous: Ensemble | None = None) -> Subnetwork:
        return self._builder.build(inputs, units, previous)

    def optimizer(self) -> keras.optimizers.Optimizer:
        optimizer = self._builder.optimizer()
        LearningRates([optimizer]).fix_length(self._length)
        return optimizer

    def training_data(self, rows: int, seed: int) -> Any:
        return self._builder.training_data(rows, seed)
