"""A feed is fetched from whoever has it, and whatever its sources do, what was known stands."""

import asyncio
import errno
import hashlib
import json
import lzma
import os
import re
import resource
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.advisories.feed_server import FeedServer, Place, Served, feed_server, subscription
from tests.advisories.samples import NOON, folder, sample, tar
from tests.simulator.keys import Keys
from tidegate.advisories.at_hand import Brought, Same
from tidegate.advisories.feed_folder import BusyFeedError, Coming, FeedFolder
from tidegate.advisories.feeds import FEEDS
from tidegate.advisories.history import Verified
from tidegate.advisories.intake import Job, NotTaken, Taken
from tidegate.advisories.round import NotBrought, Outcome
from tidegate.advisories.settings import AdvisoriesSettings
from tidegate.advisories.statement import Piece
from tidegate.advisories.subscription import Subscription
from tidegate.config.keyrings import keyring_at
from tidegate.sources.breaker import Cause, State
from tidegate.store.journal import boot_id

OSV = "/osv/osv-all.tar.xz"
TARBALL = lzma.compress(tar(folder("ubuntu-osv")), preset=0)
HTML = b"<!DOCTYPE html><html><body>Sign in to the hotel's network</body></html>"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feed_server() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def go(place: Place, sub: Subscription, now: int = NOON, *, may_vanish: bool = False) -> Outcome:
    return asyncio.run(place.go_round(sub, now=now, may_vanish=may_vanish))


def brought(outcome: Outcome) -> Brought:
    assert isinstance(outcome, Brought), outcome
    return outcome


def not_brought(outcome: Outcome) -> str:
    assert isinstance(outcome, NotBrought), outcome
    return "; ".join(f"{one.source} {one.reason}" for one in outcome.excluded)


def osv_tarball(*numbers: int, day: int = 1) -> bytes:
    pieces = []
    for number in numbers:
        identity = f"UBUNTU-CVE-2026-{number:05}"
        record = {"schema_version": "1.7.0", "id": identity, "modified": f"2026-04-{day:02}T00:00:00Z", "affected": []}
        pieces.append(Piece(f"osv/cve/2026/{identity}.json", json.dumps(record).encode()))
    return lzma.compress(tar(pieces), preset=0)


def test_a_feed_comes_in_is_kept_as_it_was_and_is_not_fetched_again_while_it_stays_the_same(
    server: FeedServer, place: Place
) -> None:
    server.paths[OSV] = Served(TARBALL, etag='"1"', last_modified="Thu, 30 Apr 2026 10:00:00 GMT")
    sub = subscription("ubuntu-osv", server.url(OSV))
    first = brought(go(place, sub))
    assert first.taken.seen == len(list(folder("ubuntu-osv")))
    assert first.verified is Verified.NOTHING
    document = place.documents.latest("ubuntu-osv")
    assert document is not None
    assert document.path.read_bytes() == TARBALL
    assert (document.file_name, document.origin) == ("osv-all.tar.xz", server.url(OSV))
    assert document.last_modified == "Thu, 30 Apr 2026 10:00:00 GMT"

    assert isinstance(go(place, sub, NOON + 3600), Same)
    assert server.asked(OSV)[-1]["if-none-match"] == '"1"'
    state, document = place.state("ubuntu-osv"), place.documents.latest("ubuntu-osv")
    assert state is not None
    assert document is not None
    assert (state.provenance.fetched_at, state.confirmed_at) == (NOON, NOON + 3600)
    assert (document.fetched_at, document.confirmed_at) == (NOON, NOON + 3600)


def test_a_source_without_validators_gives_it_all_again_and_nothing_is_written_but_that(
    server: FeedServer, place: Place
) -> None:
    server.paths[OSV] = Served(TARBALL)
    sub = subscription("ubuntu-osv", server.url(OSV))
    brought(go(place, sub))
    assert brought(go(place, sub, NOON + 60)).taken.unchanged
    state = place.state("ubuntu-osv")
    assert state is not None
    assert state.confirmed_at == NOON + 60


def test_what_another_gateway_has_from_others_is_as_old_as_it_says(server: FeedServer, place: Place) -> None:
    def aged(age_s: int) -> Served:
        return Served(TARBALL, etag='"1"', headers=(("X-Tidegate-Age", str(age_s)), ("Age", "60")))

    server.paths[OSV] = aged(7200)
    sub = subscription("ubuntu-osv", server.url(OSV))
    document = brought(go(place, sub)).document
    assert document is not None
    assert (document.fetched_at, document.confirmed_at) == (NOON, NOON - 7200)
    # It stands alone for a day, and so do we.
    server.paths[OSV] = aged(7200 + 86_400)
    assert isinstance(go(place, sub, NOON + 86_400), Same)
    state = place.state("ubuntu-osv")
    assert state is not None
    assert (state.provenance.fetched_at, state.confirmed_at) == (NOON - 7200, NOON - 7200)
    server.paths[OSV] = aged(10)
    assert isinstance(go(place, sub, NOON + 90_000), Same)
    state = place.state("ubuntu-osv")
    assert state is not None
    assert state.confirmed_at == NOON + 90_000 - 60


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Served(status=503), "answered 503"),
        (Served(HTML), "xz"),
        (Served(TARBALL[:-100]), "^osv-all.tar.xz: truncated"),
        (Served(TARBALL, cut_after=100), "early"),
        (Served(TARBALL, silent_after=100), "stops in the middle|too slow"),
        (Served(endless=True), "more than it may"),
        (Served(lzma.compress(b"{}")), "tar archive|too early"),
        (Served(lzma.compress(tar([])), etag='"e"'), "not one record"),
        (Served(status=302, headers=(("Location", "http://10.0.0.1/osv-all.tar.xz"),)), "private|may not have"),
        (Served(status=302, headers=(("Location", "http://[::1]:80/osv-all.tar.xz"),)), "this machine|may not have"),
        (Served(status=302, headers=(("Location", "file:///etc/passwd"),)), "redirects where it may not"),
    ],
    ids=[
        "error", "html", "truncated", "cut", "silent", "endless", "no-tar", "empty",
        "inside", "this-machine", "file",
    ],
)  # fmt: skip
def test_a_source_that_fails_is_passed_over_for_the_next(
    server: FeedServer, place: Place, fault: Served, why: str
) -> None:
    server.paths["/bad/osv-all.tar.xz"] = fault
    server.paths[OSV] = Served(TARBALL)
    urls = server.url("/bad/osv-all.tar.xz"), server.url(OSV)
    outcome = brought(go(place, subscription("ubuntu-osv", *urls, bytes_max=1 << 22)))
    assert outcome.source == urls[1]
    (excluded,) = outcome.excluded
    assert excluded.source == urls[0]
    assert re.search(why, excluded.reason), excluded.reason


def test_a_feed_that_nobody_brings_leaves_what_is_known(server: FeedServer, place: Place) -> None:
    server.paths[OSV] = Served(TARBALL)
    sub = subscription("ubuntu-osv", server.url(OSV))
    brought(go(place, sub))
    before = place.documents.latest("ubuntu-osv"), place.state("ubuntu-osv")
    for fault in (Served(HTML), Served(TARBALL, cut_after=50), Served(status=404)):
        server.paths[OSV] = fault
        assert not_brought(go(place, sub, NOON + 60))
        assert (place.documents.latest("ubuntu-osv"), place.state("ubuntu-osv")) == before


def test_who_gives_a_web_page_is_called_a_liar_and_who_is_behind_is_not(server: FeedServer, place: Place) -> None:
    server.paths[OSV] = Served(osv_tarball(1, 2, day=20))
    sub = subscription("ubuntu-osv", server.url(OSV))
    brought(go(place, sub))
    server.paths[OSV] = Served(osv_tarball(1, day=10))
    assert "older than what is known" in not_brought(go(place, sub, NOON + 60))
    assert place.health.of(server.url(OSV)).breaker.state is State.CLOSED
    server.paths[OSV] = Served(HTML)
    not_brought(go(place, sub, NOON + 120))
    assert place.health.of(server.url(OSV)).breaker.cause is Cause.VIOLATION


def test_a_feed_that_lost_most_of_its_records_is_torn_unless_its_owner_says_that_it_is_not(
    server: FeedServer, place: Place
) -> None:
    sub = subscription("ubuntu-osv", server.url(OSV))
    server.paths[OSV] = Served(osv_tarball(*range(1000, 1300)))
    brought(go(place, sub))
    server.paths[OSV] = Served(osv_tarball(*range(1000, 1100), day=2))
    assert "200 of 300 records are gone" in not_brought(go(place, sub, NOON + 60))
    taken = brought(go(place, sub, NOON + 60, may_vanish=True)).taken
    assert taken.retracted == 200


def test_what_broke_off_goes_on_at_the_same_byte_after_a_restart(server: FeedServer, place: Place) -> None:
    data = lzma.compress(tar([Piece("osv/cve/filler", os.urandom(300_000)), *folder("ubuntu-osv")]), preset=0)
    server.paths[OSV] = Served(data, etag='"1"', status=200, cut_after=0)
    sub = subscription("ubuntu-osv", server.url(OSV))
    at = 131_072
    folder_ = FeedFolder(place.feeds, "ubuntu-osv")
    with folder_.locked():
        fd = folder_.begin(
            Coming(server.url(OSV), "osv-all.tar.xz", len(data), '"1"', None, "", boot_id()), append=False
        )
        os.write(fd, data[:at])
        os.close(fd)
    server.paths[OSV] = Served(data, etag='"1"')
    brought(go(place, sub))
    (asked,) = server.asked(OSV)
    assert (asked["range"], asked["if-range"]) == (f"bytes={at}-", '"1"')
    document = place.documents.latest("ubuntu-osv")
    assert document is not None
    assert document.path.read_bytes() == data


def test_a_line_that_breaks_again_and_again_brings_it_piece_by_piece(server: FeedServer, place: Place) -> None:
    data = lzma.compress(tar([Piece("osv/cve/filler", os.urandom(300_000)), *folder("ubuntu-osv")]), preset=0)
    server.paths[OSV] = Served(data, etag='"1"', cut_after=100_000)
    brought(go(place, subscription("ubuntu-osv", server.url(OSV))))
    assert [one.get("range") for one in server.asked(OSV)] == [
        None, "bytes=100000-", "bytes=200000-", "bytes=300000-",
    ]  # fmt: skip


def test_what_has_changed_meanwhile_begins_anew(server: FeedServer, place: Place) -> None:
    folder_ = FeedFolder(place.feeds, "ubuntu-osv")
    with folder_.locked():
        coming = Coming(server.url(OSV), "osv-all.tar.xz", 10_000, '"old"', None, "", boot_id())
        fd = folder_.begin(coming, append=False)
        os.write(fd, b"x" * 100)
        os.close(fd)
    server.paths[OSV] = Served(TARBALL, etag='"new"')
    brought(go(place, subscription("ubuntu-osv", server.url(OSV))))
    assert server.asked(OSV)[0]["if-range"] == '"old"'
    document = place.documents.latest("ubuntu-osv")
    assert document is not None
    assert document.path.read_bytes() == TARBALL


def test_a_listed_digest_lets_another_source_go_on_and_tells_a_wrong_byte(server: FeedServer, place: Place) -> None:
    wrong = bytes([TARBALL[0] ^ 1]) + TARBALL[1:]
    listing = f"{'0' * 64}  other\n{hashlib.sha256(TARBALL).hexdigest()} *osv-all.tar.xz\n".encode()
    for base, data in (("/a", wrong), ("/b", TARBALL)):
        server.paths[f"{base}/osv-all.tar.xz"] = Served(data)
        server.paths[f"{base}/SHA256SUMS"] = Served(listing)
    urls = [server.url(f"{base}/osv-all.tar.xz") for base in ("/a", "/b")]
    sub = subscription("ubuntu-osv", *urls, digests="SHA256SUMS")
    outcome = brought(go(place, sub))
    assert (outcome.source, outcome.verified) == (urls[1], Verified.DIGEST_LIST)
    assert "gave wrong bytes" in outcome.excluded[0].reason
    assert place.health.of(urls[0]).breaker.cause is Cause.VIOLATION
    # What is listed is what we have: nothing is fetched but the list.
    count = len(server.requests)
    assert isinstance(go(place, subscription("ubuntu-osv", urls[1], digests="SHA256SUMS"), NOON + 60), Same)
    assert [target for target, _ in server.requests[count:]] == ["/b/SHA256SUMS"]


def test_a_file_that_no_list_names_is_not_taken(server: FeedServer, place: Place) -> None:
    server.paths[OSV] = Served(TARBALL)
    server.paths["/osv/SHA256SUMS"] = Served(b"nothing of the kind\n")
    assert "no digest" in not_brought(go(place, subscription("ubuntu-osv", server.url(OSV), digests="SHA256SUMS")))
    assert server.asked(OSV) == []


def test_a_signature_without_a_key_that_may_sign_is_none(server: FeedServer, place: Place) -> None:
    server.paths["/kev.json"] = Served(sample("kev.json"))
    server.paths["/SUMS"] = Served(f"{hashlib.sha256(sample('kev.json')).hexdigest()}  kev.json\n".encode())
    server.paths["/SUMS.asc"] = Served(b"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n")
    sub = subscription("kev", server.url("/kev.json"), digests="SUMS", signature="SUMS.asc")
    assert "signature is refused" in not_brought(go(place, sub))
    assert place.documents.latest("kev") is None


def test_a_full_disk_loses_nothing_and_is_no_fault_of_the_source(server: FeedServer, place: Place) -> None:
    server.paths[OSV] = Served(osv_tarball(1), etag='"1"')
    sub = subscription("ubuntu-osv", server.url(OSV))
    brought(go(place, sub))
    before = place.documents.latest("ubuntu-osv"), place.state("ubuntu-osv")
    server.paths[OSV] = Served(osv_tarball(1, 2, day=2), etag='"2"')
    place.room = lambda: 10
    with pytest.raises(OSError, match="no room") as caught:
        go(place, sub, NOON + 60)
    assert caught.value.errno == errno.ENOSPC
    assert (place.documents.latest("ubuntu-osv"), place.state("ubuntu-osv")) == before
    assert place.health.of(server.url(OSV)).failed == 0
    place.room = lambda: 1 << 40
    brought(go(place, sub, NOON + 120))


def test_a_history_that_was_lost_is_read_again_from_what_is_kept(server: FeedServer, place: Place) -> None:
    server.paths[OSV] = Served(TARBALL, etag='"1"')
    sub = subscription("ubuntu-osv", server.url(OSV))
    brought(go(place, sub))
    for path in place.root.glob("advisories.db*"):
        path.unlink()
    assert isinstance(go(place, sub, NOON + 3600), Same)
    state = place.state("ubuntu-osv")
    assert state is not None
    assert (state.provenance.fetched_at, state.confirmed_at) == (NOON, NOON + 3600)


def test_two_processes_never_fetch_one_feed_at_once(server: FeedServer, place: Place) -> None:
    sub = subscription("ubuntu-osv", server.url(OSV))
    with FeedFolder(place.feeds, "ubuntu-osv").locked(), pytest.raises(BusyFeedError):
        go(place, sub)
    assert server.requests == []


def pages(query: dict[str, list[str]], entries: list[dict[str, str]], **more: int) -> bytes:
    offset, limit = int(query["offset"][0]), int(query["limit"][0])
    page = {"notices": entries[offset : offset + limit], "offset": offset, "total_results": len(entries)}
    return json.dumps(page | more).encode()


def notices(count: int) -> list[dict[str, str]]:
    return [
        {"id": f"USN-{1000 + number}-1", "title": "a", "published": "2026-04-01T00:00:00"} for number in range(count)
    ]


def test_a_feed_that_comes_by_the_page_is_one_document(server: FeedServer, place: Place) -> None:
    entries = notices(45)
    server.paths["/notices.json"] = Served(answers=lambda query: pages(query, entries))
    sub = subscription("ubuntu-notices", server.url("/notices.json"), pages_of="notices")
    assert brought(go(place, sub)).taken.seen == 45
    document = place.documents.latest("ubuntu-notices")
    assert document is not None
    assert json.loads(document.path.read_bytes()) == {"notices": entries}
    assert len(server.requests) == 3


def test_pages_that_do_not_fit_together_are_no_feed(server: FeedServer, place: Place) -> None:
    entries = notices(45)
    shifted = [notices(46)[-1], *entries]
    torn = {
        "meanwhile": lambda query: pages(query, entries if query["offset"] == ["0"] else shifted),
        "twice": lambda query: pages(query, [*entries[:20], *entries[:20], *entries[40:]]),
        "empty": lambda query: pages(query, entries[:20], total_results=45),
    }
    sub = subscription("ubuntu-notices", server.url("/notices.json"), pages_of="notices")
    for name, why in {"meanwhile": "came in meanwhile", "twice": "on two pages", "empty": "empty page"}.items():
        server.paths["/notices.json"] = Served(answers=torn[name])
        assert why in not_brought(go(place, sub))
    assert place.state("ubuntu-notices") is None
    assert {path.name for path in (place.feeds / "ubuntu-notices").iterdir()} == {"lock"}


def test_a_feed_whose_file_has_a_name_like_ours_is_taken_like_any(server: FeedServer, place: Place) -> None:
    for path in ("/tracker/data/json", "/from.json"):
        server.paths[path] = Served(sample("debian-tracker.json"))
        sub = subscription("debian-tracker", server.url(path))
        assert brought(go(Place(place.root / path[1:]), sub)).taken.seen > 0


def test_a_document_that_nobody_reads_is_kept_if_it_is_whole(server: FeedServer, place: Place) -> None:
    name = "com.ubuntu.noble.pkg.json.xz"
    data = lzma.compress(b'{"security_issues": {}}')
    sub = subscription(name, server.url(f"/oval/{name}"))
    for fault in (data[:-4], lzma.compress(HTML)):
        server.paths[f"/oval/{name}"] = Served(fault)
        not_brought(go(place, sub))
        assert place.documents.latest(name) is None
    server.paths[f"/oval/{name}"] = Served(data)
    brought(go(place, sub))
    opened = place.documents.open(name)
    assert opened is not None
    with opened[1] as file:
        assert file.read() == data


def test_a_feed_that_takes_too_much_memory_or_time_to_read_is_refused(server: FeedServer, place: Place) -> None:
    big = b'{"vulnerabilities": [{"cveID": "' + b"x" * (60 << 20) + b'"}]}'
    server.paths["/kev.json"] = Served(big)
    place.settings = AdvisoriesSettings(import_memory_bytes_max=128 << 20)
    sub = subscription("kev", server.url("/kev.json"), bytes_max=1 << 27)
    assert "memory" in not_brought(go(place, sub))
    place.settings = AdvisoriesSettings()
    place.intake = replace(place.intake, timeout_s=0.01)  # type: ignore[type-var]  # it is a ProcessIntake
    assert "not read within" in not_brought(go(place, sub, NOON + 1))


def test_a_directory_is_read_where_it_is(place: Place, tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    for piece in folder("ubuntu-osv"):
        (records / piece.name.rpartition("/")[2]).write_bytes(piece.data)
    outcome = brought(go(place, subscription("ubuntu-osv", str(records))))
    assert outcome.document is None
    assert outcome.taken.seen > 1
    assert "is a directory" in not_brought(go(place, subscription("kev", str(records))))
    assert "nothing at" in not_brought(go(place, subscription("kev", str(tmp_path / "nowhere"))))


def test_a_file_is_copied_once_and_then_only_looked_at(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "kev.json"
    file.write_bytes(sample("kev.json"))
    sub = subscription("kev", file.as_uri())
    assert brought(go(place, sub)).document is not None
    assert isinstance(go(place, sub, NOON + 60), Same)
    file.write_bytes(b"{")
    assert "too early" in not_brought(go(place, sub, NOON + 120))


def test_what_is_carried_here_is_as_old_as_it_was_there(server: FeedServer, place: Place, tmp_path: Path) -> None:
    server.paths[OSV] = Served(TARBALL, etag='"1"')
    outside = Place(tmp_path / "outside")
    brought(go(outside, subscription("ubuntu-osv", server.url(OSV))))
    disc = subscription("ubuntu-osv", str(outside.feeds))
    outcome = brought(go(place, disc, NOON + 90_000))
    assert outcome.document is not None
    assert outcome.document.confirmed_at == NOON
    assert outcome.document.origin.endswith(f", from {server.url(OSV)}")
    state = place.state("ubuntu-osv")
    assert state is not None
    assert state.confirmed_at == NOON
    # The same disc once more makes it no newer, and one whose bytes were changed is refused.
    assert isinstance(go(place, disc, NOON + 180_000), Same)
    assert place.state("ubuntu-osv") == state
    carried = outside.documents.latest("ubuntu-osv")
    assert carried is not None
    carried.path.write_bytes(TARBALL + b"x")
    fresh = Place(tmp_path / "fresh")
    assert "not those that were put there" in not_brought(go(fresh, disc, NOON + 90_000))


def test_every_feed_that_is_read_can_be_subscribed_to() -> None:
    assert all(subscription(name, "/x").is_read for name in [*FEEDS, "epss"])


def test_a_signed_list_vouches_for_a_feed_and_another_s_signature_does_not(
    server: FeedServer, place: Place, keys: Keys
) -> None:
    listing = f"{hashlib.sha256(TARBALL).hexdigest()}  osv-all.tar.xz\n".encode()
    server.paths[OSV] = Served(TARBALL)
    server.paths["/osv/SHA256SUMS"] = Served(listing)
    server.paths["/osv/SHA256SUMS.gpg"] = Served(keys.home.detached(listing, keys.good))
    ring = keyring_at(str(keys.keyring))
    sub = subscription("ubuntu-osv", server.url(OSV), digests="SHA256SUMS", signature="SHA256SUMS.gpg", keyring=ring)
    now = int(time.time())
    assert brought(go(place, sub, now)).verified is Verified.SIGNATURE
    document = place.documents.latest("ubuntu-osv")
    assert document is not None
    assert document.verified is Verified.SIGNATURE
    server.paths["/osv/SHA256SUMS"] = Served(listing + b"\n")
    assert "signature is refused" in not_brought(go(place, sub, now + 1))


def test_an_answer_that_was_packed_on_the_way_is_not_the_file(server: FeedServer, place: Place) -> None:
    server.paths["/kev.json"] = Served(sample("kev.json"), headers=(("Content-Encoding", "gzip"),))
    assert "packed as gzip" in not_brought(go(place, subscription("kev", server.url("/kev.json"))))


def full() -> None:
    """In a child: no file may grow beyond so much."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


async def on_a_full_disk(job: Job, progress: Callable[[int], None]) -> Taken | NotTaken:
    """The real child, without the room that it needs."""

    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tidegate.advisories.intake", stdin=PIPE, stdout=PIPE, preexec_fn=full
    )
    out = (await child.communicate(msgspec.json.encode(job)))[0]
    return msgspec.json.decode(out.splitlines()[-1], type=Taken | NotTaken)


def test_a_disk_that_fills_up_in_the_middle_of_an_import_loses_nothing(server: FeedServer, place: Place) -> None:
    server.paths[OSV] = Served(osv_tarball(1000), etag='"1"')
    sub = subscription("ubuntu-osv", server.url(OSV))
    brought(go(place, sub))
    before = place.documents.latest("ubuntu-osv"), place.state("ubuntu-osv")
    server.paths[OSV] = Served(osv_tarball(*range(1000, 3000), day=2), etag='"2"')
    healthy, place.intake = place.intake, on_a_full_disk
    with pytest.raises(OSError, match="cannot be written"):
        go(place, sub, NOON + 60)
    assert (place.documents.latest("ubuntu-osv"), place.state("ubuntu-osv")) == before
    assert place.health.of(server.url(OSV)).breaker.state is State.CLOSED
    # With room again it is read, and need not be fetched again: it had come whole, and is still the newest.
    place.intake = healthy
    asked = len(server.asked(OSV))
    assert brought(go(place, sub, NOON + 120)).taken.seen == 2000
    assert [one["if-none-match"] for one in server.asked(OSV)[asked:]] == ['"2"']


def test_what_came_whole_and_was_not_read_is_left_for_something_newer(server: FeedServer, place: Place) -> None:
    folder_ = FeedFolder(place.feeds, "ubuntu-osv")
    with folder_.locked():
        coming = Coming(server.url(OSV), "osv-all.tar.xz", 100, '"old"', None, "", boot_id())
        fd = folder_.begin(coming, append=False)
        os.write(fd, b"x" * 100)
        os.close(fd)
    server.paths[OSV] = Served(TARBALL, etag='"new"')
    brought(go(place, subscription("ubuntu-osv", server.url(OSV))))
    (asked,) = server.asked(OSV)
    assert (asked["if-none-match"], asked.get("range")) == ('"old"', None)
