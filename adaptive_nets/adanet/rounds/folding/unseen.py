"""What networks of folds say of the training rows that they have not seen."""

from typing import Any

import numpy as np

from adaptive_nets._pieces import RowWise
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.rounds.folding.sources import assign_folds
from adaptive_nets.data.folds import read_groups
from adaptive_nets.data.rows import make_rows


def unseen_logits(
    context: SearchContext, found: Ensemble | Member, x: Any, y: Any, groups: Any = None
) -> np.ndarray:
    """Returns `[rows, units]` logits of the training rows, out of fold.

    Args:
        context: Of a search with folds.
        found: An ensemble of it, or a member.
        x: The features of all training rows, as they were passed to `fit`.
        y: Their labels.
        groups: Their groups. Defaults to `None`: there were none.
    """
    rows = make_rows(x, y, context.head, schema=context.schema)
    view = OutputCache(context.preprocessor(rows))
    groups = None if groups is None else read_groups(groups, len(rows))
    view.folds = assign_folds(context, rows.y, groups)
    if isinstance(found, Member):
        return np.asarray(view.outputs([found])[0]["logits"])
    ensembler, outputs = context.ensembler, view.outputs(found.members)
    logits = RowWise(lambda some: ensembler.apply(found.mixture, some), outputs)
    return logits.whole(context.head.units, "float32")
