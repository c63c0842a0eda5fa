"""Folders as sources: they answer as hosts do, hold nobody up, and nothing outside them is read."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from tests.sources.sinks import PATIENT, Collected, settings
from tidegate.sources.archive import BadAddressError, Endpoint, Reach, folder_of, source_of
from tidegate.sources.client import Client
from tidegate.sources.connection import Head, Sink
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.media import PIECE_BYTES, READS_PER_FOLDER_MAX
from tidegate.sources.settings import FetchSettings

READ = os.pread
LARGE = os.urandom(PIECE_BYTES + 1000)


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    root = tmp_path / "disc"
    (root / "pool/main").mkdir(parents=True)
    (root / "pool/main/a+b_1%3a2~x.deb").write_bytes(b"package")
    (root / "pool/large").write_bytes(LARGE)
    (root / "dists").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    return root


def endpoint(root: Path) -> Endpoint:
    return source_of(str(root), reach=Reach.PUBLIC, operator="", kind="mirror").endpoint


async def asked(
    root: Path, target: str, headers: dict[str, str] | None = None, settings: FetchSettings = PATIENT
) -> tuple[Head, bytes]:
    """What one GET brings, through the client that everybody uses."""
    client, sink = Client(settings), Collected()
    try:
        await client.get(endpoint(root), target, headers or {}, sink)
    finally:
        client.close()
    (head,) = sink.heads
    assert head.length == len(sink.body)
    return head, bytes(sink.body)


async def closed(path: Path) -> None:
    """Wait until this process has a file no longer open."""
    while is_open(path):  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(0.001)


async def refused(root: Path, target: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await asked(root, target)
    return caught.value


def is_open(path: Path) -> bool:
    """Whether this process has a file open."""
    return any(os.path.realpath(fd) == str(path) for fd in Path("/proc/self/fd").iterdir())


async def test_a_file_is_given_whole_under_the_name_that_an_index_lists(disc: Path) -> None:
    source = source_of(f"file://{disc}", reach=Reach.PUBLIC, operator="", kind="mirror")
    head, body = await asked(disc, source.target("pool/main/a+b_1%3a2~x.deb"))
    assert (head.status, body) == (200, b"package")
    assert (await asked(disc, source.target("pool/large")))[1] == LARGE


@pytest.mark.parametrize(
    ("asked_for", "status", "body", "told"),
    [
        ("bytes=3-", 206, b"kage", "bytes 3-6/7"),
        ("bytes=0-2", 206, b"pac", "bytes 0-2/7"),
        ("bytes=5-99", 206, b"ge", "bytes 5-6/7"),
        ("bytes=7-", 416, b"", "bytes */7"),
        ("bytes=-2", 200, b"package", None),
        ("lines=1-", 200, b"package", None),
    ],
)
async def test_a_range_is_answered_as_a_host_would(
    asked_for: str, status: int, body: bytes, told: str | None, disc: Path
) -> None:
    head, found = await asked(disc, "/pool/main/a+b_1%253a2~x.deb", {"Range": asked_for})
    assert (head.status, found, head.headers.get("content-range")) == (status, body, told)


async def test_a_large_file_goes_on_where_another_source_stopped(disc: Path) -> None:
    _, body = await asked(disc, "/pool/large", {"Range": f"bytes={PIECE_BYTES - 1}-"})
    assert body == LARGE[PIECE_BYTES - 1 :]


async def test_what_has_not_changed_is_not_read_again(disc: Path) -> None:
    path = disc / "dists/InRelease"
    path.write_bytes(b"one")
    first, _ = await asked(disc, "/dists/InRelease")
    by_tag = {"If-None-Match": first.headers["etag"]}
    by_date = {"If-Modified-Since": first.headers["last-modified"]}
    for validator in (by_tag, by_date):
        head, body = await asked(disc, "/dists/InRelease", validator)
        assert (head.status, body) == (304, b"")
    path.write_bytes(b"three")
    assert (await asked(disc, "/dists/InRelease", by_tag))[1] == b"three"


@pytest.mark.parametrize("target", ["/pool/none.deb", "/pool/main", "/", "/pool/large/below"])
async def test_what_is_not_there_is_an_absence_and_no_fault(target: str, disc: Path) -> None:
    assert (await refused(disc, target)).is_absence


async def test_a_link_within_the_folder_is_followed(disc: Path) -> None:
    (disc / "dists/bookworm").mkdir()
    (disc / "dists/bookworm/InRelease").write_bytes(b"x")
    (disc / "dists/stable").symlink_to("bookworm")
    assert (await asked(disc, "/dists/stable/InRelease"))[1] == b"x"


@pytest.mark.parametrize("to", ["../secret", "../../secret", "/etc/passwd", "loop"])
async def test_a_link_that_leads_out_is_not_followed(to: str, disc: Path) -> None:
    (disc / "loop").symlink_to("loop")
    (disc / "pool/secret").symlink_to(to)
    (disc / "out").symlink_to("..")
    for target in ("/pool/secret", "/out/secret"):
        error = await refused(disc, target)
        assert error.failure is Failure.STATUS
        assert error.status in {403, 404}


@pytest.mark.parametrize("target", ["/../secret", "/pool/../../secret", "/pool/%2e%2e/secret", "//etc/passwd", "/a\0"])
async def test_a_path_that_is_not_canonical_is_not_looked_for(target: str, disc: Path) -> None:
    assert (await refused(disc, target)).status == 400


async def test_a_folder_beside_with_the_same_beginning_is_outside(disc: Path) -> None:
    (disc.parent / "disc2").mkdir()
    (disc.parent / "disc2/x").write_bytes(b"x")
    (disc / "x").symlink_to("../disc2/x")
    assert (await refused(disc, "/x")).status == 403


async def test_a_pipe_is_no_file_and_nobody_waits_for_its_writer(disc: Path) -> None:
    os.mkfifo(disc / "pipe")
    assert (await refused(disc, "/pipe")).is_absence


async def test_a_disc_that_is_not_mounted_is_unreachable_and_not_empty_handed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "none", tmp_path / "empty"):
        error = await refused(root, "/dists/stable/InRelease")
        assert error.failure is Failure.UNREACHABLE
        assert "is it mounted?" in error.evidence


class _Failing(Sink):
    def head(self, head: Head) -> None:
        raise OSError("our own disk")

    def data(self, data: memoryview) -> None:
        raise AssertionError("nothing was wanted")


async def test_what_the_sink_raises_comes_through_and_the_file_is_closed(disc: Path) -> None:
    client = Client(PATIENT)
    with pytest.raises(OSError, match="our own disk"):
        await client.get(endpoint(disc), "/pool/large", {}, _Failing())
    assert not is_open(disc / "pool/large")
    client.close()


class Mount:
    """Reads that do not come back until it lives again, as on a mount whose other end died."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.alive = threading.Event()

    def read(self, fd: int, count: int, offset: int) -> bytes:
        self.asked.set()
        self.alive.wait(30)
        return READ(fd, count, offset)


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch) -> Mount:
    dead = Mount()
    monkeypatch.setattr("tidegate.sources.media.os.pread", dead.read)
    return dead


async def test_a_dead_mount_ends_requests_at_their_deadline_and_gives_its_places_back_when_it_lives(
    disc: Path, mount: Mount
) -> None:
    client = Client(settings(first_byte_timeout_s=0.2, silence_timeout_s=0.2))

    async def once() -> Failure | None:
        try:
            await client.get(endpoint(disc), "/pool/large", {}, Collected())
        except FetchError as error:
            return error.failure
        return None

    first = await asyncio.gather(*(once() for _ in range(READS_PER_FOLDER_MAX)))
    assert first == [Failure.STALLED] * READS_PER_FOLDER_MAX
    assert await once() is Failure.SILENT
    mount.alive.set()
    await closed(disc / "pool/large")
    assert await once() is None
    client.close()


async def test_a_request_that_is_given_up_in_mid_read_leaves_no_file_open(disc: Path, mount: Mount) -> None:
    client = Client(PATIENT)
    reading = asyncio.ensure_future(client.get(endpoint(disc), "/pool/large", {}, Collected()))
    await asyncio.to_thread(mount.asked.wait, 30)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert is_open(disc / "pool/large")  # the thread still reads it
    mount.alive.set()
    await closed(disc / "pool/large")
    client.close()


@pytest.mark.parametrize(
    "url", ["file:///mnt/disc", "file:/mnt/disc", "/mnt/disc", "/mnt/disc/", "file://localhost/mnt/disc"]
)
def test_a_folder_has_one_name_however_it_is_written(url: str) -> None:
    source = source_of(url, reach=Reach.PUBLIC, operator="", kind="mirror")
    assert (source.url, source.kind, source.operator) == ("file:///mnt/disc", "media", "this host")
    assert source.target("dists/stable/InRelease") == "/dists/stable/InRelease"


def test_a_folder_may_have_blanks_in_its_name() -> None:
    assert folder_of("/media/USB DISC") == folder_of("file:///media/USB%20DISC") == Path("/media/USB DISC")


@pytest.mark.parametrize(
    "url", ["/", "file:///", "/a/../b", "/a//b", "file://elsewhere/a", "file:a", "/a\nb", "file:///a?x"]
)
def test_what_is_no_folders_path_is_refused(url: str) -> None:
    with pytest.raises(BadAddressError):
        source_of(url, reach=Reach.PUBLIC, operator="", kind="media")
