"""What must be so in every history. Each property takes a record and says what is wrong, in sentences.

The bounds are promises of the product; each says where it comes from.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator

from tests.histories.door import Answer
from tests.histories.faults import DEAD, Fault
from tests.histories.history import HEALTH, KEEPER, Record
from tests.histories.network import Asked, Place
from tests.histories.vendor import BEGIN, SUITES, Vendor
from tidegate.sources.breaker import requests_max
from tidegate.sources.flight import ROUNDS_MAX
from tidegate.sources.health import FAILING_WEIGHT, MOSTLY_WORKS_BELOW

Property = Callable[[Record, Vendor], Iterator[str]]

WITHIN_S = 2.0
"""With one honest, healthy source a request is answered whole within so long, beside what its bytes take there."""
RELEASE_REQUESTS_PER_MINUTE_MAX = 30
"""To one source, for the statements of all suites: looks are shared, and back off."""
FRESH_WITHIN_S = 1.2 * (KEEPER.refresh_interval_s + len(SUITES) * HEALTH.probe_interval_s) + 30.0
"""A look asks some of the operators; what another has is seen by a probe of it, which asks for one suite in turn after
the other. Both come up to a fifth later."""
TURNS_PER_S_MAX = 30
"""On the average of a life: keeper and prober look after things three times a second, the rest is clients."""
TURNS_TO_START_MAX = 2_000
MINUTE_S = 60.0
TRUSTED_FAILURES_MAX = math.ceil(math.log(1 - MOSTLY_WORKS_BELOW, 1 - FAILING_WEIGHT))
"""So many failures in a row make half of the last requests, whatever was before."""


def nothing_unverified_is_completed(record: Record, vendor: Vendor) -> Iterator[str]:
    """A whole body is one that the vendor published under that name; and every blob is what it is called."""
    for answer in record.answers:
        if answer.outcome == "whole" and answer.digest not in vendor.vouched.get(answer.path, frozenset()):
            yield f"{answer.path} was given whole at {answer.began_s:.3f} s and was never published so"
    for name, found in record.held.items():
        if name != found:
            yield f"what is held as {name.hex()[:16]} is {found.hex()[:16]}"


def no_mark_ever_falls(record: Record, vendor: Vendor) -> Iterator[str]:
    """The high-water mark of a suite, across stops and power cuts; nothing is served that was never marked."""
    highest: dict[str, int] = {}
    for at_s, suite, date in record.marks:
        if date < highest.get(suite, 0):
            yield f"the mark of {suite} fell by {highest[suite] - date} s at {at_s:.3f} s"
        highest[suite] = max(date, highest.get(suite, 0))
    for suite, date in record.served.items():
        if date > highest.get(suite, 0):
            yield f"{suite} is served with a Date that its mark never had"


def nobody_is_led_back(record: Record, vendor: Vendor) -> Iterator[str]:
    """Whoever asks for a Release gets none older than what others had before; but a power cut may undo an adoption."""
    cuts = [stop.at_s for stop in record.script.stops if stop.power]
    given = [
        (answer.began_s, answer.ended_s, answer.path, vendor.dates[answer.digest])
        for answer in record.answers
        if answer.outcome == "whole" and answer.ended_s is not None and answer.digest in vendor.dates
    ]
    for began_s, _, path, date in given:
        since = max((at_s for at_s in cuts if at_s <= began_s), default=0.0)
        before = [older for _, end, name, older in given if name == path and since <= end < began_s]
        if before and max(before) > date:
            yield f"{path} at {began_s:.3f} s is {max(before) - date} s older than what was given before"


def news_arrive(record: Record, vendor: Vendor) -> Iterator[str]:
    """Where one source is honest, healthy and current, what is served in the end is not older than FRESH_WITHIN_S.

    Where two contents are signed for one Date, nobody can know which is right, and news are held back on purpose.
    """
    split = any(spell.fault is Fault.SPLIT_VIEW for place in record.script.places for spell in place.spells)
    if not record.script.sheltered or record.script.full or split:
        return
    begun, ended = record.lives[-1]
    at_s = ended - FRESH_WITHIN_S
    if at_s < begun:
        return
    for suite, date in record.served.items():
        expected = vendor.suites[suite][vendor.shown(suite, BEGIN + record.script.offset_s + at_s)].date
        if date < expected:
            yield f"{suite} is served as of {date - BEGIN} s, and {expected - BEGIN} s was out at {at_s:.0f} s"


def one_honest_source_is_enough(record: Record, vendor: Vendor) -> Iterator[str]:
    """Where one source is honest, healthy and current all along, every request is answered whole, and in time."""
    well = record.script.sheltered
    if not well:
        return
    liars = sum(Fault.CORRUPT in (spell.fault for spell in place.spells) for place in record.script.places)
    for answer in record.answers:
        if answer.outcome == "lost" or _on_full_disk(record, answer.began_s) or _is_gone(record, vendor, answer):
            continue
        if answer.outcome == "cut" and answer.cut_before < liars:
            continue  # what was sent of a large object cannot be taken back; each liar is found out once
        if answer.outcome != "whole" or answer.ended_s is None:
            yield f"{answer.path}, asked at {answer.began_s:.3f} s: {answer.outcome}: {answer.why}"
        elif (took := answer.ended_s - answer.began_s) > (bound := within_s(well, answer.size)):
            yield f"{answer.path}, asked at {answer.began_s:.3f} s, took {took:.3f} s, promised are {bound:.3f} s"


def _is_gone(record: Record, vendor: Vendor, answer: Answer) -> bool:
    """Refused, and no source that is well has it any more: the Release it is of was shown by one far behind."""
    if answer.outcome != "refused" or not answer.wanted or answer.path in vendor.pool:
        return False
    shown = vendor.suites[answer.path.split("/")[1]]
    place = vendor.shown(shown[0].suite, BEGIN + record.script.offset_s + answer.began_s)
    return all(hashlib.sha256(body).digest() != answer.wanted for body in shown[place].files.values())


def within_s(well: tuple[Place, ...], size: int) -> float:
    """The promise for an object of so many bytes."""
    return WITHIN_S + min(3 * place.latency_s + size / place.rate_bytes_s for place in well)


def _on_full_disk(record: Record, at_s: float) -> bool:
    """A suite is not adopted on a full disk, and the refresh after it may take its interval."""
    return any(begins - MINUTE_S <= at_s for begins, _ in record.script.full)


def a_dead_source_is_left_alone(record: Record, vendor: Vendor) -> Iterator[str]:
    """docs/breaker.md: from its first failure on, a dead source gets `requests_max` of one life of the gateway.

    Until more than half of its last requests have failed it passes for one that mostly works, and may be asked beyond
    that where nothing else may be.
    """
    for place in record.script.places:
        for spell in place.spells:
            if spell.fault not in DEAD or spell.period_s:
                continue
            for begun_s, ended_s in record.lives:
                begins, ends = max(spell.begins_s, begun_s), min(spell.ends_s, ended_s)
                asked = [one for one in record.asked if one.host == place.host and begins <= one.at_s < ends]
                failed = [one.ended_s for one in asked if one.outcome not in ("", "lost")]
                if not failed:
                    continue
                since = min(failed)
                count = sum(one.at_s > since for one in asked)
                if count > (bound := requests_max(ends - since, HEALTH) + TRUSTED_FAILURES_MAX):
                    yield f"{place.host} is {spell.fault} and got {count} requests in {ends - since:.0f} s, not {bound}"


def requests_are_bounded(record: Record, vendor: Vendor) -> Iterator[str]:
    """A fetch asks each source a bounded number of times; so does a minute of looks at all suites."""
    sources = len(record.script.places)
    digests = {path: digest for path in vendor.pool for digest in vendor.vouched[path]}
    asked = Counter(one.path for one in record.asked if one.path in vendor.pool)
    for path, count in asked.items():
        bound = record.flights[digests[path]] * requests_per_fetch_max(sources)
        if count > bound:
            yield f"{path} was asked for {count} times, at most {bound} for {record.flights[digests[path]]} fetches"
    for place in record.script.places:
        times = [one.at_s for one in record.asked if one.host == place.host and _is_statement(one)]
        later = times[RELEASE_REQUESTS_PER_MINUTE_MAX:]
        if any(end - begin < MINUTE_S for begin, end in zip(times, later, strict=False)):
            yield f"{place.host} was asked for statements more than {RELEASE_REQUESTS_PER_MINUTE_MAX} times a minute"


def requests_per_fetch_max(sources: int) -> int:
    """Each source in each of ROUNDS_MAX rounds, and once more where it has to give the whole alone."""
    return (ROUNDS_MAX + 1) * sources


def _is_statement(asked: Asked) -> bool:
    return asked.path.rpartition("/")[2] in ("InRelease", "Release", "Release.gpg")


def nobody_turns_in_vain(record: Record, vendor: Vendor) -> Iterator[str]:
    """Whoever waits, waits for an event or a timer, and does not look every millisecond."""
    begun, ended = record.lives[-1]
    if record.loop_turns > (bound := TURNS_PER_S_MAX * (ended - begun) + TURNS_TO_START_MAX):
        yield f"the loop took {record.loop_turns:,} turns in {ended - begun:.0f} s, at most {bound:,.0f} are enough"


def nothing_is_left(record: Record, vendor: Vendor) -> Iterator[str]:
    """After the last stop: no flight, no task, no error that nobody fetched; every client has its answer."""
    yield from record.left
    for answer in record.answers:
        if answer.ended_s is None and answer.outcome != "lost":
            yield f"{answer.path}, asked at {answer.began_s:.3f} s, was never answered"


PROPERTIES: tuple[Property, ...] = (
    nothing_unverified_is_completed,
    no_mark_ever_falls,
    nobody_is_led_back,
    news_arrive,
    one_honest_source_is_enough,
    a_dead_source_is_left_alone,
    requests_are_bounded,
    nobody_turns_in_vain,
    nothing_is_left,
)


def objections(record: Record, vendor: Vendor) -> list[str]:
    """What is wrong with a history; empty when all is well."""
    return [f"{check.__name__}: {said}" for check in PROPERTIES for said in check(record, vendor)]
