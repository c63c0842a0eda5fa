"""What people write down about an incident, and the event that it becomes: by a command, or at the admin port. Pure."""

from typing import Annotated

from msgspec import Meta, Struct

from tidegate.incidents.incident import Incident, Status
from tidegate.store.journal import Happening, Value

Text = Annotated[str, Meta(min_length=1, max_length=2_000)]
Word = Annotated[str, Meta(max_length=200)]
Address = Annotated[str, Meta(max_length=1_000)]
Confidence = Annotated[int, Meta(ge=0, le=100, description="how far it is believed")]


class UnfitError(ValueError):
    """It does not fit the incident as it stands: a sentence. `todo`: what to do."""

    def __init__(self, text: str, todo: str = "") -> None:
        super().__init__(text)
        self.todo = todo


class Note(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="note"):
    """What somebody knows."""

    text: Text


class Action(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="action"):
    """What somebody did."""

    text: Text


class Close(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="close"):
    """It is over, and why. `still`: though its conditions hold."""

    text: Text
    still: bool = False


class Said(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="claim"):
    """A claim: what somebody else says, and what we think of it."""

    text: Text
    said_by: Annotated[str, Meta(min_length=1, max_length=200)]
    url: Address = ""
    said_at: Word = ""
    attributes_to: Word = ""
    confidence: Confidence = 0
    status: Status = "pending"


class Revise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="revise"):
    """We think otherwise of a claim, and why; what is None stays as it is."""

    claim: Word
    text: Text
    confidence: Confidence | None = None
    status: Status | None = None


Writing = Note | Action | Close | Said | Revise


def happening(incident: Incident, writing: Writing, by: str) -> Happening:
    """The event that it becomes. Raises UnfitError."""
    match writing:
        case Note(text=text):
            return Happening("incident-note", incident.id, {"by": by, "text": text})
        case Action(text=text):
            return Happening("incident-action", incident.id, {"by": by, "text": text})
        case Close():
            return _closed(incident, writing, by)
        case Said():
            return _claim(incident, writing, by)
        case Revise():
            return _revised(incident, writing, by)


def _closed(incident: Incident, writing: Close, by: str) -> Happening:
    if incident.state == "closed":
        raise UnfitError(f"{incident.id} is closed already")
    if incident.state == "open" and not writing.still:
        holds = "; ".join(f"{span.rule} of {span.subject}" for span in incident.conditions if span.ended is None)
        raise UnfitError(f"it goes on: {holds}", "If it is over all the same, say so with --still.")
    return Happening("incident-closed", incident.id, {"by": by, "text": writing.text})


def _claim(incident: Incident, writing: Said, by: str) -> Happening:
    data: dict[str, Value] = {
        "by": by,
        "text": writing.text,
        "claim": f"C{len(incident.claims) + 1}",
        "status": writing.status,
        "confidence": writing.confidence,
        "said_by": writing.said_by,
        "url": writing.url,
        "said_at": writing.said_at,
        "attributes_to": writing.attributes_to,
    }
    return Happening("claim", incident.id, data)


def _revised(incident: Incident, writing: Revise, by: str) -> Happening:
    known = {claim.name: claim for claim in incident.claims}
    if writing.claim not in known:
        raise UnfitError(f"there is no claim {writing.claim}", f"There is {', '.join(known) or 'none yet'}.")
    before = known[writing.claim].now
    data: dict[str, Value] = {
        "by": by,
        "text": writing.text,
        "claim": writing.claim,
        "status": writing.status or before.status,
        "confidence": before.confidence if writing.confidence is None else writing.confidence,
    }
    return Happening("claim-revised", incident.id, data)
