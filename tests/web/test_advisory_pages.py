"""The bulletin board: readable by anybody, from what is held alone, and inert whatever a feed says."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.advisories.samples import NOON, provenance
from tests.web.bulletin import Bulletin, held
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.advisories.statement import Kind, Parsed, Place, Record, Severity, Statement, Status
from tidegate.answers import board
from tidegate.answers.age import DAY_S
from tidegate.web.asking import ExposedHost
from tidegate.web.pages import Frame, paragraphs, render

HOSTILE = '</title></p><script>alert(1)</script><img src=x onerror=alert(1)>" {{ 7*191 }} {% raw %} \u202e\x1b[2J'
ALLOWED = {
    "html", "head", "meta", "title", "link", "body", "a", "header", "p", "span", "nav", "ul", "li", "main", "strong",
    "h1", "h2", "h3", "dl", "dt", "dd", "code", "pre", "section", "details", "summary", "div", "table", "thead", "tr",
    "th", "tbody", "td", "br", "footer", "form", "label", "input", "select", "option", "button", "time",
}  # fmt: skip


class Page(HTMLParser):
    """A page's tags, links and text, as a browser finds them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def all_held() -> Iterator[Bulletin]:
    with Bulletin(held()) as made:
        yield made


@pytest.fixture
def bulletin(all_held: Bulletin) -> Iterator[Bulletin]:
    clock = all_held.clock
    yield all_held
    all_held.clock, all_held.hosts = clock, None


def opened(bulletin: Bulletin, path: str, status: int = 200) -> Page:
    answer = bulletin.get(path)
    assert answer.status == status, answer.body
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    page = Page(answer.body.decode())
    assert page.tags <= ALLOWED
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}
    return page


def hostile(text: str) -> MemoryHistory:
    """A history in which every free field says it."""
    history = MemoryHistory()
    everything = {
        "title": text, "description": text, "severities": (Severity("Ubuntu", text), Severity("CVSS_V3", text)),
        "references": (text, "javascript:alert(1)", "data:text/html,x", "https://x.example/" + text, "http://[x"),
    }  # fmt: skip
    facts = tuple((name, text) for name in ("Mitigation", "Notes", "Instructions", "Due", "Action", "Vendor"))
    place = Place("ubuntu", "noble")
    said = Statement("CVE-2026-0001", "bash", place, Status.NEEDED, urgency=text, note=text)
    records = {
        "ubuntu-tracker": Parsed(
            Record("CVE-2026-0001", Kind.CVE, "CVE-2026-0001", cves=("CVE-2026-0001",), facts=facts, **everything),  # type: ignore[arg-type]  # of several types
            (said,),
        ),
        "ubuntu-notices": Parsed(
            Record("USN-1-1", Kind.NOTICE, "USN-1-1", cves=("CVE-2026-0001",), facts=facts, **everything),  # type: ignore[arg-type]  # of several types
            (),
        ),
        "kev": Parsed(
            Record("CVE-2026-0001", Kind.EXPLOITED, "CVE-2026-0001", text, cves=("CVE-2026-0001",), facts=facts), ()
        ),
    }
    for feed, parsed in records.items():
        with history.importing(provenance(feed), reader=1) as session:
            session.put(parsed, b"{}", sha256(feed.encode()).digest())
            session.close((), read=[parsed.record.id], whole=True)
    return history


def test_a_cve_is_told_with_what_to_do_and_where_it_is_from(bulletin: Bulletin) -> None:
    page = opened(bulletin, "/advisories/CVE-2026-35352")
    assert "Ubuntu 26.04 (resolute)" in page.text
    assert "rust-coreutils" in page.text
    assert (
        "dpkg-query -W -f '${source:Package} ${binary:Package} ${Version}\\n' | grep -E '^rust-coreutils '" in page.text
    )
    assert "none was published, so no outage keeps it from you" in page.text
    assert "/osv/v1/vulns/UBUNTU-CVE-2026-35352" in page.links
    assert "Our hosts" not in page.text


def test_a_notice_is_told_with_the_lines_that_bring_its_fix(bulletin: Bulletin) -> None:
    page = opened(bulletin, "/advisories/usn-5614-1")
    assert "wayland vulnerability" in page.text
    assert "apt-get update\napt-get install --only-upgrade $(dpkg-query" in page.text
    assert "1.18.0-1ubuntu0.1" in page.text


def test_the_lines_are_right_for_the_shell_of_a_host(bulletin: Bulletin) -> None:
    found = board.page(bulletin.history, "USN-5614-1")
    assert found is not None
    for line in (found.advice.look, *found.advice.update):
        assert subprocess.run(["bash", "-n", "-c", line], check=False).returncode == 0
    shown = subprocess.run(
        ["bash", "-c", found.advice.look.replace("wayland", "glibc")], capture_output=True, text=True, check=True
    )
    assert all(line.startswith("glibc ") for line in shown.stdout.splitlines())
    assert "libc6" in shown.stdout


def test_what_is_not_on_a_list_that_is_not_held_is_not_known() -> None:
    with Bulletin(held("ubuntu-osv")) as bulletin:
        assert "CISA's list is not held here" in opened(bulletin, "/advisories/CVE-2026-35352").text
    with Bulletin(held("ubuntu-osv", "kev")) as bulletin:
        assert "not by CISA's list of 2026-05-01" in opened(bulletin, "/advisories/CVE-2026-35352").text


def test_our_hosts_are_told_only_where_the_view_tells_them(bulletin: Bulletin) -> None:
    bulletin.hosts = [ExposedHost("web-1.example", "rust-coreutils", "0.5", "no-fix", "a fix is needed")]
    assert "web-1.example" in opened(bulletin, "/advisories/CVE-2026-35352").text
    assert "web-1.example" not in opened(bulletin, f"/advisories/CVE-2026-35352?as_of={NOON}").text
    bulletin.hosts = []
    assert "No host that reports here is open to it." in opened(bulletin, "/advisories/CVE-2026-35352").text
    bulletin.clock = NOON + 90 * DAY_S
    assert "Whether any host has it is not known" in opened(bulletin, "/advisories/CVE-2026-35352").text


def test_lists_are_searched_and_leafed_through(bulletin: Bulletin) -> None:
    page = opened(bulletin, "/advisories?kind=cve")
    assert "/advisories/CVE-2026-35352" in page.links
    assert "/advisories/USN-8226-1" in opened(bulletin, "/advisories?q=kmod").links
    assert "/advisories/CVE-2020-0009" in opened(bulletin, "/advisories?q=linux-oem&kind=cve").links
    assert "Nothing found among what is held here." in opened(bulletin, "/advisories?q=nothing+like+it").text
    for number in ("0", "999999999999", "x", "9" * 200):
        opened(bulletin, f"/advisories?page={number}")


def test_a_name_that_is_searched_for_leads_to_its_page(bulletin: Bulletin) -> None:
    answer = bulletin.get(f"/advisories?q=cve-2026-35352&as_of={NOON}")
    assert (answer.status, answer.headers["location"]) == (303, f"/advisories/CVE-2026-35352?as_of={NOON}")


def test_what_there_is_not_is_said_without_calling_it_safe(bulletin: Bulletin) -> None:
    page = opened(bulletin, "/advisories/CVE-2000-0001", 404)
    assert "That does not mean that there is no such thing." in page.text


def test_old_data_are_said_to_be_old_on_every_page_and_nothing_is_called_clean(bulletin: Bulletin) -> None:
    bulletin.clock = NOON + 21 * 30 * DAY_S
    for path, status in (
        ("/advisories", 200),
        ("/advisories?q=nothing+like+it", 200),
        ("/advisories/CVE-2026-35352", 200),
        ("/advisories/USN-5614-1", 200),
        ("/advisories/CVE-2000-0001", 404),
    ):
        page = opened(bulletin, path, status)
        assert "UNKNOWN since" in page.text
        assert "21 months old" in page.text
    assert "That does not mean that there is nothing" in opened(bulletin, "/advisories?q=nothing+like+it").text


def test_a_page_of_the_past_says_so_and_its_links_stay_there(bulletin: Bulletin) -> None:
    page = opened(bulletin, f"/advisories?as_of={NOON + 5}")
    assert "This page shows what was known at 2026-05-01 12:00:05 UTC" in page.text
    assert f"/advisories/USN-8226-1?as_of={NOON + 5}" in page.links
    opened(bulletin, f"/advisories/USN-8226-1?as_of={NOON - 5}", 404)


def test_whatever_a_feed_says_is_text_and_no_more() -> None:
    with Bulletin(hostile(HOSTILE)) as bulletin:
        bulletin.hosts = [ExposedHost(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)]
        for path in ("/advisories/CVE-2026-0001", "/advisories/USN-1-1", "/advisories", "/advisories?kind=cve"):
            page = opened(bulletin, path)
            assert "<script>alert(1)</script>" in page.text
            assert "1337" not in page.text
            assert all(link.startswith(("/", "https://x.example/", "#")) for link in page.links)
        opened(bulletin, "/advisories?q=%3Cscript%3E&kind=%22%3E&as_of=")
        opened(bulletin, "/advisories/%3Cscript%3Ealert(1)%3C", 404)


@given(st.text(max_size=200))
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_text_becomes_markup(text: str) -> None:
    found = board.page(hostile(text), "CVE-2026-0001")
    assert found is not None
    page = Page(render("advisory.html", Frame(), board=found, hosts=None, tail=""))
    assert page.tags <= ALLOWED


def test_texts_broken_for_a_terminal_flow_and_lists_stay() -> None:
    assert paragraphs("a\nb\n\n  c\n- d\n- e\n\n\n") == ["a b", "c\n- d\n- e"]


def test_the_stylesheet_is_the_only_thing_a_page_loads(bulletin: Bulletin) -> None:
    answer = bulletin.get("/style.css")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert b"url(" not in answer.body
    assert b"prefers-color-scheme: dark" in answer.body


def test_lists_come_from_the_index_and_read_no_record(tmp_path: Path) -> None:
    with closing(SqliteHistory(tmp_path / "advisories.db")) as history:
        with history.importing(provenance("ubuntu-tracker"), reader=1) as session:
            for number in range(3000):
                name = f"CVE-2026-{number:05}"
                record = Record(name, Kind.CVE, name, description=f"flaw {number}", published=number, cves=(name,))
                session.put(Parsed(record, ()), b"", sha256(name.encode()).digest())
            session.close((), read=[], whole=True)
        read: list[str] = []
        history._read._connection.set_trace_callback(read.append)
        with Bulletin(history) as bulletin:
            page = opened(bulletin, "/advisories?kind=cve&q=flaw")
        assert "3,000 CVEs, 1 to 25 here" in page.text
        assert sum("t.head" in statement for statement in read) <= 30
