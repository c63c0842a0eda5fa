"""The status page in a real browser, opened as the file that it is: whatever is in it, it runs and asks for nothing."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import Page
from tests.browser.judging import HOSTILE, inert, violations
from tests.browser.stage import status
from tests.incidents.histories import NOW, History
from tidegate.web.days import Record
from tidegate.web.settings import StatusSettings
from tidegate.web.status_files import files_of
from tidegate.web.status_page import Known, status_page
from tidegate.wiring.status_page import write

LOOKS: dict[str, dict[str, Any]] = {
    "desk": {"width": 1200},
    "dark": {"width": 1200, "dark": True},
    "phone": {"width": 360, "height": 700},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on which much is affected, with hostile words wherever somebody else's can stand."""
    history = History()
    history.alone(archive=f"ubuntu{HOSTILE}")
    history.answers(archive=f"ubuntu{HOSTILE}", later=60)
    history.alone(archive=f"ubuntu{HOSTILE}", later=3 * 86_400)
    opened = history.incidents()[-1].id
    history.note("incident-note", opened, by=HOSTILE, text=f"we know {HOSTILE}")
    history.note(
        *("claim", opened), claim="C1", said_by=f"a group{HOSTILE}", url=HOSTILE, said_at=HOSTILE, text=HOSTILE,
        attributes_to=HOSTILE, confidence=5, status="pending", by=HOSTILE,
    )  # fmt: skip
    settings = StatusSettings(title=f"Updates{HOSTILE}", contact=f"ask{HOSTILE}", url="https://x.example/", notes=True)
    told = status(int(history.now), words=HOSTILE)
    known = Known(told, history.incidents(), (), Record(((NOW, history.now),), {}))
    directory = tmp_path_factory.mktemp("status")
    write(files_of(status_page(known, settings, history.now)), directory)
    return directory


@pytest.mark.parametrize("how", LOOKS)
def test_nothing_is_wrong_with_it_however_it_is_looked_at(tab: Page, written: Path, how: str) -> None:
    tab.look(**LOOKS[how])
    index = (written / "index.html").as_uri()
    tab.open(index)
    assert tab.seen.requests == [index]
    assert tab.seen.dialogs == []
    assert tab.seen.console == []
    assert not tab.run("document.documentElement.scrollWidth > window.innerWidth")
    assert inert(tab) == ["style"]  # ours, whose digest the policy has
    assert tab.run("document.styleSheets.length") == 1
    assert violations(tab) == []
    text = tab.run("document.body.innerText")
    assert "we know" in text
    assert "1337" not in text


def test_what_is_written_in_by_hand_does_not_run(tab: Page, written: Path) -> None:
    """The policy, and not only the escaping: what a mistake would let through does nothing."""
    path = written / "spoiled.html"
    spoiled = (written / "index.html").read_text()
    path.write_text(spoiled.replace("</main>", "<script>alert(1)</script><img src=x onerror=alert(2)></main>"))
    tab.look()
    tab.open(path.as_uri())
    assert tab.seen.dialogs == []
    assert any("Content Security Policy" in text for text in tab.seen.console)


def test_numbers_are_those_of_the_incident(tab: Page, written: Path) -> None:
    begun = time.gmtime(NOW + 60 + 3 * 86_400 - 5)
    tab.look()
    tab.open((written / "index.html").as_uri())
    assert time.strftime("%Y-%m-%d %H:%M", begun) in tab.run("document.querySelector('article').innerText")
