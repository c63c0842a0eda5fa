"""What one worker learns of its sources, written down and told where it is news for the gateway as a whole."""

from collections.abc import Callable, Mapping

from tidegate.sources.archive import Archive
from tidegate.sources.breaker import Breaker, Cause, State
from tidegate.sources.flight import Flight
from tidegate.sources.health import Health
from tidegate.sources.outages import Outages, is_news_for_all
from tidegate.store.journal_writer import JournalWriter
from tidegate.wiring.news import News, Tell


class SourceNews:
    """Belongs to one event loop. `turned` and `landed` are to be called by `Health` and `Fetching`."""

    def __init__(
        self,
        health: Health,
        archives: Callable[[], Mapping[str, Archive]],
        outages: Outages,
        mine: int,
        journal: JournalWriter,
        tell: Tell,
    ) -> None:
        """`mine`: which worker this is. Tells of what was out for whoever was it before, and is for nobody now."""
        self._health, self._archives = health, archives
        self._outages, self._mine = outages, mine
        self._journal, self._tell = journal, tell
        before = outages.read(mine)
        for source in set(before) - set(self._out()):
            reason = "the worker that left it alone ended"
            self.turned(source, Breaker(State.OPEN, before[source], reason=reason), Breaker())
        outages.write(mine, self._out())

    def turned(self, source: str, before: Breaker, after: Breaker) -> None:
        """A breaker of this worker changed."""
        elsewhere = self._outages.elsewhere(self._mine, source)
        self._outages.write(self._mine, self._out())
        if not is_news_for_all(before, after, elsewhere):
            return
        cause, reason = after.cause or before.cause, after.reason or before.reason
        sources = (each for one in self._archives().values() for each in one.sources)
        operators = {each.operator for each in sources if each.url == source}
        self._journal.note(
            "source-state",
            source,
            archives=self._archives_of(source),
            operator=",".join(sorted(operators)),
            before=before.state.value,
            after=after.state.value,
            cause=cause and cause.value,
            reason=reason,
        )
        if after.state is State.CLOSED:
            self._tell(News("info", "source", f"{source} is well again; it had been out: {reason}"))
        else:
            self._tell(News("warning", "source", f"{source} is left alone: {reason}"))

    def landed(self, flight: Flight) -> None:
        """A fetch has ended, one way or another."""
        digest = flight.wanted.digest.hex()
        for violation in flight.violations:
            self._journal.note("violation", violation.source, reason=violation.reason, digest=digest)
            self._tell(News("error", "violation", f"{violation.source} gave wrong bytes: {violation.reason}"))
        if flight.complete:
            for left in flight.left:
                self._journal.note(
                    "failover",
                    left.source,
                    archives=self._archives_of(left.source),
                    to=flight.source,
                    digest=digest,
                    at_byte=left.at_byte,
                    reason=left.reason,
                )
        if flight.failed and flight.alone is None:  # alone, every request fails, and that is written down once
            self._journal.note("fetch-failed", digest, reason=flight.failure)

    def _out(self) -> dict[str, Cause]:
        known = ((url, standing.breaker) for url, standing in self._health.sources.items())
        return {url: one.cause or Cause.UNREACHABLE for url, one in known if one.state is not State.CLOSED}

    def _archives_of(self, source: str) -> str:
        archives = self._archives().values()
        return ",".join(one.name for one in archives if any(each.url == source for each in one.sources))
