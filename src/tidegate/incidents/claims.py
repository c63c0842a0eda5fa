"""Claims: what somebody says about an incident, who, where, when; and what we think of it, with its history. Pure.

A claim is never a fact. Its type is another one than that of a line of the timeline, and whatever shows one has to
say whose it is.
"""

from typing import get_args

from tidegate.incidents.incident import Claim, Judgement, Status
from tidegate.store.journal import Event

STATUSES: tuple[Status, ...] = get_args(Status)
CONFIDENCE_MAX = 100


def claim_of(event: Event) -> Claim:
    """From the event that wrote it down."""
    data = {name: str(value) for name, value in event.data.items()}
    return Claim(
        name=data.get("claim", ""),
        said_by=data.get("said_by", ""),
        url=data.get("url", ""),
        said_at=data.get("said_at", ""),
        text=data.get("text", ""),
        attributes_to=data.get("attributes_to", ""),
        judgements=(judgement_of(event),),
    )


def judgement_of(event: Event) -> Judgement:
    """What somebody thought of a claim. A status that there is not counts as pending; confidence is kept in bounds."""
    status, confidence = event.data.get("status"), event.data.get("confidence")
    return Judgement(
        seq=event.seq,
        at=event.at,
        status=next((one for one in STATUSES if one == status), "pending"),
        confidence=max(0, min(CONFIDENCE_MAX, confidence)) if isinstance(confidence, int) else 0,
        by=str(event.data.get("by", "")),
        text=str(event.data.get("text", "")) if event.kind == "claim-revised" else "",
    )


def sentence(claim: Claim) -> str:
    """The claim, told as what it is."""
    where = f" ({claim.url})" if claim.url else ""
    when = f" on {claim.said_at}" if claim.said_at else ""
    whom = f", holding {claim.attributes_to} responsible" if claim.attributes_to else ""
    now = claim.now
    return (
        f"{claim.said_by} says{when}{where}{whom}: “{claim.text}” This is a claim, {now.status};"
        f" our confidence in it is {now.confidence} of 100."
    )
