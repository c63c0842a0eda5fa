"""What is new about incidents for whoever was told of them before. Pure.

Told is how an incident stands, not each step on the way: whoever could not be reached for a day is told once how it is.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from tidegate.incidents.incident import Incident

TOLD_MAX = 1000
"""Incidents of which it is remembered that somebody was told; the newest."""

State = Literal["open", "mitigated", "closed"]


class Turn(Struct, frozen=True):
    """How an incident stood when somebody was told of it."""

    state: State
    severity: int
    reopened: int = 0


def turn_of(incident: Incident) -> Turn:
    """How it stands."""
    return Turn(incident.state, incident.severity, incident.reopened)


def news(incidents: Iterable[Incident], told: Mapping[str, Turn], severity_max: int) -> list[Incident]:
    """The incidents, the oldest first, that stand otherwise than they were told of.

    One that is less severe (a higher number) than `severity_max`, or was over before anybody could be told, is none.
    """
    found = []
    for one in incidents:
        before = told.get(one.id)
        unheard = before is None and (one.state == "closed" or one.severity > severity_max)
        if before != turn_of(one) and not unheard:
            found.append(one)
    return found


def remembered(told: Mapping[str, Turn], one: Incident) -> dict[str, Turn]:
    """After somebody was told of it."""
    after = {**told, one.id: turn_of(one)}
    return dict(sorted(after.items(), key=lambda each: _order(each[0]))[-TOLD_MAX:])


def _order(identity: str) -> tuple[str, int]:
    """An incident's id is a day and a number."""
    day, _, number = identity.rpartition("-")
    return day, int(number) if number.isdigit() else 0
