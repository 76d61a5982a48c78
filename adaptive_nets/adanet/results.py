"""The results of a search: leaderboard, models, predictions, SavedModel."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import check_bool, check_list, show
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.ensembles.assemble import assemble, assemble_members, assemble_single
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.metrics import evaluate_logits
from adaptive_nets.adanet.fit_data import labelled_rows
from adaptive_nets.adanet.fusion.fuse_ensemble import fuse_ensemble
from adaptive_nets.adanet.fusion.served import fuse_to_serve
from adaptive_nets.adanet.inspection import summaries
from adaptive_nets.adanet.inspection.leaderboard import to_frame
from adaptive_nets.adanet.inspection.predictions import compute_logits, compute_output, predict_rows
from adaptive_nets.data.schema import Schema
from adaptive_nets.keras_internals import check_not_forked
from adaptive_nets.serving.onnx import check_format, export_as

if TYPE_CHECKING:
    import pandas as pd


class SearchResults:
    """The results of a search that was fitted or loaded. Models are built once.

    Args:
        context: `SearchContext`, or `None` before `fit`.
        state: `SearchState`.
    """

    def __init__(self, context: SearchContext | None, state: SearchState):
        self.context, self.state = context, state
        self._models = {}

    @property
    def stop_reason(self) -> str:
        """Why the last `fit` ended.

        One of `"max_iterations"`, `"no_improvement"` (the last round has not improved the
        ensemble; with a time limit and `max_iterations="auto"`, the last two gained less than a
        thousandth of the loss's unit), `"time_limit"`, `"max_steps"` and `"callback"`.
        """
        return self.state.stop_reason

    @property
    def global_step(self) -> int:
        """Training steps of all rounds, including one that is not finished."""
        return self.state.current.steps

    @property
    def feature_spec(self) -> Any:
        """A `FeatureSpec` of the raw features, or a dict of them. `None` before `fit`."""
        return None if self.context is None else self.context.spec

    @property
    def schema(self) -> Schema | None:
        """The `data.Schema` of the raw features. `None` before `fit`."""
        return None if self.context is None else self.context.schema

    @property
    def ensemble(self) -> Ensemble:
        """The chosen `Ensemble`."""
        self._check_fitted()
        return self.state.current.ensemble

    def leaderboard(self) -> "pd.DataFrame":
        """Returns all candidate ensembles as a `pandas.DataFrame` that prints what fits the screen.

        Columns: `round`, `candidate`, `status`, `objective`, `loss`, `penalty`, the head's
        metrics (also as `val_...`), `parameters`, `steps`, `seconds`; the newest member's r, Γ and
        L1 norm of its `mixture_weight`; `parent`. `attrs["objective_of"]` says by which rows.
        """
        return to_frame(self.state.current.entries, self.context)

    def learning_curves(self) -> "pd.DataFrame":
        """Returns the training losses of all subnetworks as a `pandas.DataFrame`.

        Columns: `round`, `candidate` (the subnetwork's builder), `step` (the last step of a window,
        from 1), `loss` (the mean over the window) and, with early stopping, `held_out_loss`.
        """
        return summaries.learning_curves(self.state.current.curves)

    def architecture(self) -> "pd.DataFrame":
        """Returns the subnetworks that the ensemble uses, one per row, as a `pandas.DataFrame`.

        Columns: `subnetwork`, `round`, `depth`, `complexity`, `parameters`, `reads` (list of the
        subnetworks whose hidden layers it reads) and `member` (whether it has a mixture weight
        itself, rather than only being read).
        """
        return summaries.architecture(self.ensemble)

    def member_weights(self) -> "pd.DataFrame":
        """Returns the ensemble's mixture weights as a `pandas.DataFrame`.

        Columns: `subnetwork`, `unit` (the logit; -1 if one weight is used for all), `weight` (for
        a matrix, the L1 norm of the logit's column) and `norm`, the subnetwork's `||w||_1`.
        """
        return summaries.mixture_weights(self.ensemble)

    @property
    def model(self) -> keras.Model:
        """The ensemble as a plain Functional model.

        It maps raw features to logits (for a regression, to predictions), and loads without
        adaptive_nets.
        """
        check_not_forked("AdaNet.model")
        ensemble = self.ensemble
        if "model" not in self._models:
            self._models["model"] = assemble(
                ensemble, self._ensembler, self.context.spec, self.context.preprocessing
            )
        return self._models["model"]

    def fuse(self, name: str = "fused") -> keras.Model:
        """Returns the ensemble as ONE network with the same outputs, ready to be fine-tuned.

        Members are placed side by side in each layer (Deep Fusion, section 3), and connections
        to earlier members become blocks between them; all are trainable. Mixture weights and bias
        are folded into the last layer. Members of unequal depth are first deepened by identity
        layers; a batch normalisation that would prevent this is folded into its kernel.
        Preprocessing is kept once, before the network.

        Args:
            name: Name of the model. Defaults to `"fused"`.

        Returns:
            A Functional `keras.Model` of stock layers (or the user's own) with the same outputs as
            `search.model`, up to rounding. Each call returns a new, uncompiled model that shares no
            weights with the search. Dropout on connections is left out.

        Raises:
            ValueError: There is no ensemble yet; or its members differ in topology, or in depth
                where no layer can pass on its inputs unchanged, or are weighed or connected in a
                way that a single network cannot represent. The message names them.

        Example:

        ```python
        import keras
        import numpy as np
        import adaptive_nets as an

        x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
        y = (x[:, 0] * x[:, 1] > 0).astype(int)
        search = an.AdaNet(an.heads.BinaryClass(), max_iterations=2, steps_per_iteration=50, seed=0)
        search.fit(x, y, verbose=0)
        network = search.fuse()
        network.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
        network.fit(x, y, verbose=0)
        ```

        Reference: Mazzawi et al., "Deep Fusion", arXiv 2306.11903, section 3.
        """
        ensemble, context = self.ensemble, self.context
        given = (context.spec, context.preprocessing, name, context.seed)
        return fuse_ensemble(ensemble, self._ensembler, *given)

    @property
    def best_single(self) -> keras.Model:
        """The best single subnetwork of all rounds, as a plain model."""
        self._check_fitted()
        if "single" not in self._models:
            self._models["single"] = assemble_single(
                self.state.current.best_single, self.context.spec, self.context.preprocessing
            )
        return self._models["single"]

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int = 1024,
        model: keras.Model | None = None,
    ) -> dict[str, float]:
        """Evaluates the ensemble on data.

        Args:
            x: Features, as for `fit`.
            y: Labels. Omit for a dataset.
            sample_weight: One weight >= 0 per row. Defaults to `None`.
            batch_size: Rows per batch. Defaults to 1,024.
            model: Model to evaluate instead of the ensemble, such as `search.best_single`.

        Returns:
            Dict with `"loss"` and the head's metrics.
        """
        self._check_fitted()
        schema = self.context.schema
        rows = labelled_rows(x, y, self.context.head, "evaluate", sample_weight, schema=schema)
        logits = predict_rows(self.model if model is None else model, rows.x, batch_size)
        return evaluate_logits(self.context.head, logits, rows)

    def predict(
        self, x: Any, output: str | None = None, batch_size: int = 1024
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Predicts from features.

        Args:
            x: Features as for `fit`; labels in batches are ignored.
            output: One of the head's outputs, such as `"classes"`, `"probabilities"`, `"logits"` or
                `"predictions"`; for several heads `"head/probabilities"`. Defaults to the head's
                default output.
            batch_size: Rows per batch. Defaults to 1,024.

        Returns:
            Array with one entry per row of `x`. For several heads, a dict of such arrays, unless
            `output` names one.
        """
        self._check_fitted()
        context = self.context
        return compute_output(self.model, context.head, x, context.schema, batch_size, output)

    def export(
        self,
        path: str | os.PathLike,
        *,
        fuse: bool = False,
        subnetworks: str | Sequence[str] = (),
        format: str = "saved_model",  # noqa: A002 - as in keras.Model.export
        **options: Any,
    ) -> str:
        """Writes a SavedModel for TF Serving, or an ONNX file.

        Args:
            path: Folder or file to write. What an earlier export has written is replaced.
            fuse: Whether to write the single network of `fuse()`. Defaults to `False`.
            subnetworks: `"logits"`, `"last_layer"` or both: outputs of each subnetwork to add to
                the signature `predict`, as `"subnetwork_<output>/<name>"`. Defaults to none.
            format: `"saved_model"`, or `"onnx"` (see `serving.export_onnx`; of the other options
                it has only `fuse`). Defaults to `"saved_model"`.
            **options: `example_spec`, `receiver`, `warmup`, `assets_extra`, `check_values`, as for
                `serving.export_saved_model`.

        Returns:
            The path as a string.
        """
        wanted, fuse = _chosen_outputs(subnetworks), check_bool("fuse", fuse)
        self._check_fitted()
        check_format(format, {"subnetworks": wanted or None, **options})
        context = self.context
        if wanted:
            options["subnetworks"] = assemble_members(
                self.ensemble, context.spec, context.preprocessing, wanted
            )
        options.setdefault("schema", context.schema)
        model = _fused(self, format) if fuse else self.model
        return export_as(format, model, context.head, path, **options)

    def logits(
        self, x: Any, batch_size: int = 1024, model: keras.Model | None = None
    ) -> np.ndarray:
        """Computes `[rows, units]` logits.

        Args:
            x: Features, as for `predict`.
            batch_size: Rows per batch. Defaults to 1,024.
            model: The model. Defaults to the ensemble's.
        """
        return compute_logits(model or self.model, x, self.context.schema, batch_size)

    @property
    def _ensembler(self):
        return self.context.ensembler

    def _check_fitted(self):
        if self.state.current.ensemble is None:
            raise ValueError(
                "This search has no ensemble yet. Call fit first. Received: a search without one."
            )


def _fused(results, format):  # noqa: A002 (as in keras.Model.export)
    """The fused ensemble as it is exported."""
    if format != "saved_model":
        return results.fuse()
    context = results.context
    given = (context.spec, context.preprocessing, context.seed)
    return fuse_to_serve(results.ensemble, context.ensembler, *given)


def _chosen_outputs(subnetworks):
    """The outputs of subnetworks that are to be exported, as a list."""
    words = "'logits', 'last_layer' or both"
    several = [subnetworks] if isinstance(subnetworks, str) else subnetworks
    wanted = check_list("subnetworks", several, str, words)
    if set(wanted) - {"logits", "last_layer"}:
        raise ValueError(f"subnetworks must be {words}. Received: subnetworks={show(subnetworks)}.")
    return wanted
