"""A report as one HTML file."""

import json
from typing import TYPE_CHECKING, Any

from adaptive_nets._version import __version__
from adaptive_nets.report.content.document import Chart, Code, Report, Text, plain, rounded
from adaptive_nets.report.html.charts import specification
from adaptive_nets.report.html.engine import bundle, still, templates
from adaptive_nets.report.html.looks import STYLE, settings
from adaptive_nets.report.html.template import PAGE, SCRIPT, TABLE

if TYPE_CHECKING:
    import pandas as pd

# Rows of a table on the page; JSON and DataFrames have them all.
_MOST_ROWS, _MOST_CHART_ROWS = 300, 40
# Tables with more rows than this are folded.
_OPEN_ROWS = 30
# Pictures for readers without JavaScript take at most this much of the page.
_MOST_STILLS = 1_200_000
# Digits that are shown; pages sort by all of them.
_DIGITS = 5


def render(report: Report) -> str:
    """Returns the page of a report: one file that needs no network.

    Args:
        report: The report.

    Raises:
        ImportError: Altair or vl-convert is not installed.
    """
    from markupsafe import Markup

    environment = templates()
    charts = [block for block in report.blocks if isinstance(block, Chart)]
    drawn = {
        "settings": {mode: settings(mode) for mode in ("light", "dark")},
        "charts": {chart.name: specification(chart) for chart in charts},
    }
    pictures = _stills(drawn["charts"])
    table = environment.from_string(TABLE)
    sections = [
        {
            "name": section.name,
            "title": section.title,
            "blocks": [_block(block, pictures) for block in section.blocks],
        }
        for section in report.sections
    ]
    return environment.from_string(PAGE).render(
        report=report,
        version=__version__,
        sections=sections,
        table=lambda block: Markup(table.render(block=block)),
        # These are ours, or are escaped here.
        style=Markup(STYLE),
        script=Markup(bundle(SCRIPT)),
        charts=Markup(_json(drawn)),
    )


def _json(values):
    """Returns JSON that cannot end the script that it is in."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _stills(specifications):
    from markupsafe import Markup

    found, size = {}, 0
    for name, each in specifications.items():
        picture = still(each, settings("light")) if size < _MOST_STILLS else ""
        size += len(picture)
        if size >= _MOST_STILLS:
            picture = ""
        # Written by Vega, which escapes text.
        found[name] = Markup(picture) if picture else "The data of this chart are below."
    return found


def _block(block, pictures) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text, "warning": block.warning}
    if isinstance(block, Code):
        return {"type": "code", "text": block.text, "title": block.title}
    folded = len(block.frame) > _OPEN_ROWS
    found = {"type": "table", "name": block.name, "title": block.title, "folded": folded}
    most = _MOST_ROWS
    if isinstance(block, Chart):
        found |= {"type": "chart", "alt": block.alt, "still": pictures[block.name]}
        most = _MOST_CHART_ROWS
    return {**found, **_cells(block.frame, most)}


def _cells(frame: "pd.DataFrame", most: int) -> dict[str, Any]:
    shown = frame.iloc[:most]
    columns = []
    for place, name in enumerate(frame.columns):
        kind = getattr(frame.dtypes.iloc[place], "kind", "O")
        columns.append({"name": str(name).replace("_", " "), "numeric": kind in "iuf"})
    rows = [
        [_cell(shown.iloc[row, place]) for place in range(shown.shape[1])]
        for row in range(len(shown))
    ]
    return {"columns": columns, "rows": rows, "left_out": len(frame) - len(shown)}


def _cell(value: Any) -> dict[str, Any]:
    found = plain(value)
    if found is None:
        return {"number": None, "text": "–"}
    if isinstance(found, bool) or not isinstance(found, int | float):
        return {"number": None, "text": str(found)}
    if isinstance(found, int):
        return {"number": found, "text": str(found)}
    return {"number": repr(found), "text": rounded(found, _DIGITS)}
