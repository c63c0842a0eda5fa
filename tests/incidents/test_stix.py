"""The STIX bundle: valid by OASIS's own validator, the same each time, and claims are nobody's facts."""

import json
from typing import Any

import pytest
import stix2
import stix2validator

from tests.incidents.histories import History
from tests.incidents.test_postmortem import NASTY, only, outage
from tidegate.incidents.incident import Incident
from tidegate.incidents.stix import bundle

ORIGIN, AUTHOR = "ab" * 32, "Example Inc."


def objects(incident: Incident, **changes: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in json.loads(made(incident, **changes))["objects"]:
        found.setdefault(one["type"], []).append(one)
    return found


def made(incident: Incident, **changes: str) -> str:
    return bundle(incident, **{"origin": ORIGIN, "author": AUTHOR, **changes})


def disputed() -> History:
    history = outage()
    history.note(
        "claim-revised", "20260430-2", claim="C1", status="disputed", confidence=5, text="wrong weekday", by="bob"
    )
    for name, whom in (("C2", "313 Team"), ("C3", "")):
        history.note(
            "claim",
            "20260430-2",
            claim=name,
            said_by="an analyst",
            url="",
            said_at="",
            text="as far as we see",
            attributes_to=whom,
            confidence=60,
            status="corroborated",
            by="ada",
        )
    return history


def hostile() -> Incident:
    history = History()
    history.note("alone-begun", NASTY, since=1.0, sources=2)
    (incident,) = history.incidents()
    history.note("incident-note", incident.id, by="", text="")
    history.note(
        "claim",
        incident.id,
        claim="C1",
        said_by="",
        url=f"https://x.example/{NASTY}",
        said_at="",
        text="",
        attributes_to=NASTY,
        confidence=0,
        status="refuted",
        by="",
    )
    history.note("claim", incident.id, **{**history.events[-1].data, "claim": "C2", "url": NASTY})  # type: ignore[arg-type]  # data of an event
    (incident,) = history.incidents()
    return incident


@pytest.mark.parametrize("incident", [only(disputed()), hostile()], ids=["disputed", "hostile"])
def test_it_is_valid_by_oasis_own_word(incident: Incident) -> None:
    options = stix2validator.ValidationOptions(version="2.1")
    results = stix2validator.validate_string(made(incident), options)
    assert results.is_valid, [str(error) for error in results.errors]
    assert len(stix2.parse(made(incident)).objects) >= 5


def test_the_same_incident_gives_the_same_bundle_and_another_journal_other_ids() -> None:
    incident = only(disputed())
    assert made(incident) == made(incident)
    assert {one["id"] for one in objects(incident)["incident"]}.isdisjoint(
        one["id"] for one in objects(incident, origin="cd" * 32)["incident"]
    )


def test_whom_somebody_holds_responsible_is_a_relationship_with_our_confidence() -> None:
    found = objects(only(disputed()))
    (incident,), (actor,) = found["incident"], found["threat-actor"]
    first, second = found["relationship"]
    assert (first["relationship_type"], first["source_ref"], first["target_ref"]) == (
        "attributed-to",
        incident["id"],
        actor["id"],
    )
    assert (first["confidence"], second["confidence"]) == (5, 60)
    assert "a channel says" in first["description"]
    assert actor["name"] == "313 Team"
    assert "313 Team" not in incident["description"]


def test_what_we_thought_of_a_claim_is_an_opinion_each_time_we_changed_it() -> None:
    found = objects(only(disputed()))
    first, second = found["relationship"]
    told = [(one["opinion"], one["object_refs"]) for one in found["opinion"]]
    assert told[:3] == [("neutral", [first["id"]]), ("disagree", [first["id"]]), ("agree", [second["id"]])]
    claims = [one for one in found["note"] if "abstract" in one]
    assert told[3] == ("agree", [claims[2]["id"]])
    assert claims[0]["authors"] == ["a channel"]
    assert [one["content"] for one in found["note"][:2]] == ["their status page is down as well", "added mirror-c"]


def test_every_reference_leads_to_an_object_of_the_bundle() -> None:
    everything = [one for group in objects(only(disputed())).values() for one in group]
    ids = {one["id"] for one in everything}
    for one in everything:
        references = [one.get(name) for name in ("created_by_ref", "source_ref", "target_ref")]
        assert {*filter(None, references), *one.get("object_refs", ())} <= ids
