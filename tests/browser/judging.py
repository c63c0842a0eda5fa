"""What every page has to be, whoever wrote what it shows."""

import importlib.resources
import json
from functools import cache
from urllib.parse import urlsplit

from tests.browser.chromium import Page

HOSTILE = (
    "</title></p></style><script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)> {{ 7*191 }}"
)
SERIOUS = ("serious", "critical")


@cache
def _axe() -> str:
    return importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text()


def violations(page: Page) -> list[str]:
    """What axe-core finds that keeps somebody from using a page."""
    page.run(_axe() + ";true")
    found = json.loads(page.run("axe.run().then((told) => JSON.stringify(told.violations))"))
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found
        if one["impact"] in SERIOUS
    ]


def objections(page: Page, host: str) -> list[str]:
    """What is wrong with a page that was opened from `host`."""
    seen = page.seen
    told = [f"console: {text}" for text in seen.console] + [f"dialog: {text}" for text in seen.dialogs]
    told += [f"asks elsewhere: {url}" for url in seen.requests if urlsplit(url).netloc != host]
    if page.run("document.documentElement.scrollWidth > window.innerWidth"):
        told.append("it is wider than the window")
    return told


def inert(page: Page) -> list[str]:
    """What of hostile words became markup."""
    return [
        selector
        for selector in ("img", "iframe", "script:not([src])", "svg[onload]", "[onerror]", "style")
        if page.run(f"document.querySelectorAll({json.dumps(selector)}).length")
    ]
