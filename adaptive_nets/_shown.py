"""`Shown`: plans, reports and schemas, readable as text and as HTML in notebooks."""

import html
from collections.abc import Sequence
from typing import Any

# So many rows of a table are shown in a notebook, which has no end of a screen to stop at.
MOST_ROWS = 60


class Shown:
    """An object that consists of lines of text and tables."""

    def _parts(self) -> Sequence[Any]:
        """Returns lines of text and `pandas.DataFrame`s, in the order in which they are shown."""
        raise NotImplementedError

    def _text_options(self) -> dict[str, Any]:
        """Returns how `pandas.DataFrame.to_string` writes the tables."""
        return {}

    def __str__(self) -> str:
        options = {"index": False, **self._text_options()}
        parts = self._parts()
        return "\n".join(p if isinstance(p, str) else p.to_string(**options) for p in parts)

    def _repr_html_(self) -> str:
        written = self._text_options().get("float_format", "{:.5g}".format)
        return html_of(self._parts(), written)


def html_of(parts: Sequence[Any], float_format: Any = "{:.5g}".format) -> str:
    """Returns text and tables as HTML, with all text escaped.

    No colours are set, so that it reads well on light and dark pages.

    Args:
        parts: Lines of text, and `pandas.DataFrame`s.
        float_format: Function that writes a number.
    """
    found = [
        f'<p style="margin:.4em 0;white-space:pre-wrap">{html.escape(part)}</p>'
        if isinstance(part, str)
        else '<div style="overflow-x:auto">'
        + part.to_html(
            index=False, border=0, na_rep="-", float_format=float_format, max_rows=MOST_ROWS
        )
        + "</div>"
        for part in parts
    ]
    return f"<div>{''.join(found)}</div>"
