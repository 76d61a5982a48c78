"""The libraries that draw charts, imported when they are first needed."""

import functools
import json
from typing import Any

# Wide enough for all labels, narrow enough for half a screen.
_STILL_WIDTH = 640


def _drawing() -> Any:
    """Returns the module that draws Vega-Lite without a browser.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise ImportError(
            "Charts of a report need altair and vl-convert-python. Install them: "
            "pip install 'adaptive-nets[report]'. A path that ends in .json needs neither."
        ) from error
    return vl_convert


def templates() -> Any:
    """Returns the `jinja2` environment of the page, which escapes all that it is given.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise ImportError(
            "A report as a page needs altair, with which jinja2 comes. Install it: "
            "pip install 'adaptive-nets[report]'. A path that ends in .json does without."
        ) from error
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)


def check_installed() -> None:
    """Checks, before work, that a page can be made.

    Raises:
        ImportError: It cannot.
    """
    _drawing()
    templates()


@functools.cache
def bundle(script: str) -> str:
    """Returns Vega and what draws with it as one script for a page.

    Args:
        script: What draws, which finds Vega under the name `vegaEmbed`.
    """
    # Within a page, what looks like the end of a script would end it.
    return _drawing().javascript_bundle(script).replace("</script", "<\\/script")


def still(specification: dict[str, Any], settings: dict[str, Any], form: str = "svg") -> Any:
    """Returns a chart as a picture: SVG as text, PNG as bytes.

    Args:
        specification: The Vega-Lite specification.
        settings: Its colors and fonts.
        form: `"svg"` or `"png"`. Defaults to `"svg"`.
    """
    sized = {**specification, "width": _STILL_WIDTH, "config": settings}
    text = json.dumps(sized)
    if form == "png":
        return _drawing().vegalite_to_png(text, scale=1.5)
    return _drawing().vegalite_to_svg(text)
