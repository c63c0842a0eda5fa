"""Keeps what sources showed of each suite, and tells those whom it concerns: their health, the journal.

Looks and probes report here, each answer as it comes, late ones too: one place, so that a source is judged alike
whoever asked it.
"""

from collections.abc import Callable
from math import inf

from tidegate.archive.paths import suite_base
from tidegate.keeper.record import Record
from tidegate.keeper.release_files import Answer, Asking, Dated, Statement
from tidegate.keeper.sightings import Finding, Found, Sighting, Sightings
from tidegate.sources.archive import Archive, Source
from tidegate.sources.failure import Excluded, FetchError
from tidegate.sources.fetching import Unchanged
from tidegate.sources.health import Health
from tidegate.store.catalogue import Catalogue, SuiteKey
from tidegate.store.marks import Marks
from tidegate.trust.verdict import Reason, Refused, utc

NOBODYS_FAULT = frozenset(
    {
        Reason.EMPTY_KEYRING,
        Reason.VERIFIER_FAILED,
        Reason.VERIFIERS_DISAGREE,
        Reason.INFO_CHANGED,
        Reason.SIGNERS_CHANGED,
        Reason.CLOCK_BEHIND,
        Reason.WEAK_INDEX_DIGESTS,
    }
)
"""Refusals that say nothing about the source. What is only too old, expired or from the future comes as `Dated`."""
DIGEST_CHARS = 16


class Observer:
    """Belongs to one event loop."""

    def __init__(
        self, health: Health, marks: Marks, catalogue: Catalogue, record: Record, now: Callable[[], float]
    ) -> None:
        self._health = health
        self._marks = marks
        self._catalogue = catalogue
        self._record = record
        self._now = now
        self._suites: dict[SuiteKey, Sightings] = {}
        self._first_shown: dict[SuiteKey, dict[bytes, float]] = {}

    def saw(self, asking: Asking, source: Source, answer: Answer) -> None:
        """A source answered, or failed to: take it in, and tell what follows from it."""
        archive, suite = asking.archive, asking.suite
        if _is_honest(answer):
            self._health.vouched(source.url)
        match answer:
            case FetchError():
                self._record.passed_over("source-failed", archive, suite, Excluded(source.url, str(answer)))
            case Refused(reason, evidence):
                excluded = Excluded(source.url, f"{reason}: {evidence}")
                self._record.passed_over("refused", archive, suite, excluded)
            case Statement(_, accepted):
                self._record.forget(archive, suite, source.url, "source-failed", "refused")
                for alarm in accepted.alarms:
                    self._alarm(archive, suite, source, alarm)
            case Unchanged():
                self._record.forget(archive, suite, source.url, "source-failed", "refused")
        for found in self._findings(asking, source, answer):
            self._tell(archive, suite, found)

    def adopted(self, archive: Archive, suite: str) -> None:
        """The newest Release is served now: who shows an older one lacks its indices."""
        for found in self.of(archive, suite).compared():
            if found.finding is Finding.BEHIND:
                self._health.note_behind(found.source, suite_base(suite), found.behind_s)

    def of(self, archive: Archive, suite: str) -> Sightings:
        """What is known of a suite; at first that which was accepted before this process began."""
        key = (archive.name, suite)
        known = self._suites.get(key)
        if known is None:
            mark = self._marks.get(*key)
            newest = None if mark is None else Sighting("", "", mark.date, mark.digest, -inf, accepted=True)
            known = self._suites[key] = Sightings(newest)
        return known

    def retain(self, suites: frozenset[SuiteKey]) -> None:
        """Forget all other suites."""
        self._suites = {key: known for key, known in self._suites.items() if key in suites}
        self._first_shown = {key: known for key, known in self._first_shown.items() if key in suites}

    def waited_s(self, archive: Archive, suite: str, payload: bytes) -> float:
        """How long ago this Release was first shown to this process, while anybody went on showing it; 0 for news."""
        shown = self._first_shown.setdefault((archive.name, suite), {})
        standing = {one.payload for one in self.of(archive, suite).by_source.values()} | {payload}
        for gone in shown.keys() - standing:
            del shown[gone]
        return max(0.0, self._now() - shown.setdefault(payload, self._now()))

    def split_view(self, archive: Archive, suite: str) -> str:
        """The two sides of a split view, in a sentence; empty while all agree."""
        split = self.of(archive, suite).split()
        if split is None:
            return ""
        first, second = split
        return (
            f"two validly signed Releases carry the Date {utc(first.date)}: {first.source or 'accepted before'} shows"
            f" {_short(first.payload)}, {second.source} shows {_short(second.payload)}; ask the archive's operator"
        )

    def _findings(self, asking: Asking, source: Source, answer: Answer) -> tuple[Found, ...]:
        known, asked = self.of(asking.archive, asking.suite), float(asking.now)
        known.retain(frozenset(one.url for one in asking.archive.sources))
        match answer:
            case Statement():
                mark = answer.accepted.mark
                return known.saw(Sighting(source.url, source.operator, mark.date, mark.digest, asked, accepted=True))
            case Unchanged():
                served = asking.served
                assert served is not None
                return known.saw(
                    Sighting(source.url, source.operator, served.date, served.payload, asked, accepted=True)
                )
            case Dated() if answer.reason not in (Reason.WRONG_SUITE, Reason.INFO_CHANGED):
                return known.saw(
                    Sighting(source.url, source.operator, answer.date, answer.payload, asked, accepted=False)
                )
            case Refused(reason, evidence) if reason not in NOBODYS_FAULT:
                return known.doubted(source.url, asked, f"{reason}: {evidence}")
            case _:
                return ()

    def _tell(self, archive: Archive, suite: str, found: Found) -> None:
        base, newest = suite_base(suite), self.of(archive, suite).newest
        assert newest is not None or found.finding is Finding.LIED
        match found.finding:
            case Finding.CURRENT:
                self._health.note_behind(found.source, base, 0)
                self._record.forget(archive, suite, found.source, "behind")
            case Finding.BEHIND:
                assert newest is not None
                date, behind_s = newest.date - found.behind_s, found.behind_s
                # As long as the newest cannot be adopted, who is behind is where the next newest comes from.
                if not newest.source or self._is_served(archive, suite, newest.payload):
                    self._health.note_behind(found.source, base, behind_s)
                self._record.note_once(
                    "behind", archive, suite, found.source, str(date), source=found.source, date=date, behind_s=behind_s
                )
            case Finding.SPLIT:
                self._tell_split(archive, suite)
            case Finding.LIED:
                self._health.violated(found.source, found.reason)

    def _is_served(self, archive: Archive, suite: str, payload: bytes) -> bool:
        served = self._catalogue.snapshot(archive.name, suite)
        return served is not None and served.payload == payload

    def _alarm(self, archive: Archive, suite: str, source: Source, alarm: Refused) -> None:
        """Told once in a life of this process: an unknown second signer stays on every Release, at every source."""
        reason, evidence = alarm.reason, alarm.evidence
        about = f"{reason}: {evidence}"
        self._record.alarm(
            "alarm", archive, suite, about, evidence, source=source.url, reason=reason, evidence=evidence
        )

    def _tell_split(self, archive: Archive, suite: str) -> None:
        split = self.of(archive, suite).split()
        assert split is not None
        first, second = split
        self._record.alarm(
            "split-view",
            archive,
            suite,
            f"{first.payload.hex()} {second.payload.hex()}",
            self.split_view(archive, suite),
            date=first.date,
            payload=first.payload.hex(),
            source=first.source,
            other_payload=second.payload.hex(),
            other_source=second.source,
        )


def _is_honest(answer: Answer) -> bool:
    """Something that a trusted key signed, be it old; or what is refused for reasons that no source can help."""
    match answer:
        case FetchError():
            return False
        case Refused(reason) if not isinstance(answer, Dated):
            return reason in NOBODYS_FAULT
        case _:
            return True


def _short(digest: bytes) -> str:
    return digest.hex()[:DIGEST_CHARS]
