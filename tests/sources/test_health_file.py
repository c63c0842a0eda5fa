"""What was learned of the sources survives a restart, and nothing in its file can keep the gateway from starting."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.sources.standing import DEB, NOW, A, B, Clock, failed, measured
from tidegate.sources import health_file
from tidegate.sources.breaker import Cause, State
from tidegate.sources.failure import Failure
from tidegate.sources.health import Health
from tidegate.sources.health_file import FILE_BYTES_MAX, SOURCES_MAX, HealthFile, UnusableFileError, decoded, encoded
from tidegate.sources.selection import plan
from tidegate.sources.settings import HealthSettings

URLS = (A.url, B.url)
RULES = HealthSettings()
YEAR_S = 365 * 86_400


def learned() -> Health:
    """A was measured and is behind; B is out, for the second time."""
    now = Clock()
    health = Health(now=now, random=lambda: 0.0)
    measured(health, A, 0.03125, 2.0e6)
    health.note_behind(A.url, "dists/s/", 3600)
    health.note_behind(A.url, "dists/t/", 0)
    health.superseded(A.url, "slow")
    failed(health, A, Failure.STATUS, 404)
    failed(health, B, Failure.UNREACHABLE)
    now.now = health.of(B.url).breaker.until
    health.asked(B.url)
    failed(health, B, Failure.UNREACHABLE)
    return health


def again(data: bytes, now: float) -> Health:
    """Another life, begun with what was written down."""
    health = Health(now=Clock(now), random=lambda: 0.0)
    health.sources.update(decoded(data, URLS, now, RULES))
    return health


def test_a_restart_changes_nothing_about_who_is_asked_and_why() -> None:
    before = learned()
    now = before.now()
    after = again(encoded(before, URLS), now)
    for path in (DEB, "dists/s/Packages"):
        assert plan((A, B), (path,), after, now) == plan((A, B), (path,), before, now)
    for url in URLS:
        was, is_now = before.of(url), after.of(url)
        assert is_now.breaker == was.breaker
        assert is_now.expected_s(10_000_000, now) == pytest.approx(was.expected_s(10_000_000, now))
        assert (is_now.behind, is_now.newest, is_now.lacking) == (was.behind, was.newest, was.lacking)
        assert (is_now.last_failure, is_now.last_failure_at) == (was.last_failure, was.last_failure_at)
        assert is_now.last_success_at == was.last_success_at
    assert after.hedge_after_s(A.url) == before.hedge_after_s(A.url)


def test_a_violation_outlives_a_restart() -> None:
    before = learned()
    before.violated(A.url, "signed by nobody we trust")
    breaker = again(encoded(before, URLS), NOW + 60).of(A.url).breaker
    assert (breaker.cause, breaker.reason) == (Cause.VIOLATION, "signed by nobody we trust")
    assert [c.source for c in plan((A,), (DEB,), again(encoded(before, URLS), NOW), NOW).candidates] == []


@pytest.mark.parametrize("step_s", [-5 * YEAR_S, -3600, 3600, 5 * YEAR_S])
def test_a_wall_clock_that_was_stepped_keeps_no_source_out_beyond_the_caps(step_s: float) -> None:
    before = learned()
    before.violated(A.url, "signed by nobody we trust")
    now = before.now() + step_s
    after = again(encoded(before, URLS), now)
    assert after.of(A.url).breaker.until <= now + RULES.violation_s
    assert after.of(B.url).breaker.until <= now + RULES.retry_after_max_s
    assert after.of(A.url).overtaken_s(now + 3600) < 0.01
    back_at = now + max(RULES.violation_s, RULES.retry_after_max_s)
    assert {c.source for c in plan((A, B), (DEB,), after, back_at).candidates} == {B}
    assert {c.source for c in plan((A,), (DEB,), after, back_at).candidates} == {A}


def test_sources_that_are_configured_no_more_are_not_taken_over() -> None:
    data = encoded(learned(), URLS)
    assert set(decoded(data, {A.url}, NOW, RULES)) == {A.url}
    assert set(json.loads(encoded(learned(), {B.url}))["sources"]) == {B.url}


def test_the_file_is_bounded() -> None:
    health = Health()
    urls = [f"http://{number}.example" for number in range(SOURCES_MAX + 5)]
    for url in urls:
        health.violated(url, "x" * 100_000)
    data = encoded(health, urls)
    assert len(json.loads(data)["sources"]) == SOURCES_MAX
    assert len(data) < FILE_BYTES_MAX


BROKEN = {
    "nothing": b"",
    "half of it": encoded(learned(), URLS)[:-40],
    "another language": b"\xff\xfe\x00",
    "a newer version": b'{"version":2,"sources":[]}',
    "no version": b'{"sources":{}}',
    "nested": b"[" * 100_000,
    "no moment": b'{"version":1,"sources":{"http://a.example":{"breaker":{"until":1e400}}}}',
    "no state": b'{"version":1,"sources":{"http://a.example":{"breaker":{"state":"ajar"}}}}',
    "no share": b'{"version":1,"sources":{"http://a.example":{"lacking":-1}}}',
    "no latency": b'{"version":1,"sources":{"http://a.example":{"latency_s":["x"]}}}',
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_spoiled_or_newer_file_is_told_and_begun_without(what: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError):
        decoded(BROKEN[what], URLS, NOW, RULES)
    (tmp_path / "sources.json").write_bytes(BROKEN[what])
    health, told = Health(), list[str]()
    HealthFile(tmp_path / "sources.json", health, lambda: URLS, told.append).load()
    assert health.sources == {}
    assert len(told) == 1


def test_a_folder_in_its_place_and_a_file_without_end_are_told_too(tmp_path: Path) -> None:
    told: list[str] = []
    HealthFile(tmp_path, Health(), lambda: URLS, told.append).load()
    large = tmp_path / "sources.json"
    with large.open("wb") as file:
        file.truncate(FILE_BYTES_MAX * 4)
    HealthFile(large, Health(), lambda: URLS, told.append).load()
    assert len(told) == 2
    assert "more than" in told[1]


def test_where_there_is_no_file_yet_there_is_nothing_to_tell(tmp_path: Path) -> None:
    told: list[str] = []
    HealthFile(tmp_path / "sources.json", Health(), lambda: URLS, told.append).load()
    assert told == []


# While it runs


@asynccontextmanager
async def kept(path: Path, health: Health, told: list[str]) -> AsyncIterator[None]:
    """Within the block, the file follows what is learned."""
    task = asyncio.get_running_loop().create_task(HealthFile(path, health, lambda: URLS, told.append).keep())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def state_in(path: Path, url: str) -> str | None:
    """What the file has of a source."""
    with suppress(OSError, KeyError):
        return str(json.loads(path.read_bytes())["sources"][url]["breaker"]["state"])
    return None


def read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def names_in(directory: Path) -> list[str]:
    return [one.name for one in directory.iterdir()]


async def until_it_says(path: Path, url: str, state: State) -> None:
    """Wait for the file to say so."""
    async with asyncio.timeout(10):
        while True:
            if state_in(path, url) == state:
                return
            await asyncio.sleep(0.005)


async def test_it_is_written_soon_after_a_source_went_out_and_again_when_it_ends(tmp_path: Path) -> None:
    path, health, told = tmp_path / "sources.json", Health(), list[str]()
    async with kept(path, health, told):
        failed(health, A, Failure.UNREACHABLE)
        await until_it_says(path, A.url, State.OPEN)
        health.answered(B.url, 0.25)
    assert json.loads(path.read_bytes())["sources"][B.url]["latency_s"] == [0.25]
    assert path.stat().st_mode & 0o777 == 0o600
    assert told == []
    assert names_in(tmp_path) == ["sources.json"]
    assert health.learned == []


async def test_who_falls_behind_is_written_down_at_once(tmp_path: Path) -> None:
    path, health = tmp_path / "sources.json", Health()
    async with kept(path, health, []):
        health.note_behind(A.url, "dists/s/", 3600)
        async with asyncio.timeout(10):
            while True:
                if b"dists/s/" in read(path):
                    break
                await asyncio.sleep(0.005)


async def test_other_workers_go_by_what_the_first_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_file, "WRITE_PAUSE_S", 0.0)
    monkeypatch.setattr(health_file, "READ_EVERY_S", 0.005)
    path, now = tmp_path / "sources.json", Clock()
    first, other = (Health(now=now, random=lambda: 0.0) for _ in range(2))
    turned = asyncio.Event()
    other.changed.append(lambda *_: turned.set())
    failed(other, A, Failure.UNREACHABLE)
    turned.clear()
    following = asyncio.get_running_loop().create_task(HealthFile(path, other, lambda: URLS, print).follow())
    try:
        async with kept(path, first, []), asyncio.timeout(10):
            now.now += 60
            measured(first, A, 0.125)
            first.succeeded(A.url, size=1, seconds=1.0)
            first.violated(B.url, "signed by nobody we trust")
            await turned.wait()
            while other.of(B.url).breaker.cause is None or other.of(A.url).breaker.cause is not None:
                turned.clear()
                await turned.wait()
    finally:
        following.cancel()
    assert other.of(A.url).breaker.state is State.CLOSED
    assert other.of(B.url).breaker == first.of(B.url).breaker
    assert other.expected_s(A.url, 0) == 0.125


def test_what_another_worker_finds_counts_only_where_it_is_newer(tmp_path: Path) -> None:
    now = Clock()
    first, other = (Health(now=now, random=lambda: 0.0) for _ in range(2))
    first.succeeded(A.url, size=1, seconds=1.0)
    now.now += 1
    failed(other, A, Failure.UNREACHABLE)
    now.now += 60
    other.heard(A.url, first.of(A.url))
    assert other.of(A.url).breaker.state is State.OPEN  # it worked before it failed here
    first.succeeded(A.url, size=1, seconds=1.0)
    first.note_behind(A.url, "dists/s/", 60)
    other.heard(A.url, first.of(A.url))
    assert other.of(A.url).breaker.state is State.CLOSED
    assert other.of(A.url).behind == {"dists/s/": 60}


async def test_it_is_not_written_more_often_than_once_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_file, "WRITE_PAUSE_S", 0.2)
    written: list[bytes] = []
    monkeypatch.setattr(health_file, "write_whole", lambda _path, data: written.append(data))
    loop = asyncio.get_running_loop()
    health, begun = Health(), loop.time()
    async with kept(tmp_path / "sources.json", health, []):
        while loop.time() < begun + 0.5:
            failed(health, A, Failure.WRONG_BYTES)
            health.sources.clear()
            await asyncio.sleep(0.005)
    assert 2 <= len(written) <= 1 + (loop.time() - begun) / 0.2 + 1


async def test_a_disk_that_cannot_take_it_is_told_once_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bytes] = []
    write_whole = health_file.write_whole

    def counted(path: Path, data: bytes) -> None:
        tried.append(data)
        write_whole(path, data)

    monkeypatch.setattr(health_file, "write_whole", counted)
    monkeypatch.setattr(health_file, "WRITE_PAUSE_S", 0.0)
    path, health, told = tmp_path / "sources.json", Health(), list[str]()
    blocking = tmp_path / "sources.json.new"
    blocking.mkdir()
    async with kept(path, health, told):
        async with asyncio.timeout(10):
            while len(tried) < 4:
                failed(health, A, Failure.WRONG_BYTES)
                health.sources.clear()
                await asyncio.sleep(0.005)
        blocking.rmdir()
        failed(health, B, Failure.UNREACHABLE)
        await until_it_says(path, B.url, State.OPEN)
    assert len(told) == 1
