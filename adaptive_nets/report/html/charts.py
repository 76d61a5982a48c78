"""Charts as Vega-Lite specifications.

Fields have names of ours, and what comes from a table is only ever data or a title: a column that
is called `datum.x` or `<script>` means nothing to Vega.
"""

from typing import Any

from adaptive_nets.report.content.document import Chart, rows_of

# A page has this many pixels for a chart at most, and labels of categories have these.
_HEIGHT, _BAR, _CELL, _LABEL = 280, 22, 34, 180
# All digits of float32, and no exponents.
_NUMBER = ",.7~r"
# Names of columns in one line, if they have no more letters than this.
_LETTERS = 60


def specification(chart: Chart) -> dict[str, Any]:
    """Returns the Vega-Lite specification of a chart.

    Args:
        chart: The chart.
    """
    names = [str(name) for name in chart.frame.columns]
    values = [dict(zip(names, row, strict=True)) for row in rows_of(chart.frame)]
    layers = _KINDS[chart.kind](chart, names)
    spec = {
        "data": {"values": values},
        "width": "container",
        "height": _height(chart),
        "layer": layers,
        "autosize": {"type": "fit", "contains": "padding"},
    }
    if chart.kind in ("bars", "cells"):
        # As high as it has rows, whatever the labels take.
        spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return spec


def _height(chart):
    if chart.kind == "bars":
        return _BAR * max(2, len(chart.frame))
    if chart.kind == "cells":
        return _CELL * max(2, chart.frame["row"].nunique())
    return _HEIGHT


def _axis(field, title, **more):
    return {"field": field, "type": "quantitative", "title": title or None, **more}


def _tip(*pairs):
    found = []
    for field, title in pairs:
        numeric = field not in ("label", "series", "row", "column")
        kind = {"type": "quantitative", "format": _NUMBER} if numeric else {"type": "nominal"}
        found.append({"field": field, "title": title or field, **kind})
    return found


def _scaled(chart, field):
    found = {"scale": {"zero": chart.zero}}
    values = chart.frame[field].astype("float64").dropna()
    if len(values) and (values % 1 == 0).all():
        # Epochs and steps have no halves.
        found["axis"] = {"tickMinStep": 1}
    return found


def _series(names):
    if "series" not in names:
        return {}
    legend = {"orient": "bottom", "title": None, "columns": 2, "labelLimit": 260}
    return {
        "color": {"field": "series", "type": "nominal", "sort": None, "legend": legend},
    }


def _guides(chart):
    """Returns lines to compare with: the diagonal, and a level."""
    layers = []
    dashed = {"strokeDash": [4, 4], "clip": True}
    if chart.diagonal:
        both = [float(v) for name in ("x", "y") for v in chart.frame[name].dropna()]
        low, high = (min(both), max(both)) if both else (0.0, 1.0)
        ends = [{"x": low, "y": low}, {"x": high, "y": high}]
        encoding = {"x": _axis("x", chart.x), "y": _axis("y", chart.y)}
        layers.append(
            {
                "data": {"values": ends},
                "mark": {"type": "line", "style": "guide", **dashed},
                "encoding": encoding,
            }
        )
    if chart.level is not None:
        layers.append(
            {
                "data": {"values": [{"y": chart.level}]},
                "mark": {"type": "rule", "style": "guide", **dashed},
                "encoding": {"y": _axis("y", chart.y)},
            }
        )
    return layers


def _lines(chart, names):
    x = _axis("x", chart.x, **_scaled(chart, "x"))
    y = _axis("y", chart.y, **_scaled(chart, "y"))
    encoding = {"x": x, "y": y, **_series(names)}
    if "part" in names:
        encoding["detail"] = {"field": "part", "type": "nominal"}
    layers = _guides(chart)
    if {"lower", "upper"} <= set(names):
        layers.append(
            {
                "mark": {"type": "area", "opacity": 0.25},
                "encoding": {"x": x, "y": _axis("lower", chart.y), "y2": {"field": "upper"}},
            }
        )
    pairs = [("x", chart.x), ("y", chart.y)]
    pairs += [("series", " ")] if "series" in names else []
    layers.append({"mark": {"type": "line", "interpolate": "linear"}, "encoding": encoding})
    few = len(chart.frame) <= 60
    layers.append(
        {
            "mark": {"type": "point", "filled": True, "opacity": 0.9 if few else 0, "size": 30},
            "encoding": {**encoding, "tooltip": _tip(*pairs)},
        }
    )
    return layers


def _points(chart, names):
    encoding = {
        "x": _axis("x", chart.x, **_scaled(chart, "x")),
        "y": _axis("y", chart.y, **_scaled(chart, "y")),
        "tooltip": _tip(("x", chart.x), ("y", chart.y)),
        **_series(names),
    }
    mark = {"type": "point", "filled": True, "size": 22, "opacity": 0.45}
    return [{"mark": mark, "encoding": encoding}, *_guides(chart)]


def _bars(chart, names):
    label = {
        "field": "label", "type": "nominal", "sort": None, "title": chart.y or None,
        "axis": {"labelLimit": _LABEL},
    }  # fmt: skip
    value = _axis("value", chart.x)
    pairs = [("label", chart.y), ("value", chart.x)]
    layers = [{"mark": {"type": "bar", "height": {"band": 0.7}}, "encoding": {}}]
    if {"lower", "upper"} <= set(names):
        pairs += [("lower", "lower end"), ("upper", "upper end")]
        ends = {"y": label, "x": _axis("lower", chart.x), "x2": {"field": "upper"}}
        layers.append({"mark": {"type": "rule", "style": "interval"}, "encoding": ends})
    layers[0]["encoding"] = {"y": label, "x": value, "tooltip": _tip(*pairs), **_series(names)}
    return layers


def _bins(chart, names):
    encoding = {
        "x": _axis("start", chart.x, bin={"binned": True}, scale={"zero": False}),
        "x2": {"field": "end"},
        "y": {**_axis("count", chart.y), "stack": None},
        "tooltip": _tip(("start", "from"), ("end", "to"), ("count", chart.y)),
        **_series(names),
    }
    return [{"mark": {"type": "bar", "opacity": 0.75}, "encoding": encoding}]


def _angle(names):
    words = [str(name) for name in names.unique()]
    return 0 if max(map(len, words), default=0) * len(words) <= _LETTERS else -40


def _cells(chart, names):
    row = {
        "field": "row", "type": "nominal", "sort": None, "title": chart.y or None,
        "axis": {"labelLimit": _LABEL},
    }  # fmt: skip
    column = {
        "field": "column", "type": "nominal", "sort": None, "title": chart.x or None,
        "axis": {"labelLimit": 90, "labelAngle": _angle(chart.frame["column"]), "orient": "top"},
    }  # fmt: skip
    field = "share" if "share" in names else "value"
    pairs = [("row", chart.y), ("column", chart.x), ("value", "value")]
    shade = {
        "field": field, "type": "quantitative", "legend": None, "scale": {"scheme": "blues"},
    }  # fmt: skip
    encoding = {"y": row, "x": column}
    layers = [
        {"mark": "rect", "encoding": {**encoding, "color": shade, "tooltip": _tip(*pairs)}},
    ]
    if chart.frame["column"].nunique() <= 12:
        high = float(chart.frame[field].max()) if len(chart.frame) else 0.0
        # Dark text on light cells, light text on dark ones.
        ink = {
            "condition": {"test": f"datum['{field}'] > {0.55 * high!r}", "value": "#ffffff"},
            "value": "#111111",
        }
        whole = (chart.frame["value"] % 1 == 0).all()
        form = ",.0f" if whole else ",.3~r"
        text = {"field": "value", "type": "quantitative", "format": form}
        layers.append({"mark": "text", "encoding": {**encoding, "text": text, "color": ink}})
    return layers


def _links(chart, names):
    hidden = {"x": _axis("x", chart.x), "y": _axis("y", chart.y)}
    lines = {**hidden, "x2": {"field": "x2"}, "y2": {"field": "y2"}}
    kept = [{"filter": "isValid(datum['x2'])"}]
    whole = {"axis": {"tickMinStep": 1, "format": "d"}, "scale": {"padding": 24, "zero": False}}
    hidden = {name: {**axis, **whole} for name, axis in hidden.items()}
    lines |= hidden
    pairs = [("label", " "), ("x", chart.x), ("y", chart.y)]
    rules = {"transform": kept, "mark": {"type": "rule", "style": "guide"}, "encoding": lines}
    return [
        # Vega warns of a layer without values.
        *([rules] if chart.frame["x2"].notna().any() else []),
        {
            "mark": {"type": "point", "filled": True, "size": 180, "opacity": 1},
            "encoding": {**hidden, "tooltip": _tip(*pairs), **_series(names)},
        },
    ]


_KINDS = {
    "bars": _bars,
    "bins": _bins,
    "cells": _cells,
    "lines": _lines,
    "links": _links,
    "points": _points,
}
