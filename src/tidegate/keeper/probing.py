"""Probes: a source is asked for the signed Release of a suite, which is verified. Its status page counts for nothing.

They find out what no traffic tells: whether a source that was out is back, how quick one is that nobody asks, and
whether one stands still. Once a source has shown what is served, asking it again costs one 304.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from tidegate.archive.paths import suite_base
from tidegate.keeper.due import Probed, begun, due, first, suite_for
from tidegate.keeper.release_files import Answer, Asking, Dated, Statement, Trust, ask
from tidegate.sources.alone import may_connect
from tidegate.sources.archive import Archive, Source
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.fetching import Fetching, Unchanged
from tidegate.sources.pacing import Bucket, take
from tidegate.store.catalogue import Catalogue
from tidegate.trust.acceptance import Rules
from tidegate.trust.verdict import Reason, Refused, utc

TICK_S = 0.5
PROBE_TIMEOUT_S = 10.0
"""For the whole of one probe: at most three small files, one after the other."""
PROBES_AT_ONCE_MAX = 4
PROBES_AT_ONCE_BY_COMMAND_MAX = 16
PROBES_PER_MINUTE_MAX = 60
PROBE_BYTES_PER_MINUTE_MAX = 64 << 20
"""Of the probes that come by themselves, and so of the worst that all sources together can make us take."""
_WITHOUT_BODY = frozenset(
    {
        Failure.UNRESOLVED,
        Failure.FORBIDDEN_ADDRESS,
        Failure.UNREACHABLE,
        Failure.TLS,
        Failure.SILENT,
        Failure.STATUS,
        Failure.REDIRECT,
        Failure.OFFLINE,
    }
)


class Shown(StrEnum):
    """What a probe saw."""

    NEWEST = "newest"
    NEWER = "newer"
    BEHIND = "behind"
    REFUSED = "refused"
    LACKS_IT = "lacks it"
    FAILED = "failed"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Probe:
    """How one ended. `suite` is None where the archive has none yet, and so nothing could be asked."""

    archive: str
    source: Source
    suite: str | None
    shown: Shown
    said: str
    seconds: float = 0.0
    behind_s: int = 0

    @property
    def is_good(self) -> bool:
        """A signed Release, not older than the newest one."""
        return self.shown in (Shown.NEWEST, Shown.NEWER)


def judged(asking: Asking, source: Source, answer: Answer, seconds: float) -> Probe:
    """What an answer says of its source. Pure."""
    shown, said, behind_s = _seen(asking, answer)
    return Probe(asking.archive.name, source, asking.suite, shown, said, seconds, behind_s)


def _seen(asking: Asking, answer: Answer) -> tuple[Shown, str, int]:
    mark = asking.mark
    match answer:
        case Unchanged():
            return Shown.NEWEST, f"has the Release of {asking.suite} that is served", 0
        case Statement(accepted=accepted) if asking.served and asking.served.payload == accepted.mark.digest:
            return Shown.NEWEST, f"has the Release of {asking.suite} that is served, of {utc(accepted.mark.date)}", 0
        case Statement(accepted=accepted):
            than = "nothing is served yet" if asking.served is None else f"{utc(asking.served.date)} is served"
            return Shown.NEWER, f"has a Release of {asking.suite} of {utc(accepted.mark.date)}; {than}", 0
        case Dated(reason=Reason.OLDER_THAN_ACCEPTED, date=date) if mark is not None:
            return Shown.BEHIND, answer.evidence, mark.date - date
        case Refused(reason=reason, evidence=evidence):
            return Shown.REFUSED, f"{reason}: {evidence}", 0
        case FetchError() if answer.is_absence:
            return Shown.LACKS_IT, f"has no signed Release of {asking.suite} ({answer.evidence})", 0
        case FetchError():
            return Shown.FAILED, answer.in_words, 0


class Prober:
    """All probes of one event loop."""

    def __init__(
        self,
        archives: Mapping[str, Archive],
        fetching: Fetching,
        catalogue: Catalogue,
        trust: Trust,
        *,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._archives = archives
        self._fetching = fetching
        self._catalogue = catalogue
        self._trust = trust
        self._now = now
        self._chance = chance
        self._probed: dict[str, Probed] = {}
        self._under_way: dict[str, asyncio.Task[Probe]] = {}
        self._places = asyncio.Semaphore(PROBES_AT_ONCE_BY_COMMAND_MAX)
        self._probes: Bucket | None = None
        self._octets: Bucket | None = None
        self.answered: list[Callable[[Asking, Source, Answer], None]] = []
        """Told of each answer."""
        self.doubtful: list[Callable[[str, str], object]] = []
        """Told of archive and suite where a source has nothing that a trusted key signed: it or the vendor is to blame,
        and others, asked for the same now, show which."""

    def reconfigure(self, archives: Mapping[str, Archive]) -> None:
        """Probe these archives' sources from now on."""
        self._archives = archives

    async def run(self) -> None:
        """Probe what is due, for ever."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    self._begin_due()
                except Exception as error:  # whatever is wrong with the catalogue now may not be in a moment
                    loop.call_exception_handler({"message": "no probe could begin", "exception": error})
                await asyncio.sleep(TICK_S)
        finally:
            under_way = list(self._under_way.values())
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def probe_now(self, names: Iterable[str]) -> "list[asyncio.Future[Probe]]":
        """Probe every source of these archives, whatever is known of it; one under way is shared."""
        suites = self._suites()
        return [
            self._under_way.get(source.url) or self._begin_by_command(self._archives[name], source, suites[name])
            for name in names
            for source in self._archives[name].sources
        ]

    def probe_soon(self, urls: Iterable[str]) -> None:
        """Probe these as if nothing had been heard of them for long."""
        for url in urls:
            if url in self._probed:
                self._probed[url] = replace(self._probed[url], at=0.0, next_at=0.0)

    # When

    def _begin_due(self) -> None:
        now, health = self._now(), self._fetching.health
        known = {
            source.url: (archive, source)
            for archive in self._archives.values()
            for source in archive.sources
            if may_connect(source, health)
        }
        self._probed = {url: self._probed.get(url) or first(now, self._chance()) for url in known}
        idle = known.keys() - self._under_way.keys()
        waiting = due(idle, health, self._probed, now, health.settings.probe_interval_s)
        suites = self._suites() if waiting else {}
        for one in waiting:
            archive, source = known[one.source]
            suite = self._suite_for(source, suites[archive.name], now)
            if suite is None:
                continue
            if len(self._under_way) >= PROBES_AT_ONCE_MAX or not self._allowed():
                return
            self._begin(archive, source, suite)

    def _suites(self) -> dict[str, tuple[str, ...]]:
        """Each archive's suites, the one with the newest Release first: it is the one that moves most."""
        served = sorted(self._catalogue.served(), key=lambda one: -one.date)
        return {
            name: tuple(dict.fromkeys((*(one.suite for one in served if one.archive == name), *archive.suites)))
            for name, archive in self._archives.items()
        }

    def _suite_for(self, source: Source, suites: tuple[str, ...], now: float) -> str | None:
        health = self._fetching.health
        behind = [suite for suite in suites if suite_base(suite) in health.of(source.url).behind]
        return suite_for(suites, behind, self._probed[source.url], now, health.settings.probe_interval_s)

    def _allowed(self) -> bool:
        """Take one from this minute's probes; False where none is left, of them or of the bytes."""
        now = asyncio.get_running_loop().time()
        probes, wait_s = take(self._probes, now, 1, per_minute=PROBES_PER_MINUTE_MAX)
        _, owed_s = take(self._octets, now, 0, per_minute=PROBE_BYTES_PER_MINUTE_MAX)
        if wait_s > 0 or owed_s > 0:
            return False
        self._probes = probes
        return True

    # One probe

    def _begin_by_command(self, archive: Archive, source: Source, suites: tuple[str, ...]) -> "asyncio.Future[Probe]":
        if suites:
            return self._begin(archive, source, suites[0])
        unasked: asyncio.Future[Probe] = asyncio.get_running_loop().create_future()
        said = "no suite of this archive is known yet, so there is no Release to ask for"
        unasked.set_result(Probe(archive.name, source, None, Shown.NOT_ASKED, said))
        return unasked

    def _begin(self, archive: Archive, source: Source, suite: str) -> "asyncio.Task[Probe]":
        now = self._now()
        before = self._probed.get(source.url) or first(now, self._chance())
        interval_s = self._fetching.health.settings.probe_interval_s
        self._probed[source.url] = begun(before, suite, now, interval_s, self._chance())
        task = asyncio.get_running_loop().create_task(self._probe(archive, source, suite))
        self._under_way[source.url] = task
        task.add_done_callback(lambda _: self._under_way.pop(source.url, None))
        return task

    async def _probe(self, archive: Archive, source: Source, suite: str) -> Probe:
        loop = asyncio.get_running_loop()
        async with self._places:
            asking = self._asking(archive, suite)
            begun_at, standing = loop.time(), self._fetching.health.of(source.url)
            before = standing.fetched_bytes
            try:
                answer = await self._answer(asking, source)
                spent = _octets(answer, standing.fetched_bytes - before, self._fetching.settings.release_bytes_max)
                self._octets, _ = take(self._octets, loop.time(), spent, per_minute=PROBE_BYTES_PER_MINUTE_MAX)
                probe = judged(asking, source, answer, loop.time() - begun_at)
                await self._learn(asking, probe, answer)
            except Exception as error:
                # A defect of ours, or a full disk: it must not end the probing of all others.
                loop.call_exception_handler({"message": f"probe of {source.url} failed", "exception": error})
                said = f"the probe failed here: {type(error).__name__}: {error}"
                return Probe(archive.name, source, suite, Shown.FAILED, said, loop.time() - begun_at)
        return probe

    def _asking(self, archive: Archive, suite: str) -> Asking:
        settings = self._trust.settings
        return Asking(
            archive,
            suite,
            self._trust.marks.get(archive.name, suite),
            self._catalogue.snapshot(archive.name, suite),
            Rules(settings.future_skew_s, archive.accept_info_change, archive.strict_for(suite)),
            int(self._now()),
        )

    async def _answer(self, asking: Asking, source: Source) -> Answer:
        known = self._catalogue.validator(source.url, suite_base(asking.suite))
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                return await ask(asking, source, self._fetching, self._trust.verifier, known)
        except FetchError as error:
            return error
        except TimeoutError:
            late = FetchError(Failure.SLOW, f"no whole Release within {PROBE_TIMEOUT_S:g} s")
            self._fetching.health.failed(source.url, late)
            return late

    async def _learn(self, asking: Asking, probe: Probe, answer: Answer) -> None:
        if probe.is_good:
            self._fetching.health.probed_well(probe.source.url)
        for tell in self.answered:
            tell(asking, probe.source, answer)
        if isinstance(answer, Statement):
            note = partial(self._catalogue.note_validator, probe.source.url, suite_base(asking.suite))
            with contextlib.suppress(OSError):  # asked in full again next time
                await asyncio.to_thread(note, answer.validator)
        if probe.shown is Shown.REFUSED and not isinstance(answer, Dated):
            for look in self.doubtful:
                look(probe.archive, asking.suite)


def _octets(answer: Answer, delivered: int, size_max: int) -> int:
    """Bytes that it took, at most: `delivered` is what came whole meanwhile; what was cut off, nobody has counted."""
    if isinstance(answer, FetchError) and answer.failure not in _WITHOUT_BODY:
        return size_max
    return min(delivered, size_max)
