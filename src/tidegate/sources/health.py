"""What traffic and probes taught us about each source: whether it may be asked, and how long it will take.

`Health` belongs to one event loop. Its methods are called for every request to a source, so they cost microseconds;
what they learn is kept beyond a restart by `health_file`. The deciding is `breaker`'s and `selection`'s.
"""

import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from tidegate.sources import breaker as breakers
from tidegate.sources.breaker import Breaker, Cause, State
from tidegate.sources.estimate import Latency, blended, decayed
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.settings import HealthSettings

RATE_FROM_BYTES = 64 << 10
"""Smaller bodies tell of the latency, not of the rate."""
RATE_WEIGHT = 0.25
RATE_SECONDS_MIN = 1e-3
LACKING_WEIGHT = 1 / 16
FAILING_WEIGHT = 1 / 8
MOSTLY_WORKS_BELOW = 0.5
"""A source whose share of failures is below may go on being asked where nothing else may be."""
HEDGE_SAMPLES_MIN = 4
HEDGE_P95_TIMES = 3.0
SUPERSEDED_S = 1.0
"""Being overtaken by a rival, or too slow, makes a source look so much slower, and each time again more."""
SUPERSEDED_MAX_S = 8.0
SUPERSEDED_HALF_LIFE_S = 300.0
SUPERSEDED_LEFT = 0.25
"""What is left of that after a large body that came as it should."""
SILENT_MAX_S = 30.0
"""Requests older than this say nothing about a source: they were cancelled, or have failed."""
SUITES_MAX = 256
REASON_CHARS_MAX = 300
_OURS = frozenset({Failure.DISK, Failure.OFFLINE})
_TOO_SLOW = frozenset({Failure.SLOW, Failure.STALLED})
_AS_SHIPPED = HealthSettings()


@dataclass(slots=True)
class Standing:
    """What is known of one source. Moments are epoch seconds."""

    breaker: Breaker = field(default_factory=Breaker)
    latency: Latency = field(default_factory=Latency)
    rate_bytes_s: float | None = None
    lacking: float = 0.0
    """The share of requests, of late, for what it does not have."""
    failing: float | None = None
    """The share of requests, of late, that failed."""
    superseded_s: float = 0.0
    """By so much it looks slower than measured, at `superseded_at`, since rivals overtook it."""
    superseded_at: float = 0.0
    silent_since: float = 0.0
    """When the first of the requests went out that nothing was heard of yet; 0: none is."""
    fetched: int = 0
    fetched_bytes: int = 0
    failed: int = 0
    last_success_at: int | None = None
    last_failure_at: int | None = None
    last_failure: str | None = None
    behind: dict[str, int] = field(default_factory=dict)
    """Seconds by which its Release is older than the newest accepted one, by the suite's directory (`dists/noble/`)."""
    newest: dict[str, int] = field(default_factory=dict)
    """When it last showed the newest accepted Release, by the suite's directory."""

    def expected_s(self, size: int, now: float) -> float | None:
        """Seconds until it will have given so many bytes; None where its answering times are not known."""
        first_byte_s = self.latency.quantile(0.5)
        if first_byte_s is None:
            return None
        body_s = size / self.rate_bytes_s if self.rate_bytes_s else 0.0
        return max(first_byte_s, self.silent_s(now)) + body_s + self.overtaken_s(now)

    def silent_s(self, now: float) -> float:
        """For so long it has not answered what it is being asked."""
        silent_s = now - self.silent_since if self.silent_since else 0.0
        return silent_s if 0.0 < silent_s < SILENT_MAX_S else 0.0

    def overtaken_s(self, now: float) -> float:
        """By so much it looks slower than measured."""
        return decayed(self.superseded_s, now - self.superseded_at, SUPERSEDED_HALF_LIFE_S)


class Health:
    """The standing of every source, by its url."""

    def __init__(
        self,
        settings: HealthSettings = _AS_SHIPPED,
        *,
        now: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self.sources: dict[str, Standing] = {}
        self.changed: list[Callable[[str, Breaker, Breaker], None]] = []
        """Told of each change of state: the source, its breaker before and after."""
        self.learned: list[Callable[[], None]] = []
        """Told when something changed that others should know at once."""
        self.offline = False
        """Nobody may be asked but folders of this machine."""
        self.probed = False
        """Sources that are out are tried again by probes, so that no client has to be the one who finds out."""
        self.now = now
        self._random = random

    def of(self, source: str) -> Standing:
        """What is known of a source, nothing at first."""
        standing = self.sources.get(source)
        if standing is None:
            standing = self.sources[source] = Standing()
        return standing

    def retain(self, sources: Collection[str]) -> None:
        """Forget all others: they are not configured any more."""
        self.sources = {url: standing for url, standing in self.sources.items() if url in sources}

    def asked(self, source: str) -> None:
        """A request goes out to it; for one that was out, this is its trial."""
        standing, now = self.of(source), self.now()
        if standing.silent_s(now) == 0.0:
            standing.silent_since = now
        if standing.breaker.state is not State.CLOSED:
            self._turn(source, standing, breakers.asked(standing.breaker, now, self.settings))

    def answered(self, source: str, first_byte_s: float) -> None:
        """The head of its answer came so long after the request."""
        standing = self.of(source)
        standing.silent_since = 0.0
        standing.latency.add(first_byte_s)
        if standing.breaker.state is State.HALF_OPEN:
            self._turn(source, standing, breakers.answered(standing.breaker, self.now(), self.settings))

    def succeeded(self, source: str, *, size: int, seconds: float) -> None:
        """It gave `size` right bytes, in so many seconds from the first to the last."""
        self.delivered(source, size=size, seconds=seconds)
        self.vouched(source)

    def delivered(self, source: str, *, size: int, seconds: float) -> None:
        """It gave so many bytes; whether they are right is not known yet, so a trial is not won by that."""
        standing = self.of(source)
        standing.fetched += 1
        standing.fetched_bytes += size
        standing.silent_since = 0.0
        standing.lacking -= standing.lacking * LACKING_WEIGHT
        standing.failing = blended(standing.failing, 0.0, FAILING_WEIGHT)
        if size >= RATE_FROM_BYTES:
            rate = size / max(seconds, RATE_SECONDS_MIN)
            standing.rate_bytes_s = blended(standing.rate_bytes_s, rate, RATE_WEIGHT)
            standing.superseded_s *= SUPERSEDED_LEFT

    def vouched(self, source: str) -> None:
        """What it delivered turned out to be right."""
        standing, now = self.of(source), self.now()
        standing.last_success_at = int(now)
        if standing.breaker.strikes or standing.breaker.state is not State.CLOSED:
            self._turn(source, standing, breakers.succeeded(standing.breaker, now, self.settings))

    def probed_well(self, source: str) -> None:
        """A probe, which may come before its time, got a signed Release of it that is not behind."""
        standing = self.of(source)
        self._turn(source, standing, breakers.vouched(standing.breaker, self.now(), self.settings))

    def failed(self, source: str, error: FetchError) -> None:
        """It did not. That it lacks something is no failure of it, and our own disk is not its fault."""
        if error.failure in _OURS:
            return
        standing, now = self.of(source), self.now()
        standing.silent_since = 0.0
        if error.is_absence:
            standing.lacking = blended(standing.lacking, 1.0, LACKING_WEIGHT)
            standing.failing = blended(standing.failing, 0.0, FAILING_WEIGHT)
            # It answers, which is what a source that could not be reached was tried for.
            if standing.breaker.state is State.HALF_OPEN and standing.breaker.cause is Cause.UNREACHABLE:
                self._turn(source, standing, breakers.succeeded(standing.breaker, now, self.settings))
            return
        if error.failure in _TOO_SLOW:
            self._look_slower(standing, now)
        cause = Cause.VIOLATION if error.is_violation else Cause.UNREACHABLE
        reason = error.evidence if error.is_violation else error.in_words
        self._fail(source, standing, cause, reason, str(error), error.retry_after_s)

    def superseded(self, source: str, evidence: str) -> None:
        """A rival that was asked later was done first: slow, but not dead."""
        standing, now = self.of(source), self.now()
        standing.silent_since = 0.0
        self._look_slower(standing, now)
        if standing.breaker.state is State.HALF_OPEN:
            self._fail(source, standing, Cause.UNREACHABLE, f"is too slow ({evidence})", f"slow: {evidence}", None)

    def violated(self, source: str, reason: str) -> None:
        """It gave something that it may never give, such as a Release that nobody trusted signed."""
        self._fail(source, self.of(source), Cause.VIOLATION, reason, reason, None)

    def note_behind(self, source: str, base: str, behind_s: int) -> None:
        """Its Release of the suite in `base` is so much older than the newest accepted one; 0: it showed that one."""
        standing = self.of(source)
        was, is_now = (standing.newest, standing.behind) if behind_s > 0 else (standing.behind, standing.newest)
        if was.pop(base, None) is not None or (behind_s > 0 and base not in is_now):
            self._tell()
        if base in is_now or len(is_now) < SUITES_MAX:
            is_now[base] = behind_s if behind_s > 0 else int(self.now())

    def heard(self, source: str, elsewhere: Standing) -> None:
        """What another worker has learned: the one that probes and looks at Releases, for those that do not."""
        standing = self.of(source)
        standing.behind, standing.newest = elsewhere.behind, elsewhere.newest
        if not len(standing.latency):
            standing.latency = elsewhere.latency
        if standing.rate_bytes_s is None:
            standing.rate_bytes_s = elsewhere.rate_bytes_s
        mine, theirs = standing.breaker, elsewhere.breaker
        if theirs.cause is Cause.VIOLATION and mine.cause is not Cause.VIOLATION and theirs.at > mine.at:
            self._turn(source, standing, theirs)
        elif (
            mine.state is not State.CLOSED
            and theirs.state is State.CLOSED
            and (elsewhere.last_success_at or 0) > mine.at
        ):
            lasted = self.now() - mine.since >= self.settings.alone_after_s
            back = theirs if lasted and mine.cause is Cause.UNREACHABLE else mine
            self._turn(source, standing, breakers.succeeded(back, self.now(), self.settings))
        elif self._is_lost(standing, theirs):
            self._turn(source, standing, theirs)

    def restore(self, source: str, before: Standing) -> None:
        """Go by what was known before a drill: what was learned since came of its faults."""
        learned = self.of(source)
        before.silent_since, before.fetched, before.fetched_bytes = 0.0, learned.fetched, learned.fetched_bytes
        then, before.breaker = before.breaker, learned.breaker
        self.sources[source] = before
        self._turn(source, before, then)

    def _is_lost(self, standing: Standing, theirs: Breaker) -> bool:
        """It has been out for long elsewhere, was tried there of late, and gave nothing here meanwhile: no client here
        needs to find that out again."""
        mine, now = standing.breaker, self.now()
        return (
            theirs.state is State.OPEN
            and theirs.cause is Cause.UNREACHABLE
            and theirs.since + self.settings.alone_after_s <= now < theirs.until
            and (standing.last_success_at or 0) <= theirs.since
            and mine.at < theirs.at
            and mine.cause is not Cause.VIOLATION
        )

    def hedge_after_s(self, source: str) -> float:
        """A rival is asked after so long without an answer: three times what its answers usually take."""
        latency = self.of(source).latency
        usual_s = latency.quantile(0.95) if len(latency) >= HEDGE_SAMPLES_MIN else None
        if usual_s is None:
            return self.settings.hedge_after_unknown_s
        return min(self.settings.hedge_after_max_s, max(self.settings.hedge_after_min_s, HEDGE_P95_TIMES * usual_s))

    def expected_s(self, source: str, size: int) -> float | None:
        """Seconds until it will have given so many bytes; None where its answering times are not known."""
        return self.of(source).expected_s(size, self.now())

    @staticmethod
    def _look_slower(standing: Standing, now: float) -> None:
        # A probe that brings a small Release does not make up for it: it would be asked again, and be slow again.
        worse_s = min(SUPERSEDED_MAX_S, 2.0 * standing.overtaken_s(now) + SUPERSEDED_S)
        standing.superseded_s, standing.superseded_at = worse_s, now

    def _fail(
        self,
        source: str,
        standing: Standing,
        cause: Cause,
        reason: str,
        told: str,
        retry_after_s: float | None,
    ) -> None:
        now = self.now()
        standing.failed += 1
        standing.last_failure_at, standing.last_failure = int(now), told[:REASON_CHARS_MAX]
        standing.failing = blended(standing.failing, 1.0, FAILING_WEIGHT)
        after = breakers.failed(
            standing.breaker,
            now,
            self.settings,
            cause=cause,
            reason=reason[:REASON_CHARS_MAX],
            jitter=self._random(),
            retry_after_s=retry_after_s,
            mostly_works=standing.failing < MOSTLY_WORKS_BELOW,
        )
        self._turn(source, standing, after)

    def _turn(self, source: str, standing: Standing, after: Breaker) -> None:
        before = standing.breaker
        if after is before:
            return
        standing.breaker = after
        if before.state is not after.state or before.cause is not after.cause:
            for told in self.changed:
                told(source, before, after)
            self._tell()

    def _tell(self) -> None:
        for told in self.learned:
            told()
