"""`STATE/sources.json`: what was learned of the sources, so that a restart does not learn it from clients again.

The worker that probes writes it; the others read it, and so know what it found.
It is a memory, not a record: where it is missing, spoiled, or of a newer program, the gateway begins without it.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tidegate.sources.breaker import Breaker, Cause, State, restored
from tidegate.sources.estimate import SAMPLES_MAX, Latency
from tidegate.sources.health import REASON_CHARS_MAX, SUITES_MAX, Health, Standing
from tidegate.sources.settings import HealthSettings

VERSION = 1
FILE_BYTES_MAX = 16 << 20
SOURCES_MAX = 2_000
WRITE_PAUSE_S = 1.0
READ_EVERY_S = 2.0
ESTIMATES_EVERY_S = 300.0

_Moment = Annotated[float, Meta(ge=0, le=1e11)]
_Seconds = Annotated[float, Meta(ge=0, le=1e6)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Text = Annotated[str, Meta(max_length=REASON_CHARS_MAX)]


class _Breaker(Struct, frozen=True, omit_defaults=True):
    state: State = State.CLOSED
    cause: Cause | None = None
    strikes: Annotated[int, Meta(ge=0, le=10_000)] = 0
    since: _Moment = 0.0
    until: _Moment = 0.0
    reason: _Text = ""
    next_at: _Moment = 0.0
    at: _Moment = 0.0


class _Standing(Struct, frozen=True, omit_defaults=True):
    breaker: _Breaker = _Breaker()
    latency_s: Annotated[tuple[_Seconds, ...], Meta(max_length=SAMPLES_MAX)] = ()
    rate_bytes_s: Annotated[float, Meta(gt=0, le=1e12)] | None = None
    lacking: _Share = 0.0
    failing: _Share | None = None
    superseded_s: _Seconds = 0.0
    superseded_at: _Moment = 0.0
    last_success_at: Annotated[int, Meta(ge=0)] | None = None
    last_failure_at: Annotated[int, Meta(ge=0)] | None = None
    last_failure: _Text | None = None
    behind: Annotated[dict[str, Annotated[int, Meta(gt=0)]], Meta(max_length=SUITES_MAX)] = {}
    newest: Annotated[dict[str, Annotated[int, Meta(gt=0)]], Meta(max_length=SUITES_MAX)] = {}


class _File(Struct, frozen=True):
    version: int
    sources: dict[str, _Standing]


class _Version(Struct, frozen=True):
    version: int


class UnusableFileError(ValueError):
    """What is in the file is not what this program writes."""


def encoded(health: Health, configured: Collection[str]) -> bytes:
    """What is known of the sources that are configured, at most SOURCES_MAX of them."""
    known = [(url, standing) for url, standing in health.sources.items() if url in configured]
    return msgspec.json.encode(_File(VERSION, {url: _kept(standing) for url, standing in known[:SOURCES_MAX]}))


def decoded(data: bytes, configured: Collection[str], now: float, rules: HealthSettings) -> dict[str, Standing]:
    """The standings that were written down, of sources that are still configured, held to today's clock and caps.

    Raises UnusableFileError.
    """
    try:
        if msgspec.json.decode(data, type=_Version).version != VERSION:
            raise UnusableFileError("it is of another version of this program")
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnusableFileError(str(error)) from None
    known = [(url, kept) for url, kept in file.sources.items() if url in configured]
    return {url: _standing(kept, now, rules) for url, kept in known[:SOURCES_MAX]}


def _kept(standing: Standing) -> _Standing:
    breaker = standing.breaker
    return _Standing(
        breaker=_Breaker(
            breaker.state,
            breaker.cause,
            breaker.strikes,
            breaker.since,
            breaker.until,
            breaker.reason,
            breaker.next_at,
            breaker.at,
        ),
        latency_s=tuple(round(sample, 6) for sample in standing.latency.samples()),
        rate_bytes_s=standing.rate_bytes_s,
        lacking=standing.lacking,
        failing=standing.failing,
        superseded_s=standing.superseded_s,
        superseded_at=standing.superseded_at,
        last_success_at=standing.last_success_at,
        last_failure_at=standing.last_failure_at,
        last_failure=standing.last_failure,
        behind=dict(standing.behind),
        newest=dict(standing.newest),
    )


def _standing(kept: _Standing, now: float, rules: HealthSettings) -> Standing:
    told = kept.breaker
    breaker = Breaker(told.state, told.cause, told.strikes, told.since, told.until, told.reason, told.next_at, told.at)
    return Standing(
        breaker=restored(breaker, now, rules),
        latency=Latency(kept.latency_s),
        rate_bytes_s=kept.rate_bytes_s,
        lacking=kept.lacking,
        failing=kept.failing,
        superseded_s=kept.superseded_s,
        superseded_at=min(kept.superseded_at, now),
        last_success_at=kept.last_success_at,
        last_failure_at=kept.last_failure_at,
        last_failure=kept.last_failure,
        behind=dict(kept.behind),
        newest={base: min(at, int(now)) for base, at in kept.newest.items()},
    )


class HealthFile:
    """Reads a `Health` from its file, and writes it there while the program runs."""

    def __init__(
        self,
        path: Path,
        health: Health,
        configured: Callable[[], Collection[str]],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._path = path
        self._health = health
        self._configured = configured
        self._on_trouble = on_trouble
        self._in_trouble = False
        self._writing = threading.Lock()
        self._paused = False

    def load(self) -> None:
        """Take over what an earlier life wrote down. What cannot be used is told, and begun without."""
        self._health.sources.update(self._read())

    def keep_learning(self, wanted: bool) -> None:
        """Whether what is learned from now on is to be written down: not what a drill staged."""
        self._paused = not wanted

    async def keep(self) -> None:
        """Write soon after something changed, and now and then for the estimates. Ends by being cancelled."""
        changed = asyncio.Event()
        self._health.learned.append(changed.set)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ESTIMATES_EVERY_S):
                        await changed.wait()
                changed.clear()
                await self._save()
                await asyncio.sleep(WRITE_PAUSE_S)
        finally:
            self._health.learned.remove(changed.set)
            if not self._paused:
                self._tried(self._written(self._encoded()))

    async def follow(self) -> None:
        """Go by what the worker that keeps the file has learned since. Ends by being cancelled."""
        seen, known = self._stamp(), dict[str, Standing]()
        while True:
            await asyncio.sleep(READ_EVERY_S)
            stamp = self._stamp()
            if stamp != seen:
                seen, known = stamp, await asyncio.to_thread(self._read)
            for url, standing in known.items():  # each time anew: what was too early for a breaker may be due now
                self._health.heard(url, standing)

    def _stamp(self) -> tuple[int, int] | None:
        """Another one with each file that was put there."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _read(self) -> dict[str, Standing]:
        try:
            with self._path.open("rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
            if len(data) > FILE_BYTES_MAX:
                raise UnusableFileError(f"it has more than {FILE_BYTES_MAX:,} bytes")
            return decoded(data, self._configured(), self._health.now(), self._health.settings)
        except FileNotFoundError:
            return {}
        except (OSError, UnusableFileError) as error:
            self._on_trouble(f"what was known of the sources is forgotten, {self._path} cannot be used: {error}")
            return {}

    async def _save(self) -> None:
        if not self._paused:
            self._tried(await asyncio.to_thread(self._written, self._encoded()))

    def _encoded(self) -> bytes:
        return encoded(self._health, self._configured())

    def _written(self, data: bytes) -> str | None:
        """The file replaced by another, whole or not at all; why it was not."""
        try:
            with self._writing:  # the last one may come while another is being written
                write_whole(self._path, data)
        except OSError as error:
            return f"what is known of the sources cannot be written to {self._path}: {error}"
        return None

    def _tried(self, trouble: str | None) -> None:
        if trouble is not None and not self._in_trouble:
            self._on_trouble(trouble)
        self._in_trouble = trouble is not None


def write_whole(path: Path, data: bytes) -> None:
    """Put bytes in place of a file, durably: whoever reads sees the old ones or the new ones. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(new, path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
