"""Settings with which a search that has begun goes on: which may change, and what follows."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from adaptive_nets.serialization import differences

# Settings that may change, and what a change has an effect on: "training" (a round that is half
# trained begins again), "objective" (the ensemble so far is measured again) or nothing that has
# been done.
_MAY = {
    "adanet_lambda": ("objective",),
    "adanet_beta": ("objective",),
    "evaluator": ("objective",),
    "generator": ("training",),
    "steps_per_iteration": ("training",),
    "early_stopping": ("training",),
    "penalize_training": ("training",),
    "fit.batch_size": ("training",),
    "seed": ("training",),
    "ensemble_strategies": (),
    "force_grow": (),
}
# Why others may not.
_REASONS = {
    "head": "the members give logits for that task",
    "preprocessing": "the members read features that were prepared so",
    "training": "the members were trained to be weighed so",
    "mixture_weights": "the ensemble's weights are of that kind",
    "mixture_bias": "the ensemble's weights are of that kind",
    "mixture_data": "the ensemble was weighed and judged on those rows",
    "refit": "the ensemble's weights were solved for so",
    "complexity": "the members' complexities were measured so",
    "folds": "the members' networks have not seen other folds",
    "repeats": "the members' networks have not seen other folds",
    "fit.features": "the members read these features",
}
_LONGEST = 300


@dataclasses.dataclass(frozen=True)
class Change:
    """A setting with which a search has gone on.

    Args:
        iteration: Number of rounds that were finished by then.
        setting: The argument of `AdaNet` or, after `fit.`, of `AdaNet.fit`.
        before: Its value until then, as JSON.
        after: Its value since.
    """

    iteration: int
    setting: str
    before: Any
    after: Any

    def __str__(self) -> str:
        before, after = _shown(self.before), _shown(self.after)
        return f"{self.setting}: {before} up to round {self.iteration}, then {after}"

    @property
    def trains(self) -> bool:
        """Whether a round that is half trained has to begin again."""
        return "training" in _MAY.get(self.setting, ())

    @property
    def measures(self) -> bool:
        """Whether the ensemble so far has to be measured again."""
        return "objective" in _MAY.get(self.setting, ())


def changes_of(
    before: Mapping[str, Any], after: Mapping[str, Any], iteration: int, whose: str
) -> tuple[Change, ...]:
    """Returns the settings with which a search goes on.

    Args:
        before: The settings so far, as JSON values by name.
        after: Those of this call.
        iteration: Number of rounds that are finished.
        whose: What has the settings so far, for messages.

    Raises:
        ValueError: One of them may not change. The message says why.
    """
    found, reasons = [], []
    before, after = _flat(before), _flat(after)
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name in _MAY:
            found.append(Change(iteration, name, old, new))
        else:
            why = _REASONS.get(name, "what was done depends on it")
            reasons += [f"{line} ({why})" for line in differences(old, new, name)]
    if reasons:
        more = f" and {len(reasons) - 6} more" if len(reasons) > 6 else ""
        raise ValueError(
            f"{whose} holds a search with another configuration: {'; '.join(reasons[:6])}{more}. "
            f"Use the same settings or another model_dir. What may change is {', '.join(_MAY)}."
        )
    return tuple(found)


def _flat(settings):
    """Returns the arguments of `fit` beside those of `AdaNet`."""
    given = {f"fit.{name}": value for name, value in settings.get("fit", {}).items()}
    return {**{name: value for name, value in settings.items() if name != "fit"}, **given}


def _shown(value):
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
