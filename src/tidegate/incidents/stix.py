"""An incident as a STIX 2.1 bundle (OASIS), for those who exchange such things. Needs the package `stix2`.

Facts stand in the incident's description. Whatever somebody says is a note by who says it; whom they hold responsible
is an `attributed-to` relationship whose confidence is ours, and what we thought of it, and when, are opinions on it.
The same incident gives the same bundle, byte for byte.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tidegate.incidents.claims import sentence
from tidegate.incidents.incident import Claim, Incident, Judgement, Remark, Status
from tidegate.incidents.rules import SEVERITIES, Severity
from tidegate.incidents.telling import span
from tidegate.trust.verdict import utc

NAMESPACE = uuid.UUID("6f7bb3c9-7a0f-5b8e-9d0c-52e1a6c1b7d4")
"""Ours. That of the standard is for cyber-observables alone (STIX 2.1, 2.9)."""
_ADDRESS = re.compile(r"https?://[^/]")
_ADDRESS_SAFE = ":/?#@!$&'()*+,;=%~"
_OPINIONS: dict[Status, str] = {
    "refuted": "strongly-disagree",
    "disputed": "disagree",
    "pending": "neutral",
    "corroborated": "agree",
}


def bundle(incident: Incident, *, origin: str, author: str) -> str:
    """The bundle as JSON. `origin`: the hash of the event that opened it, so that no other journal has these ids;
    `author`: whose word it is. Raises ImportError without the package `stix2`."""
    import stix2

    making = _Making(incident, origin, author)
    return str(stix2.Bundle(id=making.id("bundle", ""), objects=list(making.objects())).serialize(pretty=True))


class _Making:
    """The objects of one bundle, each under an id made of what it is."""

    def __init__(self, incident: Incident, origin: str, author: str) -> None:
        from stix2 import v21

        self._make = v21
        self._incident = incident
        self._origin = origin
        self._opened = _moment(incident.detected_at)
        self._us = self._object("Identity", "identity", f"us {author}", name=author, identity_class="organization")
        self._fact = self._object(
            "Incident",
            "incident",
            "",
            modified=_moment(_changed_at(incident)),
            name=incident.title,
            description=description(incident),
            created_by_ref=self._us.id,
        )

    def id(self, kind: str, name: str) -> str:
        """An identifier that is the same each time."""
        return f"{kind}--{uuid.uuid5(NAMESPACE, f'{self._origin}/{self._incident.id}/{kind}/{name}')}"

    def objects(self) -> Iterator[Any]:
        """All of them, in the order of the incident."""
        yield self._us
        yield self._fact
        for remark in (*self._incident.notes, *self._incident.actions):
            yield self._remark(remark)
        told: set[str] = set()
        for claim in self._incident.claims:
            for one in self._of_claim(claim):
                if one.id not in told:
                    told.add(one.id)
                    yield one

    def _remark(self, remark: Remark) -> Any:
        at = _moment(remark.at)
        return self._object(
            "Note",
            "note",
            str(remark.seq),
            at=at,
            created_by_ref=self._us.id,
            content=remark.text or "-",
            authors=[remark.by or "-"],
            object_refs=[self._fact.id],
        )

    def _of_claim(self, claim: Claim) -> Iterator[Any]:
        first, at = claim.judgements[0], _moment(claim.judgements[0].at)
        who = self._object("Identity", "identity", claim.said_by, name=claim.said_by or "-", identity_class="unknown")
        yield who
        references = [{"source_name": claim.said_by or "-", **_where(claim.url)}] if claim.url else []
        more = {"external_references": references} if references else {}
        note = self._object(
            "Note",
            "note",
            str(first.seq),
            at=at,
            created_by_ref=self._us.id,
            abstract=f"Claim {claim.name}, not a fact",
            content=sentence(claim),
            authors=[claim.said_by or "-"],
            object_refs=[self._fact.id],
            **more,
        )
        yield note
        judged = note
        if claim.attributes_to:
            actor = self._object(
                "ThreatActor",
                "threat-actor",
                claim.attributes_to,
                name=claim.attributes_to,
                description="Somebody was heard to hold them responsible. Nothing here says that they are.",
                threat_actor_types=["unknown"],
                created_by_ref=self._us.id,
            )
            yield actor
            judged = self._object(
                "Relationship",
                "relationship",
                str(first.seq),
                at=at,
                modified=_moment(claim.now.at),
                relationship_type="attributed-to",
                source_ref=self._fact.id,
                target_ref=actor.id,
                description=sentence(claim),
                confidence=claim.now.confidence,
                created_by_ref=self._us.id,
                **more,
            )
            yield judged
        yield from (self._opinion(judgement, judged) for judgement in claim.judgements)

    def _opinion(self, judgement: Judgement, judged: Any) -> Any:
        return self._object(
            "Opinion",
            "opinion",
            str(judgement.seq),
            at=_moment(judgement.at),
            created_by_ref=self._us.id,
            opinion=_OPINIONS[judgement.status],
            explanation=judgement.text or f"{judgement.status}, when it was written down",
            authors=[judgement.by or "-"],
            confidence=judgement.confidence,
            object_refs=[judged.id],
        )

    def _object(self, maker: str, kind: str, key: str, /, *, at: datetime | None = None, **fields: Any) -> Any:
        make: Callable[..., Any] = getattr(self._make, maker)
        created = at or self._opened
        return make(id=self.id(kind, key), created=created, **{"modified": created, **fields})


def description(incident: Incident) -> str:
    """What is known, in sentences."""
    began = f"{incident.title}; since {utc(int(incident.started_at))}"
    if incident.mitigated_at is not None:
        began += f", until {utc(int(incident.mitigated_at))}"
        began += f" ({span(incident.mitigated_at - incident.started_at)})"
    impact = incident.impact
    drill = f"This was a drill ({incident.drill}). " if incident.drill else ""
    return (
        f"{drill}{began}. SEV{incident.severity}: {SEVERITIES[Severity(incident.severity)]}. Of {impact.requests:,}"
        f" requests meanwhile, {impact.lacking:,} were for what was not held and not to be had."
    )


def _where(address: str) -> dict[str, str]:
    """Where something was said; what is no address is told in words."""
    if _ADDRESS.match(address):
        return {"url": quote(address, safe=_ADDRESS_SAFE)}
    return {"description": address}


def _changed_at(incident: Incident) -> float:
    """When anything about it was last written down."""
    judged = [one.at for claim in incident.claims for one in claim.judgements]
    remarks = [one.at for one in (*incident.notes, *incident.actions)]
    ends = [at for at in (incident.mitigated_at, incident.closed_at) if at is not None]
    return max((incident.detected_at, *judged, *remarks, *ends))


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
