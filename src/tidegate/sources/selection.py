"""Which source is asked, and in which order. Pure: a plan with a reason for each that is passed over.

Sources that may be asked are ranked by the seconds that each is expected to take for this very size. Those that are
about as fast as the fastest one keep the order that their owner gave them; what the owner ranked by priority stays so
ranked, unless it is slow beyond reason. Operators take turns, since what fails one source of an operator often fails
the next. A source that was never measured ranks by a guess (`GUESSED_FIRST_BYTE_S`): below a source that is known to be
quick, above one that is known to be slow. So no client waits for somebody unknown while somebody good is known; probes
make the unknown known.

Behind all of these come sources that were out and are due for a trial, and then those that are out and yet mostly work.
Only where nothing else may be asked, those that gave wrong bytes are: a wrong answer costs only time.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from tidegate.archive.paths import is_artifact
from tidegate.sources.alone import Alone, alone, may_connect
from tidegate.sources.archive import Source
from tidegate.sources.breaker import Breaker, Cause, State, may_ask, may_ask_at_last
from tidegate.sources.failure import Excluded
from tidegate.sources.health import Health, Standing
from tidegate.sources.words import clock, span

GUESSED_FIRST_BYTE_S = 0.3
GUESSED_RATE_BYTES_S = 4 << 20
NEAR_S = 0.05
NEAR_SHARE = 0.25
"""Within so much of the fastest, sources count as equally fast."""
SLOW_S = 0.5
SLOW_TIMES = 3.0
"""Beyond both of these, a source is slow: neither its priority nor its operator brings it forward."""
LACKING_MAX = 0.9
LACKING_BEHIND = 0.5
"""A source that is behind lacks what is new: as if so large a share of requests were in vain."""
TRIAL_LOOK_S = 0.25
"""A trial's outcome is worth a look after so long, where one waits for it."""
OFFLINE = "is not asked: this gateway was told to stay offline (fetch.offline, --offline)"
_RELEASES = ("InRelease", "Release", "Release.gpg")

_CHANGING = (
    "Packages",
    "Sources",
    "Contents-",
    "Translation-",
    "Components-",
    "Commands-",
    "Release",
    "InRelease",
    "icons-",
    "Index",
    "MD5SUMS",  # of the installer's images, which some Releases list
    "SHA256SUMS",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place to ask for one thing: a source and the path it has there.

    `lasting`: the name belongs to these bytes for good (a pool file, a by-hash name); other bytes under it are a lie,
    while under the plain name of an index they are merely another version. After `hedge_after_s` without an answer
    the next one is asked as well.
    """

    source: Source
    path: str
    lasting: bool
    hedge_after_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Candidates, best first, and the sources that are not asked.

    `again_at`: when (epoch seconds) another plan may have more candidates, since one that is out may be asked then.
    `alone`: nothing can be had from any source, and waiting for `again_at` is not worth it.
    """

    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    again_at: float | None = None
    alone: Alone | None = None


def is_lasting(path: str) -> bool:
    """Whether a path names the same bytes for ever."""
    return "/by-hash/" in path or not path.rpartition("/")[2].startswith(_CHANGING)


def plan(
    sources: Sequence[Source],
    paths: Sequence[str],
    health: Health,
    now: float,
    *,
    size: int | None = None,
    without: Collection[str] = (),
) -> Plan:
    """Who is asked for an object of this size (None: a small one) now (epoch seconds), and who is not, and why.

    `paths` are names for the same bytes, the surest first (by-hash before plain): each source is asked for the
    first, then for the next. `without`: urls of sources that are left out, without a word.
    """
    left = [source for source in sources if source.url not in without]
    lost = alone(sources, health, now)
    if lost is not None and (health.probed or lost.since is None):
        return Plan((), tuple(_excluded(source, health, now) for source in left), now + TRIAL_LOOK_S, lost)
    unreached = [_excluded(source, health, now) for source in left if not may_connect(source, health)]
    found = _sort_out([source for source in left if may_connect(source, health)], paths, health, now)
    found.excluded += unreached
    asked = [source for group in found.groups for source in _ranked(group, health, now, size or 0)]
    if not asked:
        asked = _ranked(found.liars, health, now, size or 0)
    chosen = {source.url for source in asked}
    excluded = tuple(one for one in found.excluded if one.source not in chosen)
    lasting = [(path, is_lasting(path)) for path in paths]
    candidates = tuple(
        Candidate(source, path, lasts, health.hedge_after_s(source.url)) for source in asked for path, lasts in lasting
    )
    return Plan(candidates, excluded, found.again_at(now, anybody=bool(asked)), None if asked else lost)


@dataclass(slots=True)
class _Sorted:
    """Sources by whether they may be asked."""

    closed: list[Source] = field(default_factory=list)
    due: list[Source] = field(default_factory=list)
    at_hand: list[Source] = field(default_factory=list)
    """Out for a moment, and yet better than nobody."""
    liars: list[Source] = field(default_factory=list)
    """They gave wrong bytes; asked only where all other groups are empty."""
    excluded: list[Excluded] = field(default_factory=list)
    out: list[Breaker] = field(default_factory=list)

    @property
    def groups(self) -> tuple[list[Source], ...]:
        """Those that are asked, one group after the other."""
        return self.closed, self.due, self.at_hand

    def again_at(self, now: float, *, anybody: bool) -> float | None:
        """When it is worth making another plan."""
        moments = [_worth_asking_at(breaker, now, at_last=not anybody) for breaker in self.out]
        return min((moment for moment in moments if moment > now), default=None)


def _sort_out(sources: Iterable[Source], paths: Sequence[str], health: Health, now: float) -> _Sorted:
    found = _Sorted()
    for source in sources:
        breaker = health.of(source.url).breaker
        if breaker.state is State.CLOSED:
            found.closed.append(source)
            continue
        is_liar, is_due = breaker.cause is Cause.VIOLATION, may_ask(breaker, now)
        if is_due and not is_liar:
            found.due.append(source)
            continue
        found.out.append(breaker)
        is_at_hand = may_ask_at_last(breaker, now)
        if is_at_hand:
            (found.liars if is_liar else found.at_hand).append(source)
        if is_liar or not is_at_hand:
            found.excluded.append(Excluded(source.url, why_out(breaker, now)))
    _leave_behind(found, paths, health)
    return found


def _excluded(source: Source, health: Health, now: float) -> Excluded:
    """One that is not asked, whatever for."""
    if not may_connect(source, health):
        return Excluded(source.url, OFFLINE)
    return Excluded(source.url, why_out(health.of(source.url).breaker, now))


def _leave_behind(found: _Sorted, paths: Sequence[str], health: Health) -> None:
    """Exclude who is known to be behind for the suite whose index is wanted, while somebody is not."""
    asked = [source for group in found.groups for source in group]
    if len(asked) < 2 or not any(health.of(source.url).behind for source in asked):
        return
    lagging = {
        source.url: Excluded(source.url, f"is behind by {span(behind_s)} for {base.rstrip('/') or 'this archive'}")
        for source in asked
        for base, behind_s in health.of(source.url).behind.items()
        if any(_is_index_below(path, base) for path in paths)
    }
    if len(lagging) < len(asked):
        for group in found.groups:
            group[:] = [source for source in group if source.url not in lagging]
        found.excluded += lagging.values()


def _is_index_below(path: str, base: str) -> bool:
    """Whether a path is one of a suite's indices. Its Release is asked for all the same: how else to learn of news."""
    name = path.rpartition("/")[2]
    return path.startswith(base) and name not in _RELEASES and not is_artifact(name) and path != ""


def _ranked(sources: Sequence[Source], health: Health, now: float, size: int) -> list[Source]:
    """Best first; operators take turns among those that are not slow, and then among those that are."""
    if len(sources) < 2:
        return list(sources)
    standings = [health.of(source.url) for source in sources]
    costs = [_cost_s(standing, now, size) for standing in standings]
    best = min(costs)
    near, slow = best + max(NEAR_S, best * NEAR_SHARE), max(best + SLOW_S, best * SLOW_TIMES)
    keys = [
        (cost > slow, source.priority, cost if cost > near else 0.0, bool(standing.behind), index)
        for index, (source, standing, cost) in enumerate(zip(sources, standings, costs, strict=True))
    ]
    order = [(key[0], sources[key[-1]]) for key in sorted(keys)]
    return _taking_turns([source for is_slow, source in order if not is_slow]) + _taking_turns(
        [source for is_slow, source in order if is_slow]
    )


def _taking_turns(ranked: list[Source]) -> list[Source]:
    """The same sources, as little changed in order as lets neighbours be of different operators where that can be."""
    left, order = ranked, list[Source]()
    while left:
        last = order[-1].operator if order else None
        chosen = next((source for source in left if source.operator != last), left[0])
        left.remove(chosen)
        order.append(chosen)
    return order


def _cost_s(standing: Standing, now: float, size: int) -> float:
    """Seconds to be expected, requests in vain included."""
    expected = standing.expected_s(size, now)
    if expected is None:
        guessed = max(GUESSED_FIRST_BYTE_S, standing.silent_s(now)) + size / GUESSED_RATE_BYTES_S
        expected = guessed + standing.overtaken_s(now)
    elif standing.rate_bytes_s is None:
        expected += size / GUESSED_RATE_BYTES_S
    lacking = max(standing.lacking, LACKING_BEHIND) if standing.behind else standing.lacking
    return expected / (1.0 - min(lacking, LACKING_MAX))


# In words


def why_out(breaker: Breaker, now: float) -> str:
    """Why a source is not asked, and what comes next, for somebody who is tired."""
    since = clock(breaker.since, now)
    if breaker.cause is Cause.VIOLATION:
        then = f"not before {clock(breaker.until, now)}" if now < breaker.until else "once a probe finds it right again"
        return f"gave wrong bytes at {since}: {breaker.reason}; asked again {then}, unless nothing else is left"
    if breaker.state is State.HALF_OPEN:
        return f"{breaker.reason}, since {since}; is being tried again for {span(now - breaker.at)}"
    times = "once" if breaker.strikes == 1 else f"{breaker.strikes} times in a row"
    return f"{breaker.reason}, since {since}, {times}; next try in {span(breaker.until - now)}"


def _worth_asking_at(breaker: Breaker, now: float, *, at_last: bool) -> float:
    if breaker.state is State.HALF_OPEN:
        return min(breaker.until, now + TRIAL_LOOK_S)
    return breaker.next_at if at_last else breaker.until
