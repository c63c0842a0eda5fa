"""Pages asked for real, on loopback: what counts as down, what becomes of the copy, and who is not asked at all."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from warcio.archiveiterator import ArchiveIterator

from tests.watch.site import PAGE, WORDS, Site
from tidegate.sources.client import Client
from tidegate.sources.settings import FetchSettings
from tidegate.store.journal import Value
from tidegate.store.journal_kinds import objection
from tidegate.watch import warc
from tidegate.watch.asking import Asker, NotYet
from tidegate.watch.folder import Kept, RobotsFolder, WatchFolder
from tidegate.watch.settings import COPY_BYTES_MAX, CopiesSettings, WatchSettings
from tidegate.watch.standing import State
from tidegate.watch.watch import watches_of
from tidegate.watch.watching import Watching

DAY_S = 86_400.0


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


class Place:
    """Watches of one state, with a clock that is set by hand."""

    def __init__(self, root: Path, *settings: WatchSettings, limits: CopiesSettings | None = None) -> None:
        self.now = 1_777_636_800.0
        self.root = root
        self.settings = settings
        self.limits = limits or CopiesSettings()
        self.offline = False
        self.events: list[tuple[str, str, dict[str, Value]]] = []

    def note(self, kind: str, subject: str, **data: Value) -> None:
        assert objection(kind, data) is None
        self.events.append((kind, subject, data))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.events]

    @asynccontextmanager
    async def begun(self) -> AsyncIterator[Watching]:
        """As after a start."""
        client = Client(FetchSettings(first_byte_timeout_s=5.0))
        robots = RobotsFolder(self.root, pytest.fail)
        asker = Asker(client, robots, redirects_max=3, now=lambda: self.now)
        watches, notes = watches_of(self.settings)
        assert notes == ()
        folder = WatchFolder(self.root)
        try:
            yield Watching(
                watches, self.limits, asker, folder, self.note, lambda: 1 << 40, offline=self.offline,
                now=lambda: self.now,
            )  # fmt: skip
        finally:
            client.close()

    def look(self, *, times: int = 1, name: str = "page") -> Kept:
        """Ask, so many times, ten minutes apart."""

        async def run() -> Kept:
            async with self.begun() as watching:
                for _ in range(times):
                    self.now += 600
                    assert await watching.check(name) is None
                return watching.kept[name]

        return asyncio.run(run())

    def copy(self, *, before: bool = False) -> warc.CopiedPage:
        return warc.read(WatchFolder(self.root).copy_path("page", before=before), COPY_BYTES_MAX)


def page(site: Site, **more: Any) -> WatchSettings:
    return replace(
        WatchSettings(name="page", url=f"{site.url}/status", contains=WORDS, timeout_s=2.0, down_after=1, up_after=1),
        **more,
    )


@pytest.fixture
def place(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("tidegate.watch.asking.GAP_S", 0.0)  # each test asks several times
    return Place(tmp_path / "watch", page(site))


def test_a_page_goes_down_is_read_here_meanwhile_and_comes_back(site: Site, place: Place) -> None:
    assert place.look().standing.state is State.UP
    assert place.copy().body == PAGE
    site.mode = "error"
    kept = place.look()
    assert (kept.standing.state, kept.standing.reason) == (State.DOWN, "answered 503")
    assert kept.standing.not_before == place.now + 600  # its Retry-After
    assert place.copy().body == PAGE
    assert place.events == [
        (
            "watch-down",
            "page",
            {
                "url": f"{site.url}/status",
                "archive": "",
                "reason": "answered 503",
                "since": place.now,
                "incident": False,
            },
        )
    ]
    begun = place.now
    site.mode = "up"
    assert place.look().standing.state is State.UP
    kind, _, data = place.events[-1]
    assert (kind, data["since"], data["down_s"]) == ("watch-up", place.now, place.now - begun)
    assert all("tidegate/" in agent for agent in site.agents)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("portal", "does not contain"),
        ("torn", "ends its answers early"),
        ("slow", "no whole answer within 2 s"),
        ("circle", "redirects more than 3 times"),
        ("error", "answered 503"),
    ],
)
def test_what_is_not_the_page_is_down_and_never_becomes_the_copy(site: Site, place: Place, mode: str, why: str) -> None:
    place.look()
    site.mode = mode
    kept = place.look()
    assert kept.standing.state is State.DOWN
    assert why in kept.standing.reason
    assert place.copy().body == PAGE


def test_a_page_without_an_end_is_up_by_what_came_and_its_copy_stays_what_it_was(site: Site, place: Place) -> None:
    place.settings = (page(site, copy_bytes_max=100_000),)
    place.look()
    site.mode = "huge"
    kept = place.look()
    assert kept.standing.state is State.UP
    assert "copy_bytes_max" in kept.not_kept
    assert place.copy().body == PAGE


def test_a_page_that_is_packed_unasked_is_unpacked_within_bounds(site: Site, place: Place) -> None:
    site.mode = "packed"
    assert place.look().standing.state is State.UP
    assert place.copy().body == PAGE
    site.page = b"x" * 50_000_000 + PAGE
    kept = place.look()
    assert "does not contain" in kept.standing.reason
    assert place.copy().body == PAGE


def test_a_host_that_nobody_answers_for_is_down(site: Site, place: Place) -> None:
    place.look()
    site.leave()
    kept = place.look()
    assert kept.standing.state is State.DOWN
    assert "cannot be reached" in kept.standing.reason


# robots.txt


def test_a_page_that_robots_may_not_have_is_not_asked_for_and_says_so(site: Site, place: Place) -> None:
    site.robots = b"User-agent: tidegate\nDisallow: /status\n"
    kept = place.look(times=2)
    assert (kept.standing.state, kept.copy) == (State.NOT_ASKED, None)
    assert "robots.txt forbids /status" in kept.standing.reason
    assert site.asked == {"/robots.txt": 1}
    assert place.kinds == ["watch-not-asked"]
    site.robots = None
    place.now += DAY_S
    assert place.look().standing.state is State.UP
    assert place.kinds == ["watch-not-asked", "watch-up"]


def test_what_robots_txt_said_holds_while_it_is_out_of_reach_over_a_restart_too(site: Site, place: Place) -> None:
    site.robots = b"User-agent: *\nDisallow: /secret\n"
    place.look()
    place.now += DAY_S
    site.robots_status = 503
    assert place.look().standing.state is State.UP
    place.settings = (page(site, url=f"{site.url}/secret"),)
    assert place.look().standing.state is State.NOT_ASKED
    assert site.asked["/secret"] == 0


def test_where_robots_txt_was_never_heard_nobody_asks(site: Site, place: Place) -> None:
    site.robots, site.robots_status = b"", 500
    kept = place.look()
    assert kept.standing.state is State.NOT_ASKED
    assert "2.3.1.4" in kept.standing.reason
    assert site.asked["/status"] == 0


def test_a_redirect_leads_to_no_page_that_robots_may_not_have(site: Site, place: Place) -> None:
    site.mode = "moved"
    assert place.look().copy is not None
    copy = place.copy()
    assert (copy.asked, copy.url) == (f"{site.url}/status", f"{site.url}/new")
    site.robots = b"User-agent: *\nDisallow: /new\n"
    place.now += DAY_S
    kept = place.look()
    assert kept.standing.state is State.NOT_ASKED
    assert kept.standing.reason.startswith(f"redirects to {site.url}/new: ")
    assert site.asked["/new"] == 1


def test_pauses_that_a_host_wishes_for_are_made(site: Site, place: Place) -> None:
    site.robots = b"User-agent: *\nCrawl-delay: 0.5\n"
    place.look(times=2)
    gaps = [later - earlier for earlier, later in zip(site.asked_at, site.asked_at[1:], strict=False)]
    assert min(gaps) >= 0.45

    async def impatient() -> NotYet | None:
        site.robots = b"User-agent: *\nCrawl-delay: 3600\n"
        place.now += DAY_S
        async with place.begun() as watching:
            pause = await watching.check("page")
        async with place.begun() as watching:  # a restart does not forget it
            asked_at, due_at = watching.kept["page"].standing.asked_at, watching.next_at("page")
            assert asked_at is not None
            assert due_at is not None
            assert due_at >= asked_at + 3_600
        return pause

    asked = site.asked["/status"]
    pause = asyncio.run(impatient())
    assert pause is not None
    assert pause.wait_s > 3_000
    assert site.asked["/status"] == asked


def test_offline_nobody_is_asked(site: Site, place: Place) -> None:
    place.offline = True
    kept = place.look()
    assert (kept.standing.state, kept.standing.reason) == (State.NOT_ASKED, "this gateway is offline")
    assert site.asked == {}


# Copies


def test_a_copy_is_warc_that_others_read_with_digests_that_fit(site: Site, place: Place) -> None:
    site.mode = "chunked"
    place.look()
    path = WatchFolder(place.root).copy_path("page")
    told = []
    with path.open("rb") as file:
        iterator = ArchiveIterator(file, check_digests=True)
        for record in iterator:
            body = record.content_stream().read()
            iterator.read_to_end()
            assert record.digest_checker.passed is not False
            told.append((record.rec_type, record.rec_headers.get_header("WARC-Target-URI")))
            if record.rec_type == "response":
                assert body == PAGE
                assert record.http_headers.get_header("Content-Length") == str(len(PAGE))
                assert record.http_headers.get_header("Content-Type") == "text/html; charset=utf-8"
                assert record.rec_headers.get_header("WARC-Payload-Digest").startswith("sha1:")
            if record.rec_type == "request":
                assert "tidegate/" in record.http_headers.get_header("User-Agent")
            if record.rec_type == "metadata":
                assert f"check-contains: {WORDS}\r\n".encode() in body
    url = f"{site.url}/status"
    assert told == [("warcinfo", None), ("response", url), ("request", url), ("metadata", url)]
    assert gzip.decompress(path.read_bytes()).startswith(b"WARC/1.1\r\n")


def test_a_byte_that_changed_on_the_disk_is_noticed(site: Site, place: Place) -> None:
    place.look()
    path = WatchFolder(place.root).copy_path("page")
    whole = path.read_bytes()
    noticed = 0
    for at in range(0, len(whole), 29):
        spoiled = bytearray(whole)
        spoiled[at] ^= 0x10
        path.write_bytes(spoiled)
        try:
            assert place.copy().body == PAGE  # what changed was about the copy, as gzip's own clock
        except warc.BadCopyError:
            noticed += 1
    assert noticed > len(whole) // 29 * 0.8


def test_the_same_page_is_kept_once_and_one_of_yesterday_beside_one_that_changes(site: Site, place: Place) -> None:
    first = place.look().copy
    assert place.look().copy == first
    bodies = []
    for number in range(4):
        site.page = PAGE + b"%d" % number
        bodies.append(site.page)
        place.look()
    assert (place.copy().body, place.copy(before=True).body) == (bodies[-1], PAGE)
    place.now += 2 * DAY_S
    site.page = PAGE + b"later"
    place.look()
    assert (place.copy().body, place.copy(before=True).body) == (site.page, bodies[-1])


def test_copies_have_their_bounds_in_bytes_in_age_and_in_what_is_asked_for(site: Site, place: Place) -> None:
    place.limits = CopiesSettings(bytes_max=1_000)
    kept = place.look()
    assert (kept.standing.state, kept.copy) == (State.UP, None)
    assert "copies.bytes_max" in kept.not_kept
    place.limits = CopiesSettings()
    assert place.look().copy is not None
    site.mode = "error"
    place.now += place.limits.age_max_s - 10 * DAY_S
    assert place.look().copy is not None
    place.now += 10 * DAY_S
    assert place.look().copy is None
    site.mode = "up"
    assert place.look().copy is not None
    place.settings = (page(site, keep=False),)
    assert place.look().copy is None
    assert not WatchFolder(place.root).copy_path("page").exists()


def test_what_is_out_of_the_settings_is_forgotten_and_no_outage_of_it_goes_on(site: Site, place: Place) -> None:
    place.look()
    site.mode = "error"
    place.look()
    place.settings = ()

    asyncio.run(looked_at(place))
    assert place.kinds == ["watch-down"], "a command that only looks, by whatever settings, forgets nothing"
    assert place.copy().body == PAGE
    asyncio.run(started(place))
    assert place.kinds == ["watch-down", "watch-not-asked"]
    assert WatchFolder(place.root).names() == ()
    assert not WatchFolder(place.root).copy_path("page").exists()


async def looked_at(place: Place) -> None:
    async with place.begun():
        pass


async def started(place: Place) -> None:
    async with place.begun() as watching:
        running = asyncio.ensure_future(watching.run())
        await asyncio.to_thread(until, lambda: WatchFolder(place.root).names() == ())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_a_copy_whose_note_is_lost_speaks_for_itself(site: Site, place: Place) -> None:
    place.settings = (page(site, name="robots"),)
    kept = place.look(name="robots")
    (place.root / "robots/standing.json").write_bytes(b"")
    site.mode = "error"
    again = place.look(name="robots")
    assert kept.copy is not None
    assert again.copy is not None
    assert (again.copy.digest, again.copy.taken_at, again.copy.bytes) == (
        kept.copy.digest,
        kept.copy.taken_at,
        kept.copy.bytes,
    )
    place.settings = (page(site, name="robots", url=f"{site.url}/other"),)
    assert place.look(name="robots").copy is None


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_each_page_is_asked_in_its_turn_by_itself(site: Site, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.watch.watching.SPREAD_S", 0.0)
    place.settings = (page(site), page(site, name="other", url=f"{site.url}/other"))

    async def run() -> None:
        async with place.begun() as watching:
            running = asyncio.ensure_future(watching.run())
            await asyncio.to_thread(until, lambda: all(one.copy is not None for one in watching.kept.values()))
            assert site.asked == {"/robots.txt": 1, "/status": 1, "/other": 1}
            site.mode = "error"
            place.now += 400  # longer than the period
            watching.reconfigure(watching.watches, place.limits)
            await asyncio.to_thread(until, lambda: len(place.events) == 2)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())
    assert site.asked == {"/robots.txt": 1, "/status": 2, "/other": 2}
