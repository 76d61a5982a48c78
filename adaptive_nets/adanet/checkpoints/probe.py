"""A few made-up rows whose outputs are stored: a search that is loaded must give them again."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.adanet.checkpoints.files.state_file import versions
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.ensembles.member import lineage, run_all
from adaptive_nets.data.specs import FeatureSpec, Spec
from adaptive_nets.keras_internals import seeded

ROWS, MOST_VALUES, MOST_UNITS = 4, 1_000_000, 64

# Length of axes whose length the schema leaves open.
_OPEN_AXIS = 5

# How far outputs may differ, relative to the largest: in the same environment, and in another.
_TOLERANCES = {"float16": (2e-2, 5e-2), "float32": (1e-5, 1e-3)}


def make_rows(spec: Spec) -> Any:
    """Returns rows that fit a feature spec and come from nobody's data.

    Numbers are those of a wave between -1.5 and 1.5, integers 0 and 1, text one letter.

    Args:
        spec: Feature spec of raw features.
    """
    if isinstance(spec, dict):
        return {name: _rows(each, place) for place, (name, each) in enumerate(spec.items())}
    return _rows(spec, 0)


def _rows(spec: FeatureSpec, place: int) -> np.ndarray:
    shape = tuple(_OPEN_AXIS if size is None else size for size in spec.shape)
    size = int(np.prod(shape))
    count = max(1, min(ROWS, MOST_VALUES // max(1, size)))
    index = np.arange(count * size).reshape(count, *shape)
    if spec.dtype == "string":
        return np.full(index.shape, "a", dtype=object)
    if np.dtype(spec.dtype).kind in "iub":
        return ((index + place) % 2).astype(spec.dtype)
    return (1.5 * np.sin(1.0 + 0.618 * index + place)).astype(spec.dtype)


@seeded(0)
def answer(
    ensemble: Ensemble,
    ensembler: Ensembler,
    spec: Spec,
    preprocessing: keras.Model | None,
    known: dict[str, Any] | None = None,
) -> np.ndarray:
    """Returns an ensemble's logits of the made-up rows, of at most 64 units.

    Args:
        ensemble: The `Ensemble`.
        ensembler: The `Ensembler` that weighed it.
        spec: Feature spec of raw features.
        preprocessing: Model that is applied to them first, or `None`.
        known: Outputs of members by `"<member>.<output>"`, which are added to. Defaults to none.
    """
    known = {} if known is None else known
    rows = make_rows(spec)
    least = min(len(part) for part in keras.tree.flatten(rows))
    rows = keras.tree.map_structure(lambda part: keras.ops.convert_to_tensor(part[:least]), rows)
    features = rows if preprocessing is None else preprocessing(rows, training=False)
    new = [m for m in lineage(ensemble.members) if f"{m.name}.logits" not in known]
    known |= run_all(new, features, known, training=False)
    outputs = [
        {
            key: np.asarray(keras.ops.convert_to_numpy(known[f"{member.name}.{key}"]), "float32")
            for key in ("logits", "last_layer")
        }
        for member in ensemble.members
    ]
    logits = np.asarray(ensembler.apply(ensemble.mixture, outputs), "float64")
    chosen = np.linspace(0, logits.shape[1] - 1, min(logits.shape[1], MOST_UNITS)).astype(int)
    return logits[:, chosen]


def describe(
    ensemble: Ensemble | None,
    ensembler: Ensembler,
    spec: Spec,
    preprocessing: keras.Model | None,
    known: dict[str, Any],
) -> dict[str, Any]:
    """Returns what a state holds of the probe: the outputs, or why there are none.

    Args:
        ensemble: The `Ensemble`, or `None`.
        ensembler: The `Ensembler` that weighed it.
        spec: Feature spec of raw features.
        preprocessing: Model that is applied to them first, or `None`.
        known: Outputs of members by `"<member>.<output>"`, which are added to.
    """
    if ensemble is None:
        return {"skipped": "there is no ensemble yet"}
    try:
        found = answer(ensemble, ensembler, spec, preprocessing, known)
    except Exception as error:
        # Layers need not take rows that are not the user's, such as numbers of a vocabulary.
        return {"skipped": f"{type(error).__name__}: {_line(error)}"}
    if not np.isfinite(found).all():
        return {"skipped": "the outputs are not finite"}
    return {"outputs": found.tolist()}


def differs(
    state: dict[str, Any],
    ensemble: Ensemble,
    ensembler: Ensembler,
    spec: Spec,
    preprocessing: keras.Model | None,
) -> str:
    """Returns how the outputs of a loaded search differ from the stored ones; `""` if they do not.

    Args:
        state: Values of the state.
        ensemble: The loaded `Ensemble`.
        ensembler: Its `Ensembler`.
        spec: Feature spec of raw features.
        preprocessing: The loaded preprocessing model, or `None`.
    """
    expected = state.get("probe", {}).get("outputs")
    if expected is None:
        return ""
    try:
        found = answer(ensemble, ensembler, spec, preprocessing)
    except Exception as error:
        return f"it fails on them: {_line(error) or type(error).__name__}"
    expected = np.asarray(expected, "float64")
    if found.shape != expected.shape:
        return f"the outputs have shape {list(found.shape)} instead of {list(expected.shape)}"
    gap = float(np.abs(found - expected).max())
    here = versions()
    # Accelerators choose each time how they compute.
    same = state.get("written_by") == here and here["devices"] == ["CPU"]
    allowed = _TOLERANCES[_precision(ensemble)][not same] * max(1.0, np.abs(expected).max())
    return "" if gap <= allowed else f"an output differs by {gap:.3g}; {allowed:.3g} is allowed"


def _line(error):
    return " ".join(str(error).split())[:300]


def _precision(ensemble):
    dtypes = {
        layer.compute_dtype for member in lineage(ensemble.members) for layer in member.model.layers
    }
    return "float16" if dtypes & {"float16", "bfloat16"} else "float32"
