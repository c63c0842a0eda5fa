"""`tidegate advisories`: with a desk and without one, from servers, files and discs, and when things go wrong."""

import asyncio
import contextlib
import json
import lzma
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.applications import Starlette

from tests.advisories.feed_server import FeedServer, Served, feed_server
from tests.advisories.samples import DATA, folder, sample, tar
from tests.cli.commands import Ended, tidegate
from tidegate.advisories.documents import Documents
from tidegate.advisories.statement import Piece
from tidegate.cli.exit_codes import ExitCode
from tidegate.config.gathering import gather
from tidegate.store.layout import Layout
from tidegate.web.advisories_control import advisories_routes
from tidegate.web.serving import Serving, control_socket
from tidegate.wiring.advising import Advising

OSV = lzma.compress(tar(folder("ubuntu-osv")), preset=0)
CVE = "CVE-2026-31431"
READY_TIMEOUT_S = 20.0


@dataclass
class House:
    """A gateway's settings and state."""

    root: Path
    server: FeedServer

    @property
    def config(self) -> Path:
        return self.root / "tidegate.toml"

    @property
    def layout(self) -> Layout:
        return Layout(self.root / "state", self.root / "state/cache")

    def keep(self, **urls: str) -> None:
        """Write the settings: feeds by name (`_` for `-`), each from one address."""
        lines = ["archive = []", "[store]", f"state = {str(self.layout.state)!r}", "[advisories]"]
        for name, url in urls.items():
            lines += ["[[advisories.feed]]", f"name = {name.replace('_', '-')!r}", f"urls = [{url!r}]"]
        self.config.write_text("\n".join(lines))

    def run(self, *words: str) -> Ended:
        return tidegate("advisories", *words, "--config", self.config)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with feed_server() as server:
        server.paths["/osv-all.tar.xz"] = Served(OSV, etag='"1"')
        server.paths["/kev.json"] = Served(sample("kev.json"), etag='"1"')
        one = House(tmp_path, server)
        one.keep(ubuntu_osv=server.url("/osv-all.tar.xz"), kev=server.url("/kev.json"))
        yield one


def recent(count: int, day: int) -> bytes:
    """A tarball of records that were modified a moment ago."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600 + day))
    pieces = []
    for number in range(count):
        identity = f"UBUNTU-CVE-2026-{10_000 + number}"
        record = {"schema_version": "1.7.0", "id": identity, "modified": stamp, "affected": [], "details": "x" * 200}
        pieces.append(Piece(f"osv/cve/2026/{identity}.json", json.dumps(record).encode()))
    return lzma.compress(tar(pieces), preset=0)


def test_before_anything_was_kept_every_question_says_so(house: House) -> None:
    for words in (("status",), ("show", CVE)):
        ended = house.run(*words)
        assert ended.code == ExitCode.UNAVAILABLE
        assert "no feed was ever kept here" in ended.err


def test_feeds_are_fetched_told_of_and_answer(house: House) -> None:
    ended = house.run("refresh").good()
    assert "ubuntu-osv: 7 records" in ended.out
    steps = [json.loads(line) for line in ended.err.splitlines()]
    assert {"feed": "kev", "text": "reading", "event": "refreshing", "level": "info", "records": None} in steps
    again = house.run("refresh", "kev", "--json").good()
    assert [one["outcome"] for one in again.json["feeds"]] == ["same"]

    report = house.run("status", "--json")
    # Seen a moment ago, and made in April: it stands still.
    assert report.code == ExitCode.NO
    assert {one["name"]: (one["state"], one["records"]) for one in report.json["feeds"]} == {
        "ubuntu-osv": ("old", 7),
        "kev": ("old", 1),
    }
    shown = house.run("show", "usn-8226-1", "--json")
    assert shown.code == ExitCode.WARNING
    assert (shown.json["id"], shown.json["found"], shown.json["state"]) == ("USN-8226-1", True, "old")
    assert {one["package"] for one in shown.json["statements"]} == {"kmod"}
    assert [one["id"] for one in house.run("show", CVE, "--json").json["notices"]] == ["USN-8226-1"]
    text = house.run("show", CVE).out
    assert "TOO OLD TO BE BELIEVED" in text
    assert "USN-8226-1" in text


def test_what_is_current_is_so_and_what_nobody_speaks_of_is_a_no(house: House) -> None:
    house.server.paths["/osv-all.tar.xz"] = Served(recent(3, 0))
    house.keep(ubuntu_osv=house.server.url("/osv-all.tar.xz"))
    house.run("refresh").good()
    house.run("status").good()
    house.run("show", "CVE-2026-10001").good()
    assert house.run("show", "UBUNTU-CVE-2026-10001", "--json").good().json["id"] == "CVE-2026-10001"
    assert house.run("show", "CVE-2026-99999").code == ExitCode.NO
    before = house.run("show", "CVE-2026-10001", "--at", "2026-01-01", "--json")
    assert (before.code, before.json["state"], before.json["found"]) == (ExitCode.WARNING, "missing", False)
    assert house.run("show", "CVE-2026-10001", "--at", "yesterday").code == ExitCode.USAGE


def test_a_young_catalogue_of_exploited_ones_makes_no_old_feed_an_all_clear(house: House) -> None:
    entry = json.loads(sample("kev.json"))
    entry["vulnerabilities"][0]["dateAdded"] = time.strftime("%Y-%m-%d", time.gmtime())
    house.server.paths["/kev.json"] = Served(json.dumps(entry).encode())
    house.run("refresh", "kev").good()
    alone = house.run("show", "CVE-2026-99999", "--json")
    assert (alone.code, alone.json["state"]) == (ExitCode.WARNING, "missing")
    house.run("refresh", "ubuntu-osv").good()  # of April
    beside = house.run("show", "CVE-2026-99999", "--json")
    assert {one["feed"]: one["state"] for one in beside.json["basis"]} == {"kev": "current", "ubuntu-osv": "old"}
    assert (beside.code, beside.json["state"]) == (ExitCode.WARNING, "old")
    assert "NO VENDOR" not in house.run("show", "CVE-2026-99999").out


def test_a_feed_that_was_never_had_is_a_warning_beside_one_that_is_current(house: House) -> None:
    house.server.paths["/osv-all.tar.xz"] = Served(recent(3, 0))
    house.server.paths["/kev.json"] = Served(status=503)
    ended = house.run("refresh")
    assert ended.code == ExitCode.NO
    assert "kev: nobody brought it; what was known stands" in ended.out
    assert "answered 503" in ended.out
    assert house.run("status").code == ExitCode.WARNING


def test_a_feed_that_is_not_kept_is_not_fetched_by_its_name_alone(house: House) -> None:
    ended = house.run("refresh", "debian-tracker")
    assert ended.code == ExitCode.USAGE
    assert "debian-tracker" in ended.err
    house.keep()
    ended = house.run("refresh")
    assert ended.code == ExitCode.NO
    assert "no feed is kept" in ended.err
    assert house.server.requests == []


def test_a_feed_comes_from_a_file_a_directory_and_a_disc(house: House, tmp_path: Path) -> None:
    house.run("refresh", "--from", str(DATA / "kev.json"), "kev").good()
    house.run("refresh", "--from", str(DATA / "ubuntu-osv"), "ubuntu-osv").good()
    house.run("refresh", "--from", str(DATA / "debian-tracker.json"), "debian-tracker").good()
    assert house.server.requests == []
    assert house.run("refresh", "--from", str(DATA)).code == ExitCode.USAGE
    # The folder of one gateway's feeds is the disc of the next.
    disc = tmp_path / "disc"
    shutil.copytree(house.layout.feeds, disc)
    other = House(tmp_path / "other", house.server)
    other.root.mkdir()
    other.keep()
    ended = other.run("refresh", "--from", str(disc), "--json").good()
    assert {one["feed"] for one in ended.json["feeds"]} == {"kev", "debian-tracker"}
    origins = {one["name"]: one["origin"] for one in other.run("status", "--json").json["feeds"]}
    assert origins["kev"] == f"{disc.as_uri()}, from {(DATA / 'kev.json').as_uri()}"
    # What is not kept by the settings is there all the same, and says so.
    assert {one["kept"] for one in other.run("status", "--json").json["feeds"]} == {False}


class Desk:
    """The advisories of a running desk, in a thread of this process."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.events: list[str] = []

    def __enter__(self) -> "Desk":
        self._thread.start()
        assert self._ready.wait(READY_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        settings = gather(self._house.config, {}).settings
        advising = Advising(
            settings, self._house.layout, lambda *_, **__: None, lambda news: self.events.append(news.event)
        )
        keeping = self._loop.create_task(advising.run())
        serving = Serving(Starlette(routes=advisories_routes(advising)), control_socket(self._house.layout.desk))
        self._ready.set()
        await self._end.wait()
        await serving.stop()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        advising.close()


def test_a_running_desk_keeps_the_feeds_by_itself_and_answers(house: House) -> None:
    with Desk(house) as desk:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while desk.events.count("feed-taken-in") < 2:
            assert time.monotonic() < deadline, desk.events
            time.sleep(0.05)
        report = house.run("status", "--json")
        assert report.json["running"] is True
        assert all(one["next_at"] > report.json["at"] for one in report.json["feeds"])
        ended = house.run("refresh", "--json").good()
        assert [one["outcome"] for one in ended.json["feeds"]] == ["same", "same"]
        assert '"text": "asking ' in ended.err
        assert house.run("refresh", "nonsense").code == ExitCode.USAGE
        assert house.run("show", CVE, "--json").json["found"] is True
        kev = house.run("refresh", "kev", "--from", str(DATA / "kev.json"), "--json").good()
        assert kev.json["feeds"][0]["outcome"] == "same"


def statements(layout: Layout) -> tuple[int, int, int]:
    """How much the history holds, and that it is whole."""
    connection = sqlite3.connect(layout.advisories)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = ("record", "edition", "taken")
        counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    finally:
        connection.close()
    return counts[0], counts[1], counts[2]


def test_a_kill_in_the_middle_of_an_import_leaves_what_was_known_and_the_next_one_takes_it_in(house: House) -> None:
    house.server.paths["/osv-all.tar.xz"] = Served(recent(50, 0), etag='"1"')
    house.keep(ubuntu_osv=house.server.url("/osv-all.tar.xz"))
    house.run("refresh").good()
    before = statements(house.layout), Documents(house.layout.feeds).latest("ubuntu-osv")
    house.server.paths["/osv-all.tar.xz"] = Served(recent(4_000, 60), etag='"2"')
    command = [sys.executable, "-m", "tidegate", "advisories", "refresh", "--config", str(house.config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    with process:
        for line in process.stderr:
            if (json.loads(line)["records"] or 0) >= 1000:
                break
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    for child in map(int, children):  # it goes with whoever started it
        deadline = time.monotonic() + READY_TIMEOUT_S
        while lives(child):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert children
    assert (statements(house.layout), Documents(house.layout.feeds).latest("ubuntu-osv")) == before
    # What had come whole lies there, and is not fetched again if it is still the newest.
    count = len(house.server.asked("/osv-all.tar.xz"))
    house.run("refresh").good()
    assert statements(house.layout)[0] == 4_000
    assert [one["if-none-match"] for one in house.server.asked("/osv-all.tar.xz")[count:]] == ['"2"']


def lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
