"""Numbers that the journal and the incidents tell, held against those that clients counted. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from tidegate.drill.record import Answer, Record
from tidegate.incidents.incident import Incident
from tidegate.store.journal import Event, Value

ERROR = 400
"""Statuses from here on say no."""
WITH_BODY = (200, 206)
"""A refusal's sentence is no body that is counted."""


class Number(Struct, frozen=True, kw_only=True):
    """A number that is told, and the bounds within which clients counted the same.

    The bounds are one number for the drill as a whole, and for an incident too, unless a request was under way when
    its counting began or ended: that one may be on either side.
    """

    what: str
    told: float
    at_least: float
    at_most: float

    @property
    def agrees(self) -> bool:
        """Nothing that was counted says otherwise."""
        return self.at_least <= self.told <= self.at_most


def numbers_of(
    record: Record, incidents: Iterable[Incident], events: Iterable[Event], drill: str
) -> tuple[Number, ...]:
    """All that can be held against a count. `events`: those of the drill among the journal's."""
    return (*_of_drill(record, [one for one in events if one.drill == drill]), *_of_incidents(record, incidents))


def _of_drill(record: Record, events: list[Event]) -> Iterator[Number]:
    served = [one.data for one in events if one.kind == "served"]
    given = answers_of(record)
    answered, broken = sum(1 for one in given if one.status), sum(1 for one in given if not one.status)
    refused = sum(1 for one in given if one.status >= ERROR)
    octets = sum(one.bytes for one in given)
    yield Number(
        what="requests in the drill", told=_sum(served, "requests"), at_least=answered, at_most=answered + broken
    )
    yield Number(what="refused for lack in the drill", told=_sum(served, "lacking"), at_least=refused, at_most=refused)
    if not broken:
        yield Number(what="bytes given in the drill", told=_sum(served, "bytes"), at_least=octets, at_most=octets)


def _of_incidents(record: Record, incidents: Iterable[Incident]) -> Iterator[Number]:
    given = answers_of(record)
    for one in incidents:
        since, until = one.impact.since, one.impact.until
        if since is None or until is None:
            continue
        within = [each for each in given if since < each.at and each.until < until and each.status]
        touching = [each for each in given if since < each.until and each.at < until]
        yield _between(f"requests during {one.id}", one.impact.requests, len(within), len(touching))
        refused = [sum(1 for each in some if each.status >= ERROR) for some in (within, touching)]
        yield _between(f"refused for lack during {one.id}", one.impact.lacking, *refused)
        octets = [sum(each.bytes for each in some) for some in (within, touching)]
        yield _between(f"bytes given during {one.id}", one.impact.bytes, *octets)


def answers_of(record: Record) -> list[Answer]:
    """What hosts and the real apt were given, whoever it was."""
    given = [
        Answer(one.at, one.until, one.status, one.bytes if one.status in WITH_BODY else 0) for one in record.requests
    ]
    return given + [answer for run in record.runs for answer in run.answers]


def _between(what: str, told: float, at_least: float, at_most: float) -> Number:
    return Number(what=what, told=told, at_least=at_least, at_most=at_most)


def _sum(served: Iterable[Mapping[str, Value]], name: str) -> int:
    values = [data.get(name, 0) for data in served]
    return sum(value for value in values if isinstance(value, int))
