"""Incidents as commands and pages tell them."""

from typing import Annotated

from msgspec import Meta, Struct

from tidegate.incidents.incident import Incident


class IncidentsReport(Struct, frozen=True, kw_only=True):
    """`tidegate incident list --json`."""

    at: Annotated[float, Meta(description="epoch seconds, UTC")]
    incidents: Annotated[tuple[Incident, ...], Meta(description="the newest first")]


class IncidentReport(Struct, frozen=True, kw_only=True):
    """`tidegate incident show --json`."""

    at: Annotated[float, Meta(description="epoch seconds, UTC")]
    incident: Incident


class WrittenReport(Struct, frozen=True, kw_only=True):
    """What `tidegate incident note`, `action`, `claim` and `close` answer."""

    incident: str
    seq: Annotated[int, Meta(description="number of the event that was written")]
    claim: Annotated[str, Meta(description="the claim's name; empty for what is none")] = ""
