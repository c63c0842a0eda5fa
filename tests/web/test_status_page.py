"""The status page: true for as long as it says, for people who want their updates, and telling nothing else."""

import json
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.browser.judging import HOSTILE
from tests.browser.stage import MIRROR, status
from tests.incidents.histories import NOW, A, History
from tidegate.incidents.incident import Incident
from tidegate.incidents.rules import RULES
from tidegate.web.advisories_report import FeedReport
from tidegate.web.days import Level, Record
from tidegate.web.report import StatusReport
from tidegate.web.settings import StatusSettings
from tidegate.web.status_files import files_of
from tidegate.web.status_page import Known, StatusPage, news, status_page
from tidegate.web.status_words import WORDS
from tidegate.web.watch_report import WatchReport, WatchState

ATOM = "{http://www.w3.org/2005/Atom}"
INTERNAL = {"not-ready", "store-full", "bit-rot", "watch-down"}
ALWAYS = Record(((0.0, NOW),), {})


def page(
    incidents: tuple[Incident, ...] = (),
    *,
    at: float = NOW,
    told: StatusReport | None = None,
    settings: StatusSettings | None = None,
    feeds: tuple[FeedReport, ...] = (),
) -> StatusPage:
    known = Known(told or status(int(at), alone=False), incidents, feeds, ALWAYS)
    return status_page(known, settings or StatusSettings(contact="the desk, 4711"), at)


def alone() -> History:
    history = History()
    history.alone()
    return history


def test_every_condition_has_words_for_people_or_is_its_operators_business() -> None:
    assert {rule.name for rule in RULES} == WORDS.keys() | INTERNAL


def test_others_pages_are_there_only_where_their_owner_says_so_and_make_nothing_worse() -> None:
    def watched(name: str, state: WatchState, public_as: str = "") -> WatchReport:
        return WatchReport(name=name, url=f"https://{name}.example/", state=state, public_as=public_as, since=int(NOW))

    watches = (
        watched("status", "down", "The vendor's <status>"),
        watched("blog", "not-asked", "Blog"),
        watched("x", "up"),
    )
    known = Known(status(int(NOW), alone=False), (), (), ALWAYS, watches)
    made = status_page(known, StatusSettings(), NOW)
    assert (made.level, made.headline) == (page().level, page().headline)
    assert news(made) != news(page())
    text = files_of(made)["index.html"].decode()
    assert "The vendor&#39;s &lt;status&gt;" in text
    assert "down since" in text
    assert "https://x.example/" not in text
    assert [one["state"] for one in json.loads(files_of(made)["status.json"])["elsewhere"]] == ["down", "not-asked"]


def test_it_says_what_is_affected_since_when_and_what_to_do() -> None:
    history = alone()
    made = page(history.incidents(later=60), at=history.now + 60)
    (one,) = made.affected
    assert made.headline == "ubuntu: nothing new comes in."
    assert (one.level, one.since) == (Level.PARTLY, NOW - 5)
    text = files_of(made)["index.html"].decode()
    assert "sudo apt-get update &amp;&amp; sudo apt-get upgrade" in text
    assert "the desk, 4711" in text


def test_it_says_when_it_was_written_and_until_when_to_believe_it() -> None:
    settings = StatusSettings(update_s=1800, update_open_s=300)
    calm = page(settings=settings)
    assert (calm.written_at, calm.next_at - calm.written_at, calm.believe_until - calm.written_at) == (NOW, 1800, 3600)
    history = alone()
    open_ = page(history.incidents(), settings=settings)
    assert (open_.next_at - open_.written_at, open_.believe_until - open_.written_at) == (300, 600)
    told = json.loads(files_of(open_)["status.json"])
    assert told["believe_until"] == open_.believe_until


def test_what_is_over_is_in_the_past_with_how_long_it_was() -> None:
    history = alone()
    history.answers(later=3600)
    made = page(history.incidents(later=60), at=history.now + 60)
    assert made.affected == ()
    assert [(one.title, one.until) for one in made.past] == [("ubuntu: nothing new comes in", NOW + 3600)]
    assert "Over: ubuntu" in files_of(made)["feed.atom"].decode()


def test_suite_that_was_never_fetched_has_no_past_that_anybody_knows() -> None:
    (_, archive) = page().components
    assert [one.name for one in archive.parts] == ["noble", "noble-updates"]
    served, waiting = ({day.level for day in one.days.all} for one in archive.parts)
    assert (served, waiting) == ({Level.WORKS}, {Level.UNKNOWN})


def test_gateway_that_says_nothing_is_not_known_and_one_that_is_gone_fails() -> None:
    silent = page(told=status(int(NOW) - 600, alone=False))
    assert silent.headline == "Not known: the gateway does not answer."
    assert {one.level for one in silent.components} == {Level.UNKNOWN}
    gone = StatusReport(at=int(NOW), ready=False, running=None, suites=status(int(NOW)).suites, sources=())
    made = page(told=gone)
    assert made.headline == "The gateway is not running."
    assert {one.level for one in made.components} == {Level.FAILS}
    nothing = status_page(Known(None, (), (), Record((), {})), StatusSettings(), NOW)
    assert nothing.level is Level.UNKNOWN


def test_nothing_of_sources_hosts_exposure_or_notes_is_on_it_unless_asked() -> None:
    history = alone()
    opened = history.incidents()[0].id
    history.source(A, "open", "violation")
    history.note("incident-note", opened, by="me", text="host db-7 is hit")
    history.note(
        *("claim", opened), claim="C1", said_by="a group", url="", said_at="", text="it was us", attributes_to="them",
        confidence=5, status="pending", by="me",
    )  # fmt: skip
    files = files_of(page(history.incidents(), told=status(int(NOW))))
    secrets = ("mirror-a", MIRROR, "db-7", "it was us", "10 hosts", "127.0.0.1", "operator")
    assert [word for word in secrets for data in files.values() if word in data.decode()] == []
    asked = files_of(page(history.incidents(), settings=StatusSettings(notes=True)))["index.html"].decode()
    assert "db-7" in asked
    assert "None of this is known to be true" in asked
    assert "mirror-a" not in asked


def test_drill_is_not_told_to_people_as_if_it_were_real() -> None:
    history = History()
    history.alone(drill="canonical")
    made = page(history.incidents())
    assert (made.affected, made.past) == ((), ())
    assert made.level is not Level.PARTLY
    known = Known(status(int(NOW), alone=False), history.incidents(), (), ALWAYS)
    rehearsed = status_page(known, StatusSettings(), NOW, drill="canonical")
    assert [one.title for one in rehearsed.affected] == ["ubuntu: nothing new comes in"]
    files = files_of(rehearsed)
    assert "This is a drill (canonical)" in files["index.html"].decode()
    assert "DRILL: " in files["feed.atom"].decode()
    assert json.loads(files["status.json"])["drill"] == "canonical"


def test_time_that_passes_is_no_news_and_another_word_is() -> None:
    history = alone()
    first = page(history.incidents())
    history.served(100, 1)
    assert news(page(history.incidents(later=50), at=history.now + 50)) == news(first)
    history.answers()
    assert news(page(history.incidents())) != news(first)


def test_feeds_are_what_readers_of_feeds_expect() -> None:
    history = alone()
    settings = StatusSettings(title=f"Updates {HOSTILE}", url="https://status.example/")
    files = files_of(page(history.incidents(), settings=settings))
    feed = ET.fromstring(files["feed.atom"].decode())
    assert feed.tag == f"{ATOM}feed"
    for one in (feed, *feed.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            found = one.find(f"{ATOM}{name}")
            assert found is not None
            assert found.text
    entry = feed.find(f"{ATOM}entry")
    assert entry is not None
    link = entry.find(f"{ATOM}link")
    assert link is not None
    assert link.get("href", "").startswith("https://status.example/#")
    told = json.loads(files["feed.json"])
    assert told["version"] == "https://jsonfeed.org/version/1.1"
    (item,) = told["items"]
    assert item["id"] == entry.findtext(f"{ATOM}id")
    assert "apt-get" in item["content_text"]


def test_page_has_no_script_and_is_one_file(tmp_path: Path) -> None:
    text = files_of(page(settings=StatusSettings(title=HOSTILE, contact=HOSTILE)))["index.html"].decode()
    assert "<script" not in text
    assert "src=x" not in text.replace("&lt;img src=x", "")
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text


@pytest.mark.parametrize("long", [100])
def test_it_stays_small_and_quick_with_many_incidents(long: int) -> None:
    history = History()
    for _ in range(long):
        history.alone(later=4000)
        history.answers(later=100)
    begun = time.perf_counter()
    data = files_of(page(history.incidents(), at=history.now))["index.html"]
    assert len(data) < 500_000
    assert time.perf_counter() - begun < 5
