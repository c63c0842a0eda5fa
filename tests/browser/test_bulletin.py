"""The bulletin board in a real browser: with what feeds really say, and with what a hostile one would."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import Page
from tests.browser.judging import HOSTILE, inert, objections, violations
from tests.web.bulletin import Bulletin, held
from tests.web.test_advisory_pages import hostile
from tidegate.web.asking import ExposedHost

LOOKS: dict[str, dict[str, Any]] = {"desk": {"width": 1200}, "phone": {"width": 360, "height": 700, "dark": True}}


@pytest.fixture(scope="module")
def bulletin() -> Iterator[Bulletin]:
    with Bulletin(held()) as made:
        yield made


@pytest.fixture(scope="module")
def spoiled() -> Iterator[Bulletin]:
    with Bulletin(hostile(HOSTILE)) as made:
        made.hosts = [ExposedHost(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)]
        yield made


@pytest.mark.parametrize("how", LOOKS)
@pytest.mark.parametrize("path", ["/advisories", "/advisories?kind=cve&q=linux", "/advisories/CVE-2026-35352"])
def test_nothing_is_wrong_with_what_feeds_say(tab: Page, bulletin: Bulletin, path: str, how: str) -> None:
    tab.look(**LOOKS[how])
    tab.open(bulletin.url + path)
    assert objections(tab, f"127.0.0.1:{bulletin.port}") == []
    assert violations(tab) == []


@pytest.mark.parametrize("path", ["/advisories", "/advisories?kind=cve", "/advisories/CVE-2026-0001"])
def test_what_a_hostile_feed_says_does_nothing(tab: Page, spoiled: Bulletin, path: str) -> None:
    tab.look(width=360, height=700)
    tab.open(spoiled.url + path)
    assert objections(tab, f"127.0.0.1:{spoiled.port}") == []
    assert inert(tab) == []
    assert "onerror" in tab.run("document.body.innerText")
