"""The data of a plot, from a search or given as a DataFrame."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def frame_of(source: Any, method: str, columns: Sequence[str]) -> "pd.DataFrame":
    """Returns the DataFrame of a plot, and checks its columns.

    Args:
        source: A search, or the DataFrame returned by its method.
        method: Name of the search's method.
        columns: Required columns.

    Raises:
        TypeError: `source` is neither a search nor a DataFrame.
        ValueError: A column is missing, or there are no rows.
    """
    import pandas as pd

    frame = source
    if not isinstance(source, pd.DataFrame):
        if isinstance(source, type) or not hasattr(source, method):
            raise TypeError(
                f"Expected a search, or the DataFrame returned by its {method}(). "
                f"Received: {type(source).__name__}."
            )
        frame = getattr(source, method)()
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(
            f"Expected the DataFrame returned by a search's {method}(), with columns "
            f"{', '.join(columns)}. It lacks {', '.join(missing)}. "
            f"Received: columns {', '.join(map(str, frame.columns))}."
        )
    if frame.empty:
        raise ValueError(f"There is nothing to show: {method}() has no rows. Call fit first.")
    return frame
