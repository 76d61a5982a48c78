"""How a page looks: its style sheet, and the colors and fonts of charts, in light and dark."""

from typing import Any

# Distinguishable with all common kinds of color blindness (after Okabe and Ito), and of at least
# three times the background's luminance, or a third.
_SERIES = {
    "light": ["#0067a5", "#c44e00", "#00795a", "#a8437f", "#7a5c00", "#3d3d3d", "#5b6bd0"],
    "dark": ["#6cb8ee", "#f59a56", "#4fcfa5", "#e796c4", "#e0c04c", "#d5d5d5", "#a3adf5"],
}
_INK = {"light": ("#222222", "#5a5a5a", "#e3e3e3"), "dark": ("#ececec", "#b4b4b4", "#3c3c40")}


def settings(mode: str) -> dict[str, Any]:
    """Returns the configuration of Vega-Lite charts.

    Args:
        mode: `"light"` or `"dark"`.
    """
    ink, pale, grid = _INK[mode]
    colors = _SERIES[mode]
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": None,
        "font": "system-ui, sans-serif",
        "range": {"category": colors},
        "view": {"stroke": None},
        "mark": {"color": colors[0]},
        "line": {"strokeWidth": 2},
        "style": {
            "guide": {"stroke": pale, "strokeWidth": 1.2},
            "interval": {"stroke": ink, "strokeWidth": 1.5},
        },
        "axis": {**text, "gridColor": grid, "domainColor": pale, "tickColor": pale,
                 "titleFontWeight": "normal", "labelOverlap": "parity", "labelSeparation": 8},
        "axisX": {"labelFlush": False},
        "legend": {**text, "symbolOpacity": 1},
    }  # fmt: skip


STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --ink: #222222; --pale: #555555; --line: #d5d5d5;
  --card: #f5f6f8; --link: #0b57a4; --warn: #fff3d6; --warn-ink: #4a3500; --warn-line: #c98a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #19191c; --ink: #ececec; --pale: #bdbdbd; --line: #45454a;
    --card: #242428; --link: #86bdf7; --warn: #3a2f14; --warn-ink: #ffe2a3; --warn-line: #c98a00;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
header, nav, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.2rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .8rem; overflow-wrap: anywhere; }
h2 {
  font-size: 1.35rem; margin: 0 0 .6rem; padding-top: 1.6rem;
  border-top: 1px solid var(--line);
}
section { margin-top: 2rem; }
.verdict {
  background: var(--card); border-left: 4px solid var(--link); padding: .9rem 1.1rem;
  font-size: 1.08rem; margin: 0 0 1rem; overflow-wrap: anywhere;
}
.warning {
  background: var(--warn); color: var(--warn-ink); border-left: 4px solid var(--warn-line);
  padding: .6rem .9rem;
}
p { max-width: 46rem; overflow-wrap: anywhere; }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1rem; list-style: none; padding: 0; margin: 0; }
nav a { display: inline-block; padding: .2rem 0; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: .5rem; z-index: 1; }
.scroll { overflow-x: auto; margin: 1rem 0 1.4rem; }
.scroll:focus-visible, button:focus-visible, summary:focus-visible, a:focus-visible {
  outline: 2px solid var(--link); outline-offset: 2px;
}
table {
  border-collapse: collapse; min-width: min(24rem, 100%); font-size: .88rem;
  font-variant-numeric: tabular-nums;
}
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th, td {
  padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; max-width: 26rem; overflow-wrap: break-word;
}
td { min-width: 3.5rem; }
th { white-space: nowrap; }
td.number, th.number { text-align: right; }
th button {
  font: inherit; font-weight: 600; color: inherit; background: none; border: 0; padding: .3rem 0;
  cursor: pointer;
}
th[aria-sort] button::after { content: " ↕"; color: var(--pale); }
th[aria-sort="ascending"] button::after { content: " ↑"; color: var(--ink); }
th[aria-sort="descending"] button::after { content: " ↓"; color: var(--ink); }
figure { margin: 1.2rem 0 1.6rem; }
figcaption { font-weight: 600; margin-bottom: .4rem; overflow-wrap: anywhere; }
.chart { width: 100%; min-height: 4rem; overflow-x: auto; }
.still { background: #ffffff; overflow-x: auto; }
.still svg { max-width: 100%; height: auto; }
details { margin-top: .3rem; }
summary { cursor: pointer; color: var(--pale); font-size: .9rem; }
pre {
  background: var(--card); padding: .8rem 1rem; overflow-x: auto; font-size: .88rem;
  line-height: 1.45;
}
footer { color: var(--pale); font-size: .88rem; padding: 2rem 1.2rem; }
@media (max-width: 480px) {
  header, nav, main, footer { padding-left: .8rem; padding-right: .8rem; }
  h1 { font-size: 1.45rem; }
  th, td { padding: .3rem .45rem; max-width: 16rem; }
  table { width: max-content; }
}
@media print { nav, th button::after { display: none; } .scroll { overflow: visible; } }
#vg-tooltip-element {
  position: fixed; visibility: hidden; z-index: 2; padding: .4rem .6rem; font-size: .82rem;
  background: var(--page); color: var(--ink); border: 1px solid var(--line); border-radius: 3px;
  pointer-events: none;
}
#vg-tooltip-element.visible { visibility: visible; }
#vg-tooltip-element table { font-size: inherit; min-width: 0; }
#vg-tooltip-element td { border: 0; padding: .05rem .3rem; min-width: 0; }
"""
