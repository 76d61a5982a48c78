"""Opens pages of reports in headless Chromium and says what is wrong with them.

    python tests/report/browser.py PAGE.html [...] [--axe axe.min.js] [--pictures FOLDER]

It needs playwright and Chromium. It looks for errors in the console, for requests, for figures that
are not drawn, in light and dark, for tables that do not sort, for a page that is wider than a
phone, for files of more than 3 MB, and, with the file of axe-core, for serious faults of
accessibility.
"""

import argparse
import importlib
import pathlib
import shutil
import sys

SIZES = ((1300, "light"), (390, "light"), (390, "dark"), (1300, "dark"))
MOST_BYTES = 3_000_000
# Milliseconds; a busy machine draws slowly.
_PATIENCE = 300_000

_EMPTY = """() => [...document.querySelectorAll("[data-chart]")]
    .filter(e => !e.querySelector("svg path, svg rect, svg line")).map(e => e.dataset.chart)"""
_SORT = """([number, column]) => {
    const table = document.querySelectorAll("main section > .scroll table")[number];
    const button = table.querySelectorAll("th button")[column];
    const read = row => {
      const cell = row.cells[column];
      return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
    };
    return [button.closest("th").getAttribute("aria-sort"), [...table.tBodies[0].rows].map(read)];
}"""


def chromium() -> str | None:
    """Returns the path of a Chromium on this machine, or `None`."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def faults_of(
    page: pathlib.Path, axe: str | None = None, pictures: pathlib.Path | None = None
) -> list[str]:
    """Returns what is wrong with a page.

    Args:
        page: The HTML file.
        axe: The source of axe-core. Defaults to `None`.
        pictures: Folder for pictures of the page. Defaults to `None`.
    """
    # It is not among what the tests install.
    sync_playwright = importlib.import_module("playwright.sync_api").sync_playwright

    found = []
    if page.stat().st_size > MOST_BYTES:
        found.append(f"{page.name} has {page.stat().st_size:,} bytes")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for width, mode in SIZES:
            where = f"{page.name} at {width} pixels, {mode}"
            # The page forbids foreign scripts, such as axe is one.
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=mode, bypass_csp=False
            )
            tab, messages = context.new_page(), []
            tab.on("console", lambda m, kept=messages: kept.append(f"console: {m.text[:300]}"))
            tab.on("pageerror", lambda e, kept=messages: kept.append(f"error: {str(e)[:300]}"))
            tab.on("request", lambda r, kept=messages: kept.append(f"request: {r.url[:120]}"))
            tab.goto(page.resolve().as_uri(), timeout=_PATIENCE)
            messages[:] = [m for m in messages if not m.startswith("request: file:")]
            found += [f"{where}: {fault}" for fault in (*_look(tab, width, axe), *messages)]
            if pictures is not None:
                tab.screenshot(path=pictures / f"{page.stem}-{width}-{mode}.png", full_page=True)
            context.close()
        browser.close()
    return found


def _look(tab, width, axe):
    figures = tab.locator("[data-chart]")
    try:
        tab.wait_for_function(
            "() => !document.querySelector('[data-chart]:not([data-drawn])')", timeout=_PATIENCE
        )
    except Exception as error:
        yield f"figures are not drawn: {str(error)[:200]}"
    if not figures.count():
        yield "there are no figures"
    if names := tab.evaluate(_EMPTY):
        yield f"figures are empty: {names}"
    yield from _unsorted(tab)
    wide = tab.evaluate("() => document.documentElement.scrollWidth")
    if wide > width:
        yield f"the page is {wide} pixels wide"
    if axe is not None:
        tab.evaluate(axe)
        for each in tab.evaluate("async () => (await axe.run(document)).violations"):
            if each["impact"] in ("serious", "critical"):
                yield f"axe: {each['id']}: {each['help']} {each['nodes'][0]['html'][:150]}"


def _unsorted(tab):
    """Sorts the first columns of the first tables by the keyboard."""
    tables = tab.locator("main section > .scroll table")
    for number in range(min(tables.count(), 3)):
        for column in (0, 1):
            for wanted in ("ascending", "descending"):
                tables.nth(number).locator("th button").nth(column).focus()
                tab.keyboard.press("Enter")
                said, values = tab.evaluate(_SORT, [number, column])
                numbers = [v for v in values if isinstance(v, int | float)]
                if said != wanted or numbers != sorted(numbers, reverse=wanted == "descending"):
                    yield f"table {number} is not sorted {wanted} by column {column}"


def main() -> int:
    """Checks the pages that the command line names; returns 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--axe", type=pathlib.Path)
    parser.add_argument("--pictures", type=pathlib.Path)
    given = parser.parse_args()
    if given.pictures is not None:
        given.pictures.mkdir(parents=True, exist_ok=True)
    axe = None if given.axe is None else given.axe.read_text(encoding="utf-8")
    faults = [fault for page in given.pages for fault in faults_of(page, axe, given.pictures)]
    print("\n".join(faults) or "Nothing is wrong.")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
