"""The data of a plot: asked of a search, or given as a DataFrame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from adaptive_nets.adanet import AdaNet


def frame_of(
    source: "AdaNet | pd.DataFrame", method: str, columns: Sequence[str]
) -> "pd.DataFrame":
    """A DataFrame that has what a plot needs.

    Args:
        source: A search, or what its method returned.
        method: The search's method.
        columns: What the frame must have.

    Raises:
        TypeError: It is neither.
        ValueError: A column is missing, or there are no rows.
    """
    import pandas as pd

    frame = source
    if not isinstance(source, pd.DataFrame):
        if not hasattr(source, method):
            raise TypeError(
                f"Expected a search, or the DataFrame of its {method}(). "
                f"Received: {type(source).__name__}."
            )
        frame = getattr(source, method)()
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(
            f"The DataFrame must be that of a search's {method}(), with columns "
            f"{', '.join(columns)}; it has no {', '.join(missing)}. "
            f"Received: columns {', '.join(map(str, frame.columns))}."
        )
    if frame.empty:
        raise ValueError(f"There is nothing to plot: {method}() has no rows. Call fit first.")
    return frame
